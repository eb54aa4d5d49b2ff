//! Refusals as answers: RFC 9457, and the forms for browsers and gRPC.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use lockgate_llm::{Failure, FailureKind, Surface, write_error};
use serde_json::{Map, json};

use crate::verdict::Refusal;

/// The form in which a caller wants errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `application/problem+json`.
    Json,
    /// A page.
    Html,
    /// gRPC trailers-only (gRPC over HTTP/2, "Responses").
    Grpc,
    /// An error as the API of a provider of models has it.
    Model(Surface),
}

impl Form {
    /// The form that fits a request's `Content-Type` and `Accept`.
    pub fn of(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        if text(CONTENT_TYPE).starts_with("application/grpc") {
            Self::Grpc
        } else if text(http::header::ACCEPT).starts_with("text/html") {
            Self::Html
        } else {
            Self::Json
        }
    }
}

/// The answer that tells a caller about a refusal. `instance` is the request id.
pub fn problem_response(refusal: &Refusal, instance: &str, form: Form) -> Response<Bytes> {
    let reason = refusal.reason;
    let (status, content_type, body) = match form {
        Form::Json => (
            reason.status,
            "application/problem+json",
            json_body(refusal, instance),
        ),
        Form::Html => (
            reason.status,
            "text/html; charset=utf-8",
            html_body(refusal, instance),
        ),
        Form::Grpc => (200, "application/grpc", Bytes::new()),
        Form::Model(surface) => (
            reason.status,
            "application/json",
            Bytes::from(write_error(surface, &failure(refusal))),
        ),
    };
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(
        http::header::CACHE_CONTROL,
        HeaderValue::from_static("no-store"),
    );
    for (name, value) in &refusal.headers {
        headers.append(name.clone(), value.clone());
    }
    if form == Form::Grpc {
        headers.insert(
            HeaderName::from_static("grpc-status"),
            HeaderValue::from_static(grpc_status(reason.status)),
        );
        if let Ok(message) = HeaderValue::from_str(&grpc_message(reason.title)) {
            headers.insert(HeaderName::from_static("grpc-message"), message);
        }
    }
    response
}

/// A refusal as client libraries of models know failures. Those have no place for a remedy, so it goes with the message.
pub(crate) fn failure(refusal: &Refusal) -> Failure {
    let kind = FailureKind::of_status(refusal.reason.status);
    let mut failure = Failure::new(kind, format!("{}; {}", refusal.detail, refusal.remedy()));
    failure.status = refusal.reason.status;
    failure.code = Some(refusal.reason.code.to_owned());
    failure
}

fn json_body(refusal: &Refusal, instance: &str) -> Bytes {
    let reason = refusal.reason;
    let mut problem = Map::new();
    problem.insert("type".into(), reason.type_uri().into());
    problem.insert("title".into(), reason.title.into());
    problem.insert("status".into(), reason.status.into());
    problem.insert("detail".into(), refusal.detail.as_ref().into());
    problem.insert(
        "instance".into(),
        format!("urn:lockgate:request:{instance}").into(),
    );
    problem.insert("code".into(), reason.code.into());
    problem.insert("remedy".into(), refusal.remedy().into());
    for (name, value) in &refusal.members {
        problem.insert((*name).into(), value.clone());
    }
    Bytes::from(json!(problem).to_string())
}

fn html_body(refusal: &Refusal, instance: &str) -> Bytes {
    let reason = refusal.reason;
    Bytes::from(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>body{{font:1rem/1.5 system-ui;max-width:40rem;margin:4rem auto;padding:0 1rem;\
         color-scheme:light dark}}</style><h1>{title}</h1><p>{detail}</p><p>{remedy}</p><p><small>{code} · {instance}</small></p></html>",
        title = escape(reason.title),
        detail = escape(&refusal.detail),
        remedy = escape(refusal.remedy()),
        code = escape(reason.code),
        instance = escape(instance),
    ))
}

fn escape(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut out, c| {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#39;"),
                c => out.push(c),
            }
            out
        })
}

/// The gRPC status for an HTTP status (gRPC "HTTP to gRPC Status Code Mapping", and 429 as `RESOURCE_EXHAUSTED`).
const fn grpc_status(status: u16) -> &'static str {
    match status {
        400 | 413 | 422 => "3",
        401 => "16",
        403 => "7",
        404 | 405 => "12",
        408 | 504 => "4",
        429 => "8",
        502 | 503 => "14",
        _ => "2",
    }
}

/// Percent-encodes what gRPC does not allow in `grpc-message`.
fn grpc_message(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if (0x20..0x7f).contains(&byte) && byte != b'%' {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}
