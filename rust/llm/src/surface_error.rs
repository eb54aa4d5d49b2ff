//! Failures in the callers' languages.

use serde_json::Value;

use crate::anthropic;
use crate::dialect::Surface;
use crate::failure::{Failure, FailureKind};
use crate::gemini;
use crate::json::{Object, object};
use crate::openai;
use crate::plain::problem;
use crate::sse::{to_bytes, write};

/// The body of an answer that tells a failure. Its status is `failure.status`, and `failure.retry_after` goes into `Retry-After`.
#[must_use]
pub fn write_error(surface: Surface, failure: &Failure) -> Vec<u8> {
    to_bytes(&match surface {
        Surface::OpenaiChat | Surface::OpenaiResponses => openai(failure),
        Surface::AnthropicMessages => anthropic(failure),
        Surface::Gemini => gemini(failure),
        Surface::Plain => problem(failure),
    })
}

/// The event that tells a failure within a stream of bytes that were passed on as they are.
pub(crate) fn write_event(surface: Surface, failure: &Failure, out: &mut Vec<u8>) {
    match surface {
        Surface::OpenaiChat => write(None, &openai(failure), out),
        Surface::AnthropicMessages => write(Some("error"), &anthropic(failure), out),
        Surface::Gemini => write(None, &gemini(failure), out),
        Surface::OpenaiResponses => write(Some("error"), &responses(failure, 0), out),
        Surface::Plain => write(Some("error"), &problem(failure), out),
    }
}

/// OpenAI's form.
pub(crate) fn openai(failure: &Failure) -> Object {
    let kind = match failure.kind {
        FailureKind::Authentication => "authentication_error",
        FailureKind::Permission => "permission_error",
        FailureKind::RateLimited => "rate_limit_error",
        FailureKind::Billing => "insufficient_quota",
        FailureKind::InvalidRequest
        | FailureKind::NotFound
        | FailureKind::Conflict
        | FailureKind::TooLarge => "invalid_request_error",
        FailureKind::Overloaded => "overloaded_error",
        _ => "server_error",
    };
    let mut out = object! {"error": object! {
        "message": failure.message.as_str(),
        "type": kind,
        "param": failure.param.clone().map_or(Value::Null, Value::from),
        "code": failure.code.as_deref().unwrap_or(failure.kind.code()),
    }};
    if let Some(usage) = &failure.usage {
        out.insert(
            "usage".to_owned(),
            Value::Object(openai::write_usage(usage)),
        );
    }
    out
}

/// The event `error` of Responses.
pub(crate) fn responses(failure: &Failure, sequence: u64) -> Object {
    object! {
        "type": "error",
        "code": failure.code.as_deref().unwrap_or(failure.kind.code()),
        "message": failure.message.as_str(),
        "param": failure.param.clone().map_or(Value::Null, Value::from),
        "sequence_number": sequence,
    }
}

/// Anthropic's form.
pub(crate) fn anthropic(failure: &Failure) -> Object {
    let kind = match failure.kind {
        FailureKind::InvalidRequest => "invalid_request_error",
        FailureKind::Authentication => "authentication_error",
        FailureKind::Billing => "billing_error",
        FailureKind::Permission => "permission_error",
        FailureKind::NotFound => "not_found_error",
        FailureKind::Conflict => "conflict_error",
        FailureKind::TooLarge => "request_too_large",
        FailureKind::RateLimited => "rate_limit_error",
        FailureKind::Overloaded => "overloaded_error",
        FailureKind::Timeout => "timeout_error",
        _ => "api_error",
    };
    let mut error = object! {"type": kind, "message": failure.message.as_str()};
    error.insert("code".to_owned(), Value::from(failure.kind.code()));
    let mut out = object! {"type": "error", "error": error};
    if let Some(usage) = &failure.usage {
        out.insert(
            "usage".to_owned(),
            Value::Object(anthropic::write_usage(usage)),
        );
    }
    out
}

/// Google's form. Its SDK knows an error within a stream by the first name, so `error` must be that.
pub(crate) fn gemini(failure: &Failure) -> Object {
    let status = match failure.kind {
        FailureKind::InvalidRequest | FailureKind::TooLarge => "INVALID_ARGUMENT",
        FailureKind::Authentication => "UNAUTHENTICATED",
        FailureKind::Permission | FailureKind::Billing => "PERMISSION_DENIED",
        FailureKind::NotFound => "NOT_FOUND",
        FailureKind::Conflict => "ABORTED",
        FailureKind::RateLimited => "RESOURCE_EXHAUSTED",
        FailureKind::Timeout => "DEADLINE_EXCEEDED",
        FailureKind::Overloaded | FailureKind::Unavailable => "UNAVAILABLE",
        _ => "INTERNAL",
    };
    let mut error = object! {
        "code": failure.status,
        "message": failure.message.as_str(),
        "status": status,
    };
    let reason = object! {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": failure.kind.code(),
        "domain": "lockgate",
    };
    error.insert(
        "details".to_owned(),
        Value::Array(vec![Value::Object(reason)]),
    );
    let mut out = object! {"error": error};
    if let Some(usage) = &failure.usage {
        out.insert(
            "usageMetadata".to_owned(),
            Value::Object(gemini::write_usage(usage)),
        );
    }
    out
}
