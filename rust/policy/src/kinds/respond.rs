//! # What it does
//! Answers requests itself, always alike: status, fields and body stand in the document.
//!
//! # When to use
//! A service is closed for maintenance, a path only tells something (`/robots.txt`), or an API is mocked before it
//! exists. A route that has such a policy needs no upstream.
//!
//! # Example
//! ```yaml
//! - { id: closed, kind: respond, status: 503, headers: { Retry-After: "3600" }, json: { title: closed until noon } }
//! - { id: robots, kind: respond, text: "User-agent: *\nDisallow: /\n" }
//! ```
//!
//! # On failure
//! It never refuses; the answer is the one that the document says, to every request that the policies before it let pass.

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use indexmap::IndexMap;
use lockgate_config::{OnError, PolicyEntry, Problem, Raw, Spanned, decode};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::env::Env;
use crate::kinds::headers::field;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::request::RequestView;
use crate::verdict::{Reply, Verdict};

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "respond",
    phase: Phase::Mediate,
    about: "Answers requests itself with what the document says.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: false,
    reasons: &[],
    schema: Settings::json_schema,
    compile,
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The status, from 200 to 599; 200 by default.
    status: Option<Spanned<u16>>,
    /// Fields of the answer.
    headers: Option<Spanned<IndexMap<String, String>>>,
    /// The body as text.
    text: Option<Spanned<String>>,
    /// The body as JSON.
    json: Option<Spanned<Raw>>,
    /// What the body is; `text/plain; charset=utf-8` or `application/json` by default.
    content_type: Option<Spanned<String>>,
}

#[derive(Debug)]
struct Respond(Reply);

fn compile(entry: &PolicyEntry, _: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let mut problems = Vec::new();
    let mut headers = fields(&settings, &mut problems);
    let mut note = |problem| problems.push(problem);
    let status = status(&settings).map_err(&mut note);
    let body = body(&settings).map_err(&mut note);
    match (status, body) {
        (Ok(status), Ok((content_type, body))) if problems.is_empty() => {
            headers.extend(content_type.map(|value| (CONTENT_TYPE, value)));
            Ok(Box::new(Respond(Reply {
                status,
                headers,
                body,
                code: "respond.fixed",
            })))
        }
        _ => Err(problems),
    }
}

fn status(settings: &Settings) -> Result<StatusCode, Problem> {
    let Some(written) = &settings.status else {
        return Ok(StatusCode::OK);
    };
    // 1xx is no final answer, and 304 answers a condition that nobody checks here (RFC 9110 §15.2 and §15.4.5).
    let status = StatusCode::from_u16(written.value).ok();
    status
        .filter(|status| {
            (200..=599).contains(&status.as_u16()) && *status != StatusCode::NOT_MODIFIED
        })
        .ok_or_else(|| {
            Problem::new(
                &written.span,
                format!("`{}` is not the status of a fixed answer", written.value),
            )
            .help("write a status from 200 to 599 other than 304, such as 503")
        })
}

fn body(settings: &Settings) -> Result<(Option<HeaderValue>, Bytes), Problem> {
    let (span, default, body) = match (&settings.text, &settings.json) {
        (Some(_), Some(json)) => {
            return Err(Problem::new(&json.span, "an answer has one body")
                .help("write only one of `text` and `json`"));
        }
        (Some(text), None) => (
            &text.span,
            "text/plain; charset=utf-8",
            Bytes::from(text.value.clone()),
        ),
        (None, Some(json)) => {
            let body = json.value.0.to_json().to_string();
            (&json.span, "application/json", Bytes::from(body))
        }
        (None, None) => {
            return match &settings.content_type {
                None => Ok((None, Bytes::new())),
                Some(written) => {
                    let message = "the answer has no body that could be of a type";
                    Err(Problem::new(&written.span, message)
                        .help("write `text` or `json`, or take `content_type` out"))
                }
            };
        }
    };
    if let Some(204 | 205) = settings.status.as_ref().map(|status| status.value) {
        return Err(Problem::new(span, "an answer with this status has no body")
            .help("take the body out, or write another `status`"));
    }
    let content_type = match &settings.content_type {
        None => HeaderValue::from_static(default),
        Some(written) => content_type(written)?,
    };
    Ok((Some(content_type), body))
}

fn content_type(written: &Spanned<String>) -> Result<HeaderValue, Problem> {
    let value = HeaderValue::from_str(written).ok();
    value.filter(|_| written.contains('/')).ok_or_else(|| {
        let message = format!("`{}` is not a content type", written.value);
        Problem::new(&written.span, message).help("write one such as `text/html; charset=utf-8`")
    })
}

fn fields(settings: &Settings, problems: &mut Vec<Problem>) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    let Some(written) = &settings.headers else {
        return headers;
    };
    for (name, value) in &written.value {
        match (field(name), HeaderValue::from_str(value)) {
            (Ok(CONTENT_TYPE), _) => problems.push(
                Problem::new(
                    &written.span,
                    "the type of the body stands in `content_type`",
                )
                .help("write `content_type` beside `headers`"),
            ),
            (Ok(name), Ok(value)) => headers.push((name, value)),
            (Err(message), _) => problems.push(Problem::new(&written.span, message)),
            (_, Err(_)) => problems.push(Problem::new(
                &written.span,
                format!("the value of `{name}` holds a character that fields cannot hold"),
            )),
        }
    }
    headers
}

impl Policy for Respond {
    fn evaluate(&self, _: &RequestView<'_>, _: &mut Env<'_>) -> Verdict {
        Verdict::Respond(Box::new(self.0.clone()))
    }
}
