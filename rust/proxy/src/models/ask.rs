//! A call to a model: asked of one target after the other, answered in the caller's language.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, TRAILER, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, response};
use http_body_util::BodyExt as _;
use lockgate_config::ModelFailure;
use lockgate_llm::{
    ChatRequest, ClientStream, Failure, FailureKind, Losses, Outgoing, PassThrough, Stamp, Surface,
    UpstreamStream, read_error, write_error, write_models,
};
use lockgate_policy::{AnswerRules, Keeping, Prompt, Refusal, gateway_reasons as reasons};
use smallvec::SmallVec;
use tokio::time::Instant;

use super::bill::Bill;
use super::kept::{KeptCall, Listening};
use super::question::{Answered, How, Question, Unanswered};
use super::stream::{Speech, Streaming};
use super::{Model, ModelTarget};
use crate::body::{Bounds, ReadBody, full, read};
use crate::core::{Core, Generation};
use crate::forward::{Answer, Fields, Prepared, RequestBody, Tried, send};

/// The largest answer that is not streamed, in bytes.
const MOST: usize = 64 * 1024 * 1024;
/// The most of a provider's error that is read, in bytes.
const MOST_ERROR: usize = 256 * 1024;
const JSON: &str = "application/json";
/// RFC 9457.
const PROBLEM: &str = "application/problem+json";
const STREAM: &str = "text/event-stream, application/x-ndjson";
/// What a translation could not carry over.
pub(super) const LOST: HeaderName = HeaderName::from_static("lockgate-lost");

/// A call that policies allowed.
pub struct Asking<'a> {
    /// The core that serves it.
    pub core: &'a Arc<Core>,
    /// With what.
    pub generation: &'a Generation,
    /// The id of the request.
    pub id: &'a str,
    /// Seconds since 1970.
    pub now: u64,
    /// When it arrived.
    pub since: Instant,
    /// What its body may take.
    pub bounds: Bounds,
    /// What happens to the answer.
    pub rules: &'a AnswerRules,
    /// Whether it may be one that was kept.
    pub keeping: Option<Keeping>,
}

/// Why a target gave no answer.
pub(super) struct Failed {
    failure: Failure,
    /// Whether another target may stand in, and for what.
    how: Option<ModelFailure>,
    /// Why there was an answer that may not reach the caller.
    withheld: Option<Box<Refusal>>,
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        let how = match failure.kind {
            FailureKind::RateLimited => Some(ModelFailure::RateLimited),
            FailureKind::Authentication | FailureKind::Permission | FailureKind::Billing => {
                Some(ModelFailure::KeyRefused)
            }
            kind if kind.may_be_retried() => Some(ModelFailure::Unavailable),
            _ => None,
        };
        Self {
            failure,
            how,
            withheld: None,
        }
    }
}

impl From<Box<Refusal>> for Failed {
    fn from(refusal: Box<Refusal>) -> Self {
        Self {
            failure: Failure::new(FailureKind::Permission, refusal.detail.clone()),
            how: None,
            withheld: Some(refusal),
        }
    }
}

impl Asking<'_> {
    /// The models that a caller may ask: those of the route, and of them those that a policy left.
    pub fn list(&self, prompt: &Prompt, names: &[Arc<str>], left: Option<&[String]>) -> Answer {
        let may =
            |name: &&Arc<str>| left.is_none_or(|left| left.iter().any(|one| **one == ***name));
        let model = |name: &Arc<str>| lockgate_llm::Model {
            name: name.to_string(),
            owner: "lockgate".to_owned(),
            created: 0,
            created_at: "1970-01-01T00:00:00Z".to_owned(),
        };
        let models: Vec<_> = names.iter().filter(may).map(model).collect();
        Answer {
            head: head(StatusCode::OK, JSON, &Losses::default()),
            body: full(write_models(prompt.surface, &models).into()),
        }
    }

    /// Asks a model, and gives the answer in the caller's language: an error of the provider too.
    ///
    /// # Errors
    /// The refusal of a model that is not there, or of an answer that may not reach the caller.
    pub async fn ask(
        &self,
        (prompt, question): (&Prompt, Question<'_>),
        body: &Bytes,
        mut bill: Bill,
        tried: &mut Tried,
    ) -> Result<Answer, Box<Refusal>> {
        let model = prompt
            .model
            .as_ref()
            .and_then(|name| self.generation.models.get(name));
        let model = model.ok_or_else(nobody)?;
        let (mut place, mut target) = model.first(self.core.random()).ok_or_else(nobody)?;
        let mut places = SmallVec::<[usize; 4]>::new();
        loop {
            bill.ask(target.dialect.name(), &target.model, target.price.as_ref());
            let asked = Asked {
                asking: self,
                model,
                target,
                question,
                body,
            };
            match asked.answer(bill, tried).await {
                Ok(answer) => return Ok(answer),
                Err((failed, given_back)) => {
                    bill = given_back;
                    places.push(place);
                    if let Some(refusal) = failed.withheld {
                        return Err(refusal);
                    }
                    let next = failed.how.and_then(|how| model.next(how, &places));
                    let Some(next) = next else {
                        bill.failed(failed.failure.kind.code());
                        return Ok(failure_answer(prompt.surface, &failed.failure));
                    };
                    (place, target) = next;
                }
            }
        }
    }
}

fn nobody() -> Box<Refusal> {
    Box::new(Refusal::new(
        &reasons::NO_ROUTE,
        "nobody answers for this model",
    ))
}

/// A target that is asked.
pub(super) struct Asked<'a> {
    pub(super) asking: &'a Asking<'a>,
    model: &'a Model,
    pub(super) target: &'a ModelTarget,
    pub(super) question: Question<'a>,
    body: &'a Bytes,
}

impl Asked<'_> {
    async fn answer(&self, mut bill: Bill, tried: &mut Tried) -> Result<Answer, (Failed, Bill)> {
        let mut outgoing = match self.question.write(self.target, self.body) {
            Ok(How::Provider(outgoing)) => outgoing,
            Ok(How::Known((said, losses))) => {
                bill.refused();
                bill.lost(&losses);
                let head = head(StatusCode::OK, JSON, &losses);
                let body = full(said.into());
                return Ok(Answer { head, body });
            }
            Err(failure) => {
                bill.refused();
                return Err((failure.into(), bill));
            }
        };
        bill.lost(&outgoing.losses);
        let body = outgoing.body.take();
        let body = body.map_or_else(|| self.body.clone(), Bytes::from);
        let kept = self.kept(&body);
        if let Some(kept) = &kept
            && let Some(again) = kept.find().await
            && let Some(answered) = self.said_again(&again, &outgoing, &mut bill)
        {
            return match self.told(answered, &outgoing, &mut bill) {
                Ok(answer) => Ok(again.marked(answer)),
                Err(failed) => Err((*failed, bill)),
            };
        }
        let answer = match self.send(&outgoing, &body, &mut bill, tried).await {
            Ok(answer) => answer,
            Err(failed) => {
                bill.refused();
                return Err((failed, bill));
            }
        };
        match self.question.streamed() {
            Some(chat) => {
                let listening = kept.as_ref().map(KeptCall::listen);
                let answer = self
                    .stream(answer, chat, &outgoing, (bill, listening))
                    .await?;
                Ok(kept.iter().fold(answer, |answer, kept| kept.missed(answer)))
            }
            None => self.whole(answer, &outgoing, kept, bill).await,
        }
    }

    /// Sends the request, with another key when one is refused or has used up its limit.
    async fn send(
        &self,
        outgoing: &Outgoing,
        body: &Bytes,
        bill: &mut Bill,
        tried: &mut Tried,
    ) -> Result<Answer, Failed> {
        let keys = &self.target.keys;
        let mut left = keys.len();
        loop {
            let key = keys.next();
            let request = self.request(outgoing, key.map(|(_, key)| key))?;
            let body = RequestBody::Read(body.clone());
            let sent = send(self.asking.core, request, body, &self.target.service, tried).await;
            let answer = sent.map_err(|refusal| Failed {
                failure: of_refusal(&refusal),
                how: Some(ModelFailure::Unavailable),
                withheld: None,
            })?;
            let status = answer.head.status;
            if status.is_success() {
                return Ok(answer);
            }
            let failure = self.failure(answer).await;
            let wait = failure.retry_after.as_deref().and_then(seconds);
            left = left.saturating_sub(1);
            let another = key.is_some_and(|(place, _)| keys.rest(place, status.as_u16(), wait));
            if !another || left == 0 {
                return Err(failure.into());
            }
            bill.failed(failure.kind.code());
        }
    }

    async fn failure(&self, answer: Answer) -> Failure {
        let Answer { head, body } = answer;
        let after = head.headers.get(RETRY_AFTER);
        let after = after
            .and_then(|after| after.to_str().ok())
            .map(str::to_owned);
        let text = match read(body, MOST_ERROR).await {
            Ok(ReadBody::Whole(bytes)) => bytes,
            Ok(ReadBody::TooLarge) | Err(_) => Bytes::new(),
        };
        read_error(
            self.target.dialect,
            head.status.as_u16(),
            after.as_deref(),
            &text,
        )
    }

    /// A provider gets what its API needs, and nothing of what the caller sent to the gateway alone.
    fn request(
        &self,
        outgoing: &Outgoing,
        key: Option<&HeaderValue>,
    ) -> Result<Prepared<'static>, Failure> {
        let path = outgoing.path.parse().map_err(|_| {
            Failure::new(
                FailureKind::Server,
                "the model's name makes no path at its provider",
            )
        })?;
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        headers.insert(USER_AGENT, HeaderValue::from_static("lockgate"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let accept = self.question.streamed().map_or(JSON, |_| STREAM);
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        let authentication = self.target.dialect.authentication();
        if let Some(key) = key {
            let prefix = authentication.prefix.as_bytes();
            let value = HeaderValue::from_bytes(&[prefix, key.as_bytes()].concat());
            if let Ok(mut value) = value {
                value.set_sensitive(true);
                headers.insert(HeaderName::from_static(authentication.field), value);
            }
        }
        for (name, value) in authentication.also {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        Ok(Prepared {
            method: Method::POST,
            fields: Fields::Made(headers),
            path,
            key: None,
            authority: None,
            bounds: self.asking.bounds,
            permits: Vec::new(),
            since: self.asking.since,
            cache: None,
        })
    }

    async fn whole(
        &self,
        answer: Answer,
        outgoing: &Outgoing,
        kept: Option<KeptCall<'_>>,
        mut bill: Bill,
    ) -> Result<Answer, (Failed, Bill)> {
        let text = match read(answer.body, MOST).await {
            Ok(ReadBody::Whole(text)) => text,
            Ok(ReadBody::TooLarge) => {
                let why = format!("the provider's answer has more than {MOST} bytes");
                return Err((Failure::bad_answer(why).into(), bill));
            }
            Err(_) => {
                let why = "the connection to the provider broke within the answer";
                return Err((Failure::new(FailureKind::Unavailable, why).into(), bill));
            }
        };
        let stamp = self.stamp();
        let mut guard = self.asking.rules.guard();
        let said = (text.clone(), outgoing.native);
        let answered = self.question.answer(self.target, said, &stamp, &mut guard);
        bill.found(guard.told());
        bill.said(guard.said());
        let has_ended = answered.as_ref().is_ok_and(|answered| answered.has_ended);
        let answer = match self.told(answered, outgoing, &mut bill) {
            Ok(answer) => answer,
            Err(failed) => return Err((*failed, bill)),
        };
        Ok(match kept {
            Some(kept) if has_ended => kept.keep(text, answer).await,
            Some(kept) => kept.missed(answer),
            None => answer,
        })
    }

    /// A whole answer on its way to the caller, and what it took.
    fn told(
        &self,
        answered: Result<Answered, Unanswered>,
        outgoing: &Outgoing,
        bill: &mut Bill,
    ) -> Result<Answer, Box<Failed>> {
        let Answered {
            said, took, losses, ..
        } = match answered {
            Ok(answered) => answered,
            Err(Unanswered::Failed(failure)) => return Err(Box::new(failure.into())),
            Err(Unanswered::Withheld(refusal, took)) => {
                bill.take(took.usage);
                bill.ended(took.reason);
                bill.failed(refusal.reason.code);
                bill.complete();
                return Err(Box::new(refusal.into()));
            }
        };
        bill.take(took.usage);
        bill.ended(took.reason);
        let mut all = outgoing.losses.clone();
        all.extend(&losses);
        bill.lost(&all);
        bill.complete();
        let head = match self.question.streamed() {
            Some(chat) => stream_head(chat.surface, &all),
            None => head(StatusCode::OK, JSON, &all),
        };
        Ok(Answer {
            head,
            body: full(said),
        })
    }

    async fn stream(
        &self,
        answer: Answer,
        chat: &ChatRequest,
        outgoing: &Outgoing,
        (bill, listening): (Bill, Option<Listening>),
    ) -> Result<Answer, (Failed, Bill)> {
        let (dialect, surface) = (self.target.dialect, chat.surface);
        let stamp = self.stamp();
        let guard = self.asking.rules.guard();
        // What policies change has to be said anew.
        let passed = (outgoing.native && !guard.acts())
            .then(|| PassThrough::new(surface, &stamp.id, !chat.stream_usage));
        let speech = match passed.flatten() {
            Some(passed) => {
                let looking = (guard.looks() || listening.is_some())
                    .then(|| Box::new(UpstreamStream::new(dialect, &stamp.id)));
                Speech::Passed(Box::new(passed), looking)
            }
            None => {
                let upstream = UpstreamStream::new(dialect, &stamp.id);
                let client = ClientStream::new(surface, stamp, chat.stream_usage);
                Speech::Translated(Box::new(upstream), Box::new(client))
            }
        };
        let losses = outgoing.losses.clone();
        let streaming = Streaming::new(answer.body, speech, guard, (bill, losses), listening)
            .begun()
            .await;
        let body = match streaming {
            Ok(streaming) => streaming.boxed_unsync(),
            Err((failed, bill)) => {
                let failed = match *failed {
                    Unanswered::Failed(failure) => failure.into(),
                    Unanswered::Withheld(refusal, _) => refusal.into(),
                };
                return Err((failed, bill));
            }
        };
        let mut head = stream_head(surface, &outgoing.losses);
        // RFC 9110 §6.6.2: what is lost on the way is known at the end.
        head.headers
            .insert(TRAILER, const { HeaderValue::from_static("lockgate-lost") });
        Ok(Answer { head, body })
    }

    pub(super) fn stamp(&self) -> Stamp {
        Stamp {
            id: self.asking.id.to_owned(),
            now: self.asking.now,
            model: self.model.name.to_string(),
        }
    }
}

fn head(status: StatusCode, media_type: &'static str, losses: &Losses) -> response::Parts {
    let (mut head, ()) = Response::new(()).into_parts();
    head.status = status;
    head.headers
        .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    let lost = losses.header();
    if let Some(value) = lost.and_then(|text| HeaderValue::from_str(&text).ok()) {
        head.headers.insert(LOST, value);
    }
    head
}

fn stream_head(surface: Surface, losses: &Losses) -> response::Parts {
    let mut head = head(StatusCode::OK, surface.stream_media_type(), losses);
    head.headers
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    head
}

/// A provider's failure in the caller's language, with the provider's own status and `Retry-After`.
fn failure_answer(surface: Surface, failure: &Failure) -> Answer {
    let status = StatusCode::from_u16(failure.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let media_type = match surface {
        Surface::Plain => PROBLEM,
        _ => JSON,
    };
    let mut head = head(status, media_type, &Losses::default());
    let after = failure.retry_after.as_deref();
    if let Some(value) = after.and_then(|text| HeaderValue::from_str(text).ok()) {
        head.headers.insert(RETRY_AFTER, value);
    }
    Answer {
        head,
        body: full(Bytes::from(write_error(surface, failure))),
    }
}

/// A provider that did not answer at all.
fn of_refusal(refusal: &Refusal) -> Failure {
    let kind = match refusal.reason.status {
        504 => FailureKind::Timeout,
        _ => FailureKind::Unavailable,
    };
    let mut failure = Failure::new(kind, "the provider of the model cannot be reached");
    let mut fields = refusal.headers.iter();
    let after = fields.find(|(name, _)| name == RETRY_AFTER);
    let after = after.and_then(|(_, value)| value.to_str().ok());
    failure.retry_after = after.map(str::to_owned);
    failure
}

/// `Retry-After` in seconds (RFC 9110 §10.2.3); a date is not taken for one.
fn seconds(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(Duration::from_secs)
}
