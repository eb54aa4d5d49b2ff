//! The record of one request.

use std::net::IpAddr;
use std::ops::Not;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::headers::Headers;
use crate::text::{Text, Word};
use crate::words::{Prompt, Words};

/// The version of the schema that this code writes. Since version 2 a credential's mark is a hash of its SHA-256, `facts` hold what
/// policies found out, and `has_body` says whether there was a body: what replay needs. Since version 3 `prompt` holds the figures of a
/// call to a model, and `model_call` all that its price depends on. Since version 4 `model_call` says why the answer ended, how much of
/// it was reasoning, and by which prices its cost was counted: where an older one lacks these, nothing was noted.
pub const SCHEMA_VERSION: u32 = 4;

/// One request with what the gateway decided and why: all that replay needs.
///
/// Until the writer thread has redacted it, an event holds credentials; only what the writer thread writes holds none.
/// Absent fields are not written. Readers accept events of older versions (missing fields take the values of
/// [`Event::default`]) and of newer ones (unknown fields are ignored).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Event {
    /// Schema version, [`SCHEMA_VERSION`].
    pub v: u32,
    /// When the request's head had arrived: microseconds since the Unix epoch.
    pub at: u64,
    /// The id of the request, unique per node.
    pub id: Text,
    /// The node that served it.
    pub node: Text,
    /// The revision that decided: its SHA-256 in hexadecimal.
    pub revision: Text,
    /// The listener that accepted it.
    pub listener: Text,
    /// The caller's address, as the gateway trusts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
    /// The method.
    pub method: Word,
    /// `http` or `https`.
    pub scheme: Word,
    /// The host that was asked for, with its port when it was sent.
    pub host: Text,
    /// The path in the form that was routed.
    pub path: Text,
    /// What stood after `?`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<Text>,
    /// The version of HTTP: `1.0`, `1.1` or `2`.
    pub version: Word,
    /// The header fields as they arrived.
    #[serde(skip_serializing_if = "Headers::is_empty")]
    pub headers: Headers,
    /// The API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<Text>,
    /// The version of the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<Text>,
    /// The route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<Text>,
    /// The application that called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<Text>,
    /// The subject that was identified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Text>,
    /// The claims of the token that identified it, as the policy selects them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<Arc<Value>>,
    /// The facts that policies used: answers of authorization servers, keys of issuers, and what was found out about credentials.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<Arc<Value>>,
    /// What became of the request.
    pub decision: Decision,
    /// The reason code, when it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Word>,
    /// What each policy said, in the order of the chain.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<Verdict>,
    /// The status of the answer; 0 when the caller left before there was one.
    pub status: u16,
    /// The status of gRPC, when the answer is one of it: 0 is OK.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc_status: Option<u8>,
    /// Whether the answer broke off before its end, and not because the caller left.
    #[serde(skip_serializing_if = "Not::not")]
    pub broke_off: bool,
    /// The upstream that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Text>,
    /// The member of the upstream that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Text>,
    /// How often an upstream was tried; 0 when none was.
    pub tries: u16,
    /// Bytes of the request's body.
    pub bytes_in: u64,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
    /// Microseconds from the request's head to the end of the answer.
    pub latency_us: u64,
    /// Microseconds of these spent waiting for upstreams.
    pub upstream_us: u64,
    /// The trace id of W3C Trace Context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<Text>,
    /// Whether the request had a body.
    #[serde(skip_serializing_if = "Not::not")]
    pub has_body: bool,
    /// The request's body up to the limit of its route, when the route records bodies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Text>,
    /// Whether there was more body than is kept here. With no `body` at all: there was one, and it was not kept.
    #[serde(skip_serializing_if = "Not::not")]
    pub body_truncated: bool,
    /// What it asked of a model, and what that took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_call: Option<Box<ModelCall>>,
    /// What it asked of a model, whether or not that was allowed: figures, and words where the document says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Box<Prompt>>,
    /// What the model answered, where the document says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Box<Words>>,
}

/// A call to a model. Neither what was asked nor what was answered is in it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelCall {
    /// The model, as the gateway names it.
    pub model: Text,
    /// Who answered, such as `anthropic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<Word>,
    /// The model that answered, as its provider names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_model: Option<Text>,
    /// Whether a stream was asked for.
    #[serde(skip_serializing_if = "Not::not")]
    pub stream: bool,
    /// Whether the gateway gave an answer again that it had kept: nobody was asked, and nothing was taken.
    #[serde(skip_serializing_if = "Not::not")]
    pub from_cache: bool,
    /// Tokens of the question, those from a cache included; absent when the provider did not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Those of `input_tokens` that the provider had in its cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u64>,
    /// Those of `input_tokens` that were written into the provider's cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_tokens: Option<u64>,
    /// Those of `cache_write_tokens` that are kept for an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_hour_tokens: Option<u64>,
    /// Tokens of the answer, those of reasoning included; absent when the provider did not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// Those of `output_tokens` that were reasoning; absent when the provider did not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
    /// Why the answer ended, as far as the provider said: `stop`, `stop_sequence`, `tool_calls`, `pause`, `other` for a word that is
    /// not known here, `length`, `refusal`, `content_filter` or `error`. Of several answers, the one whose word stands last here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish: Option<Word>,
    /// What it cost, in millionths of a US dollar; absent when tokens or price are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<u64>,
    /// By which prices `cost` was counted: `document`, or the day of the gateway's list, such as `2026-11-26`. Absent where no price
    /// was needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priced_by: Option<Text>,
    /// Whether the answer broke off: tokens are those that were known until then.
    #[serde(skip_serializing_if = "Not::not")]
    pub partial: bool,
    /// Whether no provider took it, so that all that was held for it was given back.
    #[serde(skip_serializing_if = "Not::not")]
    pub given_back: bool,
    /// Why it failed, such as `upstream_stream_truncated`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Word>,
    /// What a translation could not carry over, as the answer's field says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<Text>,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// It went to the upstream.
    #[default]
    Forward,
    /// The gateway refused it.
    Refuse,
    /// The gateway answered it itself.
    Respond,
}

/// What one policy said of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The policy.
    pub id: Text,
    /// Its kind.
    pub kind: Word,
    /// The scope that declares it.
    pub scope: Text,
    /// What it said: `allow`, `deny` and so on.
    pub word: Word,
    /// The reason code, when it refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Word>,
    /// Whether it is in shadow: counted, but not acted on.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub shadow: bool,
    /// What tells its rule apart, when its word depends on that and on the words of a call to a model alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Text>,
    /// The rule of the policy's settings that found something. Of one that is only tried out, `shadow` is set whatever the policy's
    /// own mode, and the word of the policy itself follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found_by: Option<Text>,
}

/// The word of a [`Verdict`] that refuses.
pub(crate) const DENY: &str = "deny";

impl Default for Event {
    fn default() -> Self {
        Self::of(Texts::default())
    }
}

/// The texts that every event has, as [`Event`] describes them.
#[expect(missing_docs, reason = "the event has them under the same names")]
#[derive(Debug, Default)]
pub struct Texts {
    pub id: Text,
    pub node: Text,
    pub revision: Text,
    pub listener: Text,
    pub host: Text,
    pub path: Text,
}

impl Event {
    /// An event with these texts, of which nothing else is known. All empty texts of a process are one, whose count all cores write:
    /// an event takes no empty text that another will replace.
    #[must_use]
    pub fn of(texts: Texts) -> Self {
        let Texts {
            id,
            node,
            revision,
            listener,
            host,
            path,
        } = texts;
        Self {
            v: SCHEMA_VERSION,
            at: 0,
            id,
            node,
            revision,
            listener,
            client: None,
            method: Word::Borrowed("GET"),
            scheme: Word::Borrowed("http"),
            host,
            path,
            query: None,
            version: Word::Borrowed("1.1"),
            headers: Headers::default(),
            api: None,
            api_version: None,
            route: None,
            application: None,
            subject: None,
            claims: None,
            facts: Vec::new(),
            decision: Decision::default(),
            code: None,
            verdicts: Vec::new(),
            status: 0,
            grpc_status: None,
            broke_off: false,
            upstream: None,
            target: None,
            tries: 0,
            bytes_in: 0,
            bytes_out: 0,
            latency_us: 0,
            upstream_us: 0,
            trace_id: None,
            has_body: false,
            body: None,
            body_truncated: false,
            model_call: None,
            prompt: None,
            answer: None,
        }
    }
}

impl Event {
    /// Keeps the first `limit` bytes of a body, cut at a character. A body that is not UTF-8 is not kept; then
    /// `body_truncated` alone says that there was one.
    pub fn keep_body(&mut self, body: &[u8], limit: usize) {
        let head = body.get(..limit).unwrap_or(body);
        let kept = match str::from_utf8(head) {
            Ok(text) => Some(text),
            // A cut in the middle of a character is the limit's doing; anything else is not text.
            Err(error) if error.error_len().is_none() && head.len() < body.len() => head
                .get(..error.valid_up_to())
                .and_then(|valid| str::from_utf8(valid).ok()),
            Err(_) => None,
        };
        self.body_truncated = kept.is_none_or(|text| text.len() < body.len());
        self.body = kept.map(Text::from);
    }
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
