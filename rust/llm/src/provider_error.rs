//! Errors of providers.

use serde_json::Value;

use crate::dialect::Dialect;
use crate::failure::{Failure, FailureKind};
use crate::json::{Object, count, text};

/// Reads the body of an answer whose status says an error. `retry_after` is the value of that field, when there is one.
#[must_use]
pub fn read_error(
    dialect: Dialect,
    status: u16,
    retry_after: Option<&str>,
    body: &[u8],
) -> Failure {
    let parsed = match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Some(object),
        // Gemini answers a call for a stream with a list of one.
        Ok(Value::Array(list)) => list.into_iter().next().and_then(|first| match first {
            Value::Object(object) => Some(object),
            _ => None,
        }),
        _ => None,
    };
    let mut failure = match parsed {
        Some(object) => read_object(dialect, Some(status), &object),
        None => {
            let text = String::from_utf8_lossy(body);
            let text = text.trim();
            // A page of a proxy tells a caller nothing.
            let message = if text.is_empty() || text.starts_with('<') {
                format!("the provider answered {status}")
            } else {
                text.to_owned()
            };
            Failure::new(FailureKind::of_status(status), message).with_status(status)
        }
    };
    if let Some(after) = retry_after.filter(|after| after.len() <= 64) {
        failure.retry_after = Some(after.to_owned());
    }
    failure
}

/// Reads an error object, of an answer with a status or out of a stream without one.
pub(crate) fn read_object(dialect: Dialect, status: Option<u16>, body: &Object) -> Failure {
    let inner = match body.get("error") {
        Some(Value::Object(inner)) => inner,
        _ => body,
    };
    let word = ["type", "status", "code"]
        .into_iter()
        .find_map(|name| text(inner, name));
    let said = inner
        .get("code")
        .and_then(count)
        .and_then(|code| u16::try_from(code).ok())
        .filter(|code| (400..=599).contains(code));
    let kind = word.and_then(kind_of_word);
    let status = status.or(said);
    let kind = match (kind, status) {
        // The word is finer than the status, unless the two are of different families.
        (Some(kind), Some(status)) if kind.status() / 100 == status / 100 => kind,
        (_, Some(status)) => FailureKind::of_status(status),
        (Some(kind), None) => kind,
        (None, None) => FailureKind::Server,
    };
    let message = text(inner, "message")
        .or_else(|| text(body, "error"))
        .or_else(|| text(body, "message"))
        .map(str::to_owned)
        .or_else(|| detail(body.get("detail").or_else(|| inner.get("message"))?))
        .unwrap_or_else(|| format!("{} gave no reason", dialect.name()));
    let mut failure = Failure::new(kind, message).with_status(status.unwrap_or(kind.status()));
    failure.code = match inner.get("code") {
        Some(Value::String(code)) => Some(code.clone()),
        _ => text(inner, "type")
            .or_else(|| text(inner, "status"))
            .map(str::to_owned),
    };
    failure.param = text(inner, "param").map(str::to_owned);
    failure.retry_after = retry_delay(inner);
    failure
}

/// Mistral's list of what was wrong (422).
fn detail(detail: &Value) -> Option<String> {
    match detail {
        Value::String(text) => Some(text.clone()),
        Value::Object(object) => detail_list(object.get("detail")?),
        list => detail_list(list),
    }
}

fn detail_list(list: &Value) -> Option<String> {
    let lines: Vec<String> = list
        .as_array()?
        .iter()
        .take(10)
        .filter_map(|item| {
            let message = item.get("msg")?.as_str()?;
            let place: Vec<String> = item
                .get("loc")
                .and_then(Value::as_array)
                .map(|loc| {
                    loc.iter()
                        .map(|step| step.to_string().replace('"', ""))
                        .collect()
                })
                .unwrap_or_default();
            Some(format!("{}: {message}", place.join(".")))
        })
        .collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}

/// The kind that a provider's word means: types of OpenAI, Anthropic and Moonshot, states of Google.
fn kind_of_word(word: &str) -> Option<FailureKind> {
    Some(match word {
        "invalid_request_error"
        | "INVALID_ARGUMENT"
        | "FAILED_PRECONDITION"
        | "OUT_OF_RANGE"
        | "content_filter"
        | "invalid_request_invalid_args" => FailureKind::InvalidRequest,
        "authentication_error"
        | "UNAUTHENTICATED"
        | "invalid_api_key"
        | "invalid_authentication_error"
        | "incorrect_api_key_error" => FailureKind::Authentication,
        "billing_error" => FailureKind::Billing,
        "permission_error" | "PERMISSION_DENIED" | "permission_denied_error" => {
            FailureKind::Permission
        }
        "not_found_error" | "NOT_FOUND" | "resource_not_found_error" | "model_not_found" => {
            FailureKind::NotFound
        }
        "conflict_error" | "ABORTED" | "ALREADY_EXISTS" => FailureKind::Conflict,
        "request_too_large" => FailureKind::TooLarge,
        "rate_limit_error"
        | "rate_limit_exceeded"
        | "RESOURCE_EXHAUSTED"
        | "insufficient_quota"
        | "rate_limit_reached_error"
        | "exceeded_current_quota_error"
        | "tokens"
        | "requests" => FailureKind::RateLimited,
        "overloaded_error" | "engine_overloaded_error" => FailureKind::Overloaded,
        "timeout_error" | "DEADLINE_EXCEEDED" => FailureKind::Timeout,
        "UNAVAILABLE" | "service_unavailable_error" => FailureKind::Unavailable,
        "api_error" | "server_error" | "INTERNAL" | "UNKNOWN" | "internal_server_error" => {
            FailureKind::Server
        }
        _ => return None,
    })
}

/// Google says when to come back in a detail: `"retryDelay": "34.07s"`. Whole seconds, rounded up, as the field wants (RFC 9110 §10.2.3).
fn retry_delay(error: &Object) -> Option<String> {
    let delay = error
        .get("details")?
        .as_array()?
        .iter()
        .take(20)
        .find_map(|detail| detail.get("retryDelay")?.as_str())?;
    let seconds: f64 = delay.strip_suffix('s')?.parse().ok()?;
    (0.0..=86_400.0)
        .contains(&seconds)
        .then(|| format!("{}", seconds.ceil() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_every_provider_are_read() {
        let cases: [(Dialect, u16, &str, FailureKind, &str); 8] = [
            (
                Dialect::Openai,
                429,
                r#"{"error":{"message":"slow down","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#,
                FailureKind::RateLimited,
                "slow down",
            ),
            (
                Dialect::Anthropic,
                529,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
                FailureKind::Overloaded,
                "Overloaded",
            ),
            (
                Dialect::Gemini,
                400,
                r#"[{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}]"#,
                FailureKind::InvalidRequest,
                "bad",
            ),
            (
                Dialect::Mistral,
                422,
                r#"{"detail":[{"type":"extra_forbidden","loc":["body","foo"],"msg":"Extra inputs are not permitted"}]}"#,
                FailureKind::InvalidRequest,
                "body.foo: Extra inputs are not permitted",
            ),
            (
                Dialect::Mistral,
                400,
                r#"{"object":"error","message":"Invalid model","type":"invalid_model","param":null,"code":"1500"}"#,
                FailureKind::InvalidRequest,
                "Invalid model",
            ),
            (
                Dialect::Ollama,
                404,
                r#"{"error":"model \"x\" not found"}"#,
                FailureKind::NotFound,
                "model \"x\" not found",
            ),
            (
                Dialect::Moonshot,
                401,
                r#"{"error":{"message":"Invalid Authentication","type":"invalid_authentication_error"}}"#,
                FailureKind::Authentication,
                "Invalid Authentication",
            ),
            (
                Dialect::Openai,
                502,
                "<html>Bad Gateway</html>",
                FailureKind::Server,
                "the provider answered 502",
            ),
        ];
        for (dialect, status, body, kind, message) in cases {
            let failure = read_error(dialect, status, Some("7"), body.as_bytes());
            assert_eq!((failure.kind, failure.status), (kind, status), "{body}");
            assert_eq!(failure.message, message);
            assert_eq!(failure.retry_after.as_deref(), Some("7"));
        }
    }

    #[test]
    fn googles_delay_is_kept() {
        let body = br#"{"error":{"code":429,"message":"q","status":"RESOURCE_EXHAUSTED","details":[{"@type":"x"},{"retryDelay":"34.07s"}]}}"#;
        let failure = read_error(Dialect::Gemini, 429, None, body);
        assert_eq!(failure.retry_after.as_deref(), Some("35"));
    }

    #[test]
    fn a_status_that_disagrees_with_the_word_is_believed() {
        let body = br#"{"error":{"type":"invalid_request_error","message":"x"}}"#;
        assert_eq!(
            read_error(Dialect::Openai, 503, None, body).kind,
            FailureKind::Unavailable
        );
    }
}
