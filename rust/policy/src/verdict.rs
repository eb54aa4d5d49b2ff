//! What policies say of requests and of answers, and what follows from it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use lockgate_llm::guard::Banned;
use smallvec::SmallVec;

use crate::answer_keeping::Keeping;
use crate::cache_rule::CacheRule;
use crate::counters::Permit;
use crate::held::Held;
use crate::identity::Identity;
use crate::need::Need;
use crate::prompt::Rewritten;
use crate::reason::Reason;

/// What a policy says about a request.
#[derive(Debug)]
pub enum Verdict {
    /// It has nothing to say: it does not concern this request.
    Pass,
    /// The request may go on, with these effects.
    Allow(Effects),
    /// Someone was identified.
    Identified(Box<Identity>, Effects),
    /// Its credential is not in the request. Another `identify` policy may find its own; when none does, this is the refusal.
    NoCredential(Box<Refusal>),
    /// The request is refused.
    Deny(Box<Refusal>),
    /// The gateway answers itself: a redirect, a preflight, a fixed answer.
    Respond(Box<Reply>),
    /// It needs something before it can say anything; it is asked again once that is known.
    Need(Need),
    /// It cannot decide; `on_error` does. The text is for operators.
    Undecided(Cow<'static, str>),
}

impl Verdict {
    /// The request may go on unchanged.
    pub fn allow() -> Self {
        Self::Allow(Effects::new())
    }

    /// Refuses for a reason, with a detail for the caller.
    pub fn deny(reason: &'static Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Deny(Box::new(Refusal::new(reason, detail)))
    }
}

/// What happens to a request or its answer because a policy allowed it.
#[derive(Debug)]
pub enum Effect {
    /// Sets a field of the forwarded request, replacing all its values.
    SetRequestHeader(HeaderName, HeaderValue),
    /// Adds a field to the forwarded request.
    AddRequestHeader(HeaderName, HeaderValue),
    /// Removes a field from the forwarded request.
    RemoveRequestHeader(HeaderName),
    /// Removes a parameter from the forwarded query.
    RemoveQueryParameter(Arc<str>),
    /// Adds a parameter, unescaped, to the forwarded query.
    AddQueryParameter(Arc<str>, String),
    /// Removes a cookie from the forwarded request.
    RemoveCookie(Arc<str>),
    /// Forwards to this canonical path in place of the request's; the query is not part of it.
    SetPath(String),
    /// Changes the answer.
    Response(ResponseEdit),
    /// Bounds the body while it streams, in bytes.
    LimitBody(u64),
    /// Bounds the time from the end of the head to the end of the body.
    ReceiveWithin(Duration),
    /// Held until the answer has ended.
    Hold(Permit),
    /// The answer may come from, or go to, the cache.
    Cache(Arc<CacheRule>),
    /// The answer of a model may be one that was kept, or may be kept.
    KeepAnswer(Keeping),
    /// An amount that is held until it is known what the call to a model took.
    Reserve(Held),
    /// The list of models holds these alone.
    ListModels(Box<[String]>),
    /// A model is asked this in place of what the caller asked.
    Ask(Box<Rewritten>),
    /// The answer of a model is watched for these.
    WatchAnswer(Arc<Banned>),
    /// A rule of the policy, which is only tried out, would have refused the request for this reason. It is the place of the rule
    /// in [`Policy::own_rules`](crate::policy::Policy::own_rules).
    Tried(&'static Reason, u16),
}

/// A change of an answer's fields or body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseEdit {
    /// Sets a field, replacing all its values.
    Set(HeaderName, HeaderValue),
    /// Adds a field.
    Add(HeaderName, HeaderValue),
    /// Sets a field unless the service did.
    Default(HeaderName, HeaderValue),
    /// Removes a field.
    Remove(HeaderName),
    /// Replaces the body.
    Body(Bytes),
}

impl ResponseEdit {
    /// Changes the fields of an answer; a body is replaced by whoever has it.
    pub fn apply(self, headers: &mut HeaderMap) {
        match self {
            Self::Set(name, value) => drop(headers.insert(name, value)),
            Self::Add(name, value) => drop(headers.append(name, value)),
            Self::Default(name, value) => drop(headers.entry(name).or_insert(value)),
            Self::Remove(name) => drop(headers.remove(name)),
            Self::Body(_) => {}
        }
    }
}

/// Effects in their order; most policies have none or one.
pub type Effects = SmallVec<[Effect; 1]>;

/// A refusal: the reason from the catalogue and what is particular to this request.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The catalogue entry.
    pub reason: &'static Reason,
    /// The rule of the policy that found it, by its place in [`Policy::own_rules`](crate::policy::Policy::own_rules).
    pub found_by: Option<u16>,
    /// What was wrong with this request; never a secret, an internal name, or which half of a credential was wrong.
    pub detail: Cow<'static, str>,
    /// What this caller can do about it, when that says more than the catalogue can.
    pub particular_remedy: Option<String>,
    /// Fields of the answer, such as `WWW-Authenticate` or `Retry-After`.
    pub headers: SmallVec<[(HeaderName, HeaderValue); 2]>,
    /// Further members of the problem (RFC 9457 §3.2), such as `violated-policies`.
    pub members: Vec<(&'static str, serde_json::Value)>,
}

impl Refusal {
    /// A refusal without further fields.
    pub fn new(reason: &'static Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            reason,
            found_by: None,
            detail: detail.into(),
            particular_remedy: None,
            headers: SmallVec::new(),
            members: Vec::new(),
        }
    }

    /// Says which rule of the policy found it.
    #[must_use]
    pub const fn found_by(mut self, rule: u16) -> Self {
        self.found_by = Some(rule);
        self
    }

    /// Says what this caller can do, in place of the catalogue's remedy.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.particular_remedy = Some(remedy.into());
        self
    }

    /// What the caller can do about it.
    pub fn remedy(&self) -> &str {
        self.particular_remedy
            .as_deref()
            .unwrap_or(self.reason.remedy)
    }

    /// Adds a field to the answer; values that are no field value are left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// Adds a member to the problem.
    #[must_use]
    pub fn member(mut self, name: &'static str, value: impl Into<serde_json::Value>) -> Self {
        self.members.push((name, value.into()));
        self
    }
}

/// An answer of the gateway itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// Its fields.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Its body.
    pub body: Bytes,
    /// A short code for counters and recordings, such as `redirect.moved`.
    pub code: &'static str,
}

/// What a `response` policy says about an answer.
#[derive(Debug)]
pub enum ResponseVerdict {
    /// Nothing.
    Pass,
    /// Change it.
    Edit(Vec<ResponseEdit>),
    /// The whole body is needed, when it has at most so many bytes.
    NeedBody(usize),
    /// Send this refusal in place of the answer.
    Deny(Box<Refusal>),
    /// It cannot decide; `on_error` does.
    Undecided(Cow<'static, str>),
}
