//! What is kept of a request: its event, for counts, the recording, the access log and a collector.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, Version, request::Parts};
use http_body::{Body, Frame, SizeHint};
use lockgate_policy::{
    Chain, ClientCertificate, Facts, Identity, RecordedPrompt, Route, Timestamp, VerdictRecord,
    Word, evidence, gateway_reasons as reasons,
};
use lockgate_recording::{Event, Headers, Text, Texts, Verdict};
use tokio::time::Instant;

use crate::body::{AnyBody, Arrival, BodyError};
use crate::core::{Core, Generation};
use crate::ending;
use crate::forward::Tried;
use crate::models::{CallRecord, said};
use crate::request_id::RequestId;
use crate::rollout::Watch;
use crate::telemetry::{Traced, Whom};
use crate::trace::Trace;

/// A request under way. Dropping it makes its event.
pub struct Observation {
    /// The event, as far as it is known.
    pub event: Box<Event>,
    /// How far the request's body has come.
    pub arrival: Option<Arc<Arrival>>,
    /// Whether all of the request's body was read before it was decided.
    pub has_read: bool,
    /// Who wants to know how it fared, while a rollout runs.
    pub watch: Option<Watch>,
    /// What its call to a model took, once that has ended.
    pub model_call: Option<CallRecord>,
    /// What a collector is told beside the event, when the trace is sampled.
    traced: Option<Box<Traced>>,
    keeps_text: bool,
    is_grpc: bool,
    since: Instant,
    core: Arc<Core>,
    generation: Arc<Generation>,
}

impl Observation {
    /// Begins with what the head of a request says. Its text is copied only when someone keeps it.
    pub fn begin(
        core: &Arc<Core>,
        generation: &Arc<Generation>,
        head: &Parts,
        (id, trace): (&RequestId, &Trace),
        listener: &Text,
        (since, at): (Instant, Timestamp),
    ) -> Box<Self> {
        let traced = generation.telemetry.as_ref().and(trace.sampled());
        let keeps_text = generation.keeps_text() || traced.is_some();
        let texts = if keeps_text {
            Texts {
                id: id.text().clone(),
                node: core.shared.name.clone(),
                revision: generation.id.clone(),
                listener: listener.clone(),
                host: Text::default(),
                path: Text::from(head.uri.path()),
            }
        } else {
            Texts {
                listener: listener.clone(),
                ..Texts::default()
            }
        };
        let mut event = Box::new(Event {
            at: at.0,
            method: method(&head.method),
            version: match head.version {
                Version::HTTP_10 => "1.0".into(),
                Version::HTTP_2 => "2".into(),
                _ => "1.1".into(),
            },
            query: head.uri.query().filter(|_| keeps_text).map(Text::from),
            ..Event::of(texts)
        });
        if generation.recording.is_some() {
            let bytes = head
                .headers
                .iter()
                .map(|(name, value)| name.as_str().len() + value.len())
                .sum();
            let mut headers = Headers::with_capacity(head.headers.len(), bytes);
            for (name, value) in &head.headers {
                headers.push_bytes(name.as_str(), value.as_bytes());
            }
            event.headers = headers;
        }
        Box::new(Self {
            event,
            arrival: None,
            has_read: false,
            watch: None,
            model_call: None,
            traced: traced.map(|ids| Box::new(Traced::of(ids))),
            keeps_text,
            is_grpc: false,
            since,
            core: core.clone(),
            generation: generation.clone(),
        })
    }

    /// Whether what the request says is kept, and not only counted.
    pub const fn keeps_text(&self) -> bool {
        self.keeps_text
    }

    /// Whether the event is written to the recording.
    pub fn is_recorded(&self) -> bool {
        self.generation.recording.is_some()
    }

    /// Whether the gateway answers by itself, and has left a part of the body unread.
    pub fn leaves_body(&self) -> bool {
        let has_ended = |arrival: &Arc<Arrival>| arrival.ended_ago().is_some();
        let is_whole = self.has_read || self.arrival.as_ref().is_some_and(has_ended);
        self.event.has_body && self.event.code.is_some() && !is_whole
    }

    /// The route was found.
    pub fn routed(&mut self, route: &Route) {
        self.event.api = Some(route.api.clone());
        self.event.api_version = Some(route.version.clone());
        self.event.route = Some(route.id.clone());
        if let Some(traced) = &mut self.traced {
            traced.route = Some(route.path.clone());
        }
    }

    /// Somebody is asked now.
    pub fn calls(&mut self, whom: impl FnOnce() -> Whom) {
        if let Some(traced) = &mut self.traced {
            traced.calls(whom(), self.since.elapsed());
        }
    }

    /// What came of it.
    pub fn called(&mut self, tried: Tried, answer: Result<StatusCode, &'static str>) {
        self.event.tries = tried.tries;
        self.event.upstream_us = tried.micros;
        if let Some(traced) = &mut self.traced {
            let began = tried.since.map(|at| at.duration_since(self.since));
            traced.called(&tried, began, self.since.elapsed(), answer);
        }
        self.arrival = tried.arrival;
        if self.keeps_text {
            self.event.target = tried.target.map(|target| target.address.clone());
        }
    }

    /// Who called.
    pub fn identified(&mut self, identity: &Identity) {
        self.event.application = identity
            .application
            .as_ref()
            .map(|application| application.id.clone());
        self.event.subject = identity.subject.clone();
        self.event.claims = identity.claims.clone();
    }

    /// What policies found out and a recording must know to be replayed.
    pub fn found_out(&mut self, facts: &Facts, certificate: Option<&ClientCertificate>) {
        if self.generation.recording.is_some() {
            self.event.facts = evidence::record(facts, certificate, self.event.claims.as_ref());
        }
    }

    /// What was asked of a model.
    pub fn asked(&mut self, prompt: Option<Box<RecordedPrompt>>) {
        self.event.prompt = prompt.map(|prompt| Box::new(said::prompt(*prompt)));
    }

    /// The head of the answer is there; a rollout is told how the request fared so far.
    pub fn answered<B>(&mut self, answer: &Response<B>) {
        self.event.status = answer.status().as_u16();
        self.is_grpc = ending::is_grpc(answer.headers());
        if self.is_grpc {
            self.event.grpc_status = ending::grpc_status(answer.headers());
        }
        if let Some(watch) = &mut self.watch {
            watch.answered(&self.event, self.since.elapsed());
        }
    }

    /// The answer has trailers.
    pub fn trailed(&mut self, trailers: &HeaderMap) {
        if self.is_grpc {
            self.event.grpc_status = ending::grpc_status(trailers).or(self.event.grpc_status);
        }
    }

    /// What policies said.
    pub fn judged(&mut self, chain: &Chain, verdicts: &[VerdictRecord]) {
        self.event.verdicts = verdicts
            .iter()
            .filter_map(|verdict| {
                let policy = chain.policies().get(usize::from(verdict.policy))?;
                Some(Verdict {
                    id: policy.id.clone(),
                    kind: policy.kind.name.into(),
                    scope: policy.scope.clone(),
                    word: verdict.word.as_str().into(),
                    code: verdict.code.map(Into::into),
                    shadow: verdict.tried || policy.mode == lockgate_config::Mode::Shadow,
                    rule: policy.rule.clone(),
                    found_by: policy.own_rule(verdict.found_by).cloned(),
                })
            })
            .collect();
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        let event = &mut *self.event;
        event.latency_us = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        if let Some(arrival) = &self.arrival {
            event.bytes_in = event.bytes_in.max(arrival.bytes());
        }
        if let Some(call) = self.model_call.take() {
            let told = std::mem::take(&mut *call.lock());
            event.model_call = Some(Box::new(told.call));
            event.answer = told.said.map(said::answer).map(Box::new);
            for (id, scope) in told.found {
                let mut verdicts = event.verdicts.iter_mut();
                if let Some(verdict) = verdicts.find(|said| said.id == id && said.scope == scope) {
                    verdict.word = Word::Deny.as_str().into();
                    verdict.code = Some(reasons::ANSWER_WITHHELD.code.into());
                }
            }
        }
        if let (Some(traced), Some(watch)) = (&mut self.traced, &self.watch) {
            traced.arm = Some(watch.arm());
        }
        if let Some(watch) = self.watch.take() {
            watch.ended(event, self.since.elapsed());
        }
        self.core.count(event);
        if let Some(log) = &self.generation.access_log {
            log.write(event);
        }
        if let (Some(telemetry), Some(traced)) = (&self.generation.telemetry, self.traced.take()) {
            telemetry.push(event, traced);
        }
        if let Some(recording) = &self.generation.recording {
            recording.push(self.core.index, std::mem::take(&mut self.event));
        }
    }
}

/// A body whose end, however it comes, ends the record of its request.
pub struct Observed {
    inner: AnyBody,
    observation: Box<Observation>,
}

impl Observed {
    /// The observation is finished when this is dropped.
    pub const fn new(inner: AnyBody, observation: Box<Observation>) -> Self {
        Self { inner, observation }
    }
}

impl Body for Observed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        let seen = &mut self.observation;
        match &frame {
            Some(Ok(frame)) => {
                let size = frame.data_ref().map_or(0, Bytes::len);
                seen.event.bytes_out += size as u64;
                if let Some(trailers) = frame.trailers_ref() {
                    seen.trailed(trailers);
                }
            }
            Some(Err(_)) => seen.event.broke_off = true,
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn method(method: &Method) -> std::borrow::Cow<'static, str> {
    match *method {
        Method::GET => "GET".into(),
        Method::POST => "POST".into(),
        Method::PUT => "PUT".into(),
        Method::PATCH => "PATCH".into(),
        Method::DELETE => "DELETE".into(),
        Method::HEAD => "HEAD".into(),
        Method::OPTIONS => "OPTIONS".into(),
        _ => method.as_str().to_owned().into(),
    }
}
