//! One request from its arrival to its answer.

mod forwarding;
mod judging;

use std::borrow::Cow;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use http::header::{CONNECTION, EXPECT, HeaderValue};
use http::{Request, Response, StatusCode, Version, request::Parts};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use lockgate_policy::{
    Body, Counters, Env, Facts, Form, Outcome, Progress, Refusal, RequestView, Timestamp,
    gateway_reasons as reasons, problem_response,
};
use lockgate_recording::{Decision, Text};
use tokio::time::Instant;

pub(crate) use judging::{Judged, Until};

use crate::body::{AnyBody, full};
use crate::client_address::client_address;
use crate::core::{Core, Generation};
use crate::finish;
use crate::forward::RequestBody;
use crate::hygiene::REQUEST_ID;
use crate::listen::Connection;
use crate::record::{Observation, Observed};
use crate::request::{self, Arrived};
use crate::request_id::RequestId;
use crate::rollout::{Head, Trial};
use crate::trace::Trace;

/// A body of at most so many bytes has mostly arrived with its head; hyper then reads past it, and the connection goes on.
const SHORT_BODY: u64 = 16 * 1024;

/// Answers a request. It always does.
///
/// # Errors
/// None.
pub async fn serve(
    core: Arc<Core>,
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Result<Response<Observed>, Infallible> {
    let (since, at) = (Instant::now(), core.shared.clock.now());
    let id = core.request_id();
    let trial = core.shared.rollouts.trial();
    let generation = match &trial {
        Some(trial) => trial.live().clone(),
        None => core.shared.generation(),
    };
    // What a rollout asks both revisions about must be counted once, and known to both.
    let noting = trial
        .as_ref()
        .map(|_| Arc::new(Counters::noting(core.shared.counters.clone())));
    let (mut head, body) = request.into_parts();
    let upgrade = head.extensions.remove::<OnUpgrade>();
    let head = Head::of(head, trial.is_some());
    let sampler = generation.telemetry.as_ref().map(|one| one.sampler());
    let trace = Trace::of(&head.headers, &id, sampler);
    let mut seen = Observation::begin(
        &core,
        &generation,
        &head,
        (&id, &trace),
        &connection.listener,
        (since, at),
    );
    seen.event.scheme = connection.scheme.into();
    seen.event.has_body = !body.is_end_stream();
    let is_short = body
        .size_hint()
        .exact()
        .is_some_and(|size| size <= SHORT_BODY)
        && !head.headers.contains_key(EXPECT);
    let exchange = Exchange {
        core: &core,
        generation: &generation,
        connection: &connection,
        head: &head,
        id: &id,
        trace: &trace,
        since,
        at,
        shared_head: head.shared(),
        counters: noting.as_ref().unwrap_or(&core.shared.counters),
        trial: trial.as_ref(),
    };
    let malformed = connection.next_is_malformed();
    let mut answer = match malformed {
        Some(why) => {
            let refusal = Refusal::new(&reasons::MALFORMED, why);
            exchange.refuse_unrouted(&refusal, None, connection.peer, &mut seen)
        }
        None => exchange.answer(body, upgrade, &mut seen).await,
    };
    let ends = seen.leaves_body() && !is_short && head.version < Version::HTTP_2;
    if malformed.is_some() || ends {
        // Nobody can say where the next request begins, or nobody will read as far.
        answer
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer.headers_mut().insert(REQUEST_ID, id.value());
    connection.answer(answer.status() == StatusCode::SWITCHING_PROTOCOLS);
    if seen.keeps_text() {
        seen.event.trace_id = Some(if trace.id() == &*seen.event.id {
            seen.event.id.clone()
        } else {
            Text::from(trace.id())
        });
    }
    seen.answered(&answer);
    Ok(answer.map(|body| Observed::new(body, seen)))
}

#[derive(Clone, Copy)]
pub(crate) struct Exchange<'a> {
    pub core: &'a Arc<Core>,
    pub generation: &'a Generation,
    pub connection: &'a Connection,
    pub head: &'a Parts,
    pub id: &'a RequestId,
    pub trace: &'a Trace,
    pub since: Instant,
    /// The time that policies see.
    pub at: Timestamp,
    /// The same head, where the other revision of a rollout may be asked about it.
    pub shared_head: Option<&'a Arc<Parts>>,
    /// Where policies count.
    pub counters: &'a Arc<Counters>,
    /// The rollout that runs.
    pub trial: Option<&'a Arc<Trial>>,
}

impl<'a> Exchange<'a> {
    async fn answer(
        &self,
        body: Incoming,
        upgrade: Option<OnUpgrade>,
        seen: &mut Observation,
    ) -> Response<AnyBody> {
        let client = client_address(
            self.connection.peer,
            &self.head.headers,
            &self.connection.trusted,
        );
        seen.event.client = Some(client);
        if let Some(refusal) = self.core.shared.blocks.load().source(client, self.at) {
            return self.refuse_unrouted(&refusal, None, client, seen);
        }
        let arrived = match request::read(self.head) {
            Ok(arrived) => arrived,
            Err(refusal) => return self.refuse_unrouted(&refusal, None, client, seen),
        };
        if seen.keeps_text() {
            seen.event.host = Text::from(arrived.host());
            if let Cow::Owned(path) = &arrived.path {
                seen.event.path = Text::from(path.as_str());
            }
        }
        let mut body = RequestBody::of(body);
        let asked = (&arrived, client);
        let found = self.find(asked);
        let (by, found) = match self.trial {
            None => (*self, found),
            Some(trial) => self.choose(trial, found, asked, &mut body, seen).await,
        };
        match found {
            Ok(judged) => by.answer_judged(judged, body, upgrade, seen).await,
            Err(refusal) => {
                by.ask_beside_unrouted(asked, &body, &refusal);
                by.refuse_unrouted(&refusal, Some(&arrived), client, seen)
            }
        }
    }

    /// The route of a request, about which nothing is known yet.
    pub(crate) fn find<'b>(
        &self,
        (arrived, client): (&'b Arrived<'b>, IpAddr),
    ) -> Result<Judged<'b>, Box<Refusal>>
    where
        'a: 'b,
    {
        let revision = &self.generation.revision;
        let head = self.head;
        let route = self.fenced(|| {
            revision.route(arrived.host(), &arrived.path, &head.method, &head.headers)
        })??;
        Ok(Judged {
            arrived,
            route,
            client,
            now: self.at,
            facts: match self.generation.recording {
                Some(_) => Facts::to_record(),
                None => Facts::default(),
            },
            progress: Progress::default(),
            outcome: None,
        })
    }

    async fn answer_judged(
        &self,
        mut judged: Judged<'_>,
        body: RequestBody,
        upgrade: Option<OnUpgrade>,
        seen: &mut Observation,
    ) -> Response<AnyBody> {
        seen.routed(judged.route);
        let decided = self.decide(&mut judged, body, upgrade, seen).await;
        if let Some(identity) = &judged.progress.identity {
            seen.identified(identity);
        }
        seen.found_out(&judged.facts, self.connection.certificate.as_ref());
        seen.asked(judged.progress.to_record.take());
        if seen.keeps_text() {
            seen.judged(&judged.route.chain, &judged.progress.verdicts);
        }
        let mut answer = match decided {
            Ok(answer) => answer,
            Err(refusal) => {
                let view = RequestView {
                    path: &judged.arrived.path,
                    ..self.unread_view(judged.client)
                };
                self.refuse(&refusal, judged.route.form(&view), seen)
            }
        };
        for edit in judged.progress.edits {
            edit.apply(answer.headers_mut());
        }
        answer
    }

    fn refuse(&self, refusal: &Refusal, form: Form, seen: &mut Observation) -> Response<AnyBody> {
        if seen.event.tries == 0 {
            seen.event.decision = Decision::Refuse;
        }
        seen.event.code = Some(refusal.reason.code.into());
        problem_response(refusal, self.id.as_str(), form).map(full)
    }

    /// Refuses what no route takes, with what the gateway's own policies say of every answer.
    fn refuse_unrouted(
        &self,
        refusal: &Refusal,
        arrived: Option<&Arrived<'_>>,
        client: IpAddr,
        seen: &mut Observation,
    ) -> Response<AnyBody> {
        let mut answer = self.refuse(refusal, Form::of(&self.head.headers), seen);
        let view = RequestView {
            host: arrived.map_or("", Arrived::host),
            path: arrived.map_or("", |arrived| &arrived.path),
            ..self.unread_view(client)
        };
        let facts = Facts::default();
        let revision = &self.generation.revision;
        for edit in revision.unrouted_edits(&view, &mut self.env(self.at, &facts)) {
            edit.apply(answer.headers_mut());
        }
        answer
    }

    async fn decide(
        &self,
        judged: &mut Judged<'_>,
        mut body: RequestBody,
        upgrade: Option<OnUpgrade>,
        seen: &mut Observation,
    ) -> Result<Response<AnyBody>, Box<Refusal>> {
        self.admit(judged, &mut body).await?;
        self.judge(judged, &mut body, Until::Decided).await?;
        let outcome = judged.outcome.take().unwrap_or(Outcome::Forward);
        self.ask_beside(judged, &body, &outcome);
        if let RequestBody::Read(bytes) = &body {
            seen.event.bytes_in = bytes.len() as u64;
            seen.has_read = true;
            if let Some(record) = &judged.route.record_body {
                seen.event.keep_body(bytes, record.up_to.as_usize());
            }
        }
        match outcome {
            Outcome::Forward => self.forward(judged, body, upgrade, seen).await,
            Outcome::Respond(reply) => {
                seen.event.decision = Decision::Respond;
                seen.event.code = Some(reply.code.into());
                Ok(finish::respond(*reply))
            }
            Outcome::Refuse(refusal) => Err(refusal),
        }
    }

    pub(crate) fn view<'b>(
        &'b self,
        arrived: &'b Arrived<'b>,
        client: IpAddr,
        variables: &'b [(&'b str, &'b str)],
        body: Body<'b>,
    ) -> RequestView<'b> {
        RequestView {
            host: arrived.host(),
            path: &arrived.path,
            body,
            variables,
            ..self.unread_view(client)
        }
    }

    /// A request of which nobody has read host and path.
    fn unread_view(&self, client: IpAddr) -> RequestView<'_> {
        RequestView {
            method: &self.head.method,
            scheme: self.connection.scheme,
            host: "",
            path: "",
            query: self.head.uri.query(),
            version: self.head.version,
            headers: &self.head.headers,
            client,
            certificate: self.connection.certificate.as_ref(),
            body: Body::Absent,
            variables: &[],
            identity: None,
            prompt: None,
        }
    }

    pub(crate) fn env<'b>(&'b self, now: Timestamp, facts: &'b Facts) -> Env<'b> {
        Env {
            now,
            facts,
            directory: &self.generation.directory,
            counters: self.counters,
        }
    }
}
