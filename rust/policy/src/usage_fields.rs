//! How limits are told to callers: the `RateLimit` fields (draft-ietf-httpapi-ratelimit-headers-11), the older `X-RateLimit-*`
//! triple, and the refusal with 429.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use lockgate_config::{Problem, Spanned};
use smallvec::SmallVec;

use crate::reason::Reason;
use crate::verdict::{Effect, Effects, Refusal, ResponseEdit};

/// Microseconds in a second.
pub const SECOND: u64 = 1_000_000;

const POLICY_FIELD: HeaderName = HeaderName::from_static("ratelimit-policy");
const USAGE_FIELD: HeaderName = HeaderName::from_static("ratelimit");
const LEGACY_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const LEGACY_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const LEGACY_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// One window as a caller sees it.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// Its name.
    pub name: &'a str,
    /// The most calls.
    pub limit: u64,
    /// Calls left.
    pub remaining: u64,
    /// Seconds until there are more.
    pub reset_seconds: u64,
}

/// An item of `RateLimit-Policy`; the length of the window in microseconds.
pub fn policy_item(name: &str, limit: u64, length: u64) -> String {
    format!("\"{name}\";q={limit};w={}", length.div_ceil(SECOND))
}

/// An item of `RateLimit`. It is written for each call that a limit lets pass, so without the machinery of `format!`.
fn usage_item(name: &str, remaining: u64, reset_seconds: u64) -> Option<HeaderValue> {
    let mut digits = itoa::Buffer::new();
    let mut item = Vec::with_capacity(name.len() + 48);
    item.push(b'"');
    item.extend_from_slice(name.as_bytes());
    item.extend_from_slice(b"\";r=");
    item.extend_from_slice(digits.format(remaining).as_bytes());
    item.extend_from_slice(b";t=");
    item.extend_from_slice(digits.format(reset_seconds).as_bytes());
    HeaderValue::from_maybe_shared(Bytes::from(item)).ok()
}

/// The fields of an answer.
pub fn fields(
    policy: Option<HeaderValue>,
    shown: Shown<'_>,
    legacy: bool,
) -> impl Iterator<Item = (HeaderName, HeaderValue)> + use<> {
    let mut fields = SmallVec::<[_; 2]>::new();
    write(policy, shown, legacy, |name, value| {
        fields.push((name, value))
    });
    fields.into_iter()
}

/// The same for a call that a limit lets pass: one field after the other goes where it is to be, as edits of the answer.
pub fn edits(policy: Option<HeaderValue>, shown: Shown<'_>, legacy: bool) -> Effects {
    let mut edits = Effects::new();
    write(policy, shown, legacy, |name, value| {
        edits.push(Effect::Response(ResponseEdit::Add(name, value)));
    });
    edits
}

fn write(
    policy: Option<HeaderValue>,
    shown: Shown<'_>,
    legacy: bool,
    mut field: impl FnMut(HeaderName, HeaderValue),
) {
    let Shown {
        name,
        limit,
        remaining,
        reset_seconds,
    } = shown;
    if let Some(policy) = policy {
        field(POLICY_FIELD, policy);
    }
    if let Some(usage) = usage_item(name, remaining, reset_seconds) {
        field(USAGE_FIELD, usage);
    }
    if legacy {
        field(LEGACY_LIMIT, HeaderValue::from(limit));
        field(LEGACY_REMAINING, HeaderValue::from(remaining));
        field(LEGACY_RESET, HeaderValue::from(reset_seconds));
    }
}

/// A limit of 0 refuses every call, so that it must be said twice: nobody does it by an empty cell or a lost digit.
pub fn check_closed<'a>(
    limits: impl IntoIterator<Item = &'a Spanned<u64>>,
    deny_all: Option<&Spanned<bool>>,
) -> Option<Problem> {
    let zero = limits.into_iter().find(|limit| limit.value == 0);
    match (zero, deny_all.filter(|deny_all| deny_all.value)) {
        (Some(zero), None) => Some(
            Problem::new(&zero.span, "a limit of 0 refuses every call")
                .help("write `deny_all: true` beside it if that is meant, else a limit above 0"),
        ),
        (None, Some(deny_all)) => Some(
            Problem::new(
                &deny_all.span,
                "`deny_all` stands beside limits that let calls pass",
            )
            .help("write `limit: 0` beside it, or take `deny_all` out"),
        ),
        _ => None,
    }
}

/// The refusal of a call past the limits called `names`; another can succeed after `wait_seconds`.
pub fn exceeded(
    reason: &'static Reason,
    what: &str,
    names: Vec<String>,
    wait_seconds: u64,
    fields: impl Iterator<Item = (HeaderName, HeaderValue)>,
) -> Box<Refusal> {
    let mut refusal = Refusal::new(
        reason,
        format!("the {what} `{}` is used up", names.join("`, `")),
    )
    .member("violated-policies", names)
    .header(header::RETRY_AFTER, &wait_seconds.to_string());
    refusal.headers.extend(fields);
    Box::new(refusal)
}
