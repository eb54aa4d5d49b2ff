//! # What it does
//! Bounds requests before anything of them is kept: the length of the path with its query, the head, the number of fields, the
//! body, and the time the body may take to arrive.
//!
//! # When to use
//! Everywhere, with values near what the API's callers send. A listener bounds heads for the whole gateway; this bounds them, and
//! bodies, for an API or a route.
//!
//! # Example
//! ```yaml
//! - { id: small, kind: size, uri: 2KiB, head: 16KiB, fields: 60, body: 256KiB, receive_within: 30s }
//! ```
//!
//! # On failure
//! 414 for the path and query (RFC 9110 §15.5.15), 431 for the head (RFC 6585 §5), 413 for the body, 408 for the time. A
//! `Content-Length` over the limit is refused at once; a body without one is cut off at the limit while it streams. What is not
//! written is not bounded. In `shadow` a body is judged by its `Content-Length` alone.

use std::num::NonZeroUsize;
use std::time::Duration;

use lockgate_config::{ByteSize, OnError, PolicyEntry, Problem, decode};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::env::Env;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::{BODY_TIMEOUT, BODY_TOO_LARGE, Reason};
use crate::request::{Body, RequestView};
use crate::verdict::{Effect, Effects, Verdict};

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "size",
    phase: Phase::Limit,
    about: "Bounds the path, the head, the body and the time to receive it.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: false,
    reasons: &[
        &URI_TOO_LONG,
        &HEAD_TOO_LARGE,
        &TOO_MANY_FIELDS,
        &BODY_TOO_LARGE,
        &BODY_TIMEOUT,
    ],
    schema: Settings::json_schema,
    compile,
};

static URI_TOO_LONG: Reason = Reason::new(
    "size.uri_too_long",
    414,
    "Path and query too long",
    "send a shorter path and query; ask for less at a time, or send long values in the body",
);
static HEAD_TOO_LARGE: Reason = Reason::new(
    "size.head_too_large",
    431,
    "Head too large",
    "send smaller fields; cookies that are no longer needed are the usual cause",
);
static TOO_MANY_FIELDS: Reason = Reason::new(
    "size.too_many_fields",
    431,
    "Too many fields",
    "send fewer fields; the usual cause is a client or proxy that adds the same field again and again",
);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Path and query together, with the `?` between them.
    uri: Option<ByteSize>,
    /// The request line and all fields, as HTTP/1.1 writes them; an HTTP/2 head is measured in the same form.
    head: Option<ByteSize>,
    /// The number of fields; a repeated field counts each time.
    fields: Option<NonZeroUsize>,
    /// The body, as it is sent: a compressed body counts compressed.
    body: Option<ByteSize>,
    /// How long the body may take, from the end of the head to the end of the body.
    receive_within: Option<lockgate_config::Duration>,
}

#[derive(Debug)]
struct Size {
    uri: Option<usize>,
    head: Option<usize>,
    fields: Option<usize>,
    body: Option<u64>,
    within: Option<Duration>,
}

fn compile(entry: &PolicyEntry, _: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let size = Size {
        uri: settings.uri.map(ByteSize::as_usize),
        head: settings.head.map(ByteSize::as_usize),
        fields: settings.fields.map(NonZeroUsize::get),
        body: settings.body.map(ByteSize::bytes),
        within: settings.receive_within.map(lockgate_config::Duration::get),
    };
    if matches!(
        size,
        Size {
            uri: None,
            head: None,
            fields: None,
            body: None,
            within: None
        }
    ) {
        return Err(vec![
            Problem::new(&entry.span, "the policy bounds nothing").help(
                "write at least one of `uri: 8KiB`, `head: 32KiB`, `fields: 100`, `body: 1MiB` and `receive_within: 30s`",
            ),
        ]);
    }
    Ok(Box::new(size))
}

fn uri_bytes(request: &RequestView<'_>) -> usize {
    request.path.len() + request.query.map_or(0, |query| query.len() + 1)
}

/// The bytes of the head in the form of HTTP/1.1 (RFC 9112 §2.1): `GET /path HTTP/1.1`, and `name: value` for each field, each line
/// with its end, and the empty line.
fn head_bytes(request: &RequestView<'_>) -> usize {
    const REQUEST_LINE: usize = "  HTTP/1.1\r\n".len();
    const FIELD_LINE: usize = ": \r\n".len();
    let fields: usize = request
        .headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + FIELD_LINE)
        .sum();
    request.method.as_str().len() + uri_bytes(request) + REQUEST_LINE + fields + 2
}

impl Size {
    fn judge_head(&self, request: &RequestView<'_>) -> Option<Verdict> {
        let over = |limit: Option<usize>, seen: usize| limit.filter(|limit| seen > *limit);
        if let Some(limit) = over(self.uri, uri_bytes(request)) {
            let detail = format!("path and query have more than {limit} bytes");
            return Some(Verdict::deny(&URI_TOO_LONG, detail));
        }
        if let Some(limit) = over(self.fields, request.headers.len()) {
            let detail = format!("the request has more than {limit} fields");
            return Some(Verdict::deny(&TOO_MANY_FIELDS, detail));
        }
        let limit = self.head.filter(|limit| head_bytes(request) > *limit)?;
        let detail = format!("the head has more than {limit} bytes");
        Some(Verdict::deny(&HEAD_TOO_LARGE, detail))
    }

    /// What is known of the body's length: at least so many bytes.
    fn announced(request: &RequestView<'_>) -> u64 {
        match request.body {
            Body::Absent | Body::Unread(None) => 0,
            Body::Unread(Some(length)) => length,
            Body::Read(bytes) => bytes.len() as u64,
            Body::TooLarge(known) => (known as u64).saturating_add(1),
        }
    }
}

impl Policy for Size {
    fn evaluate(&self, request: &RequestView<'_>, _: &mut Env<'_>) -> Verdict {
        if let Some(refused) = self.judge_head(request) {
            return refused;
        }
        if let Some(limit) = self.body.filter(|limit| Self::announced(request) > *limit) {
            let detail = format!("the body has more than {limit} bytes");
            return Verdict::deny(&BODY_TOO_LARGE, detail);
        }
        if matches!(request.body, Body::Absent | Body::Read(_)) {
            return Verdict::allow();
        }
        let mut effects = Effects::new();
        effects.extend(self.body.map(Effect::LimitBody));
        effects.extend(self.within.map(Effect::ReceiveWithin));
        Verdict::Allow(effects)
    }
}
