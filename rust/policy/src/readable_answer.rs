//! Answers that a policy must read: what they hold, and what cannot be looked at.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode};

use crate::request::{RequestView, ResponseView};
use crate::verdict::ResponseVerdict;

/// What an answer's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<'a> {
    /// There is none.
    Empty,
    /// All of it, as text.
    Text(&'a str),
}

/// The body of an answer as text of at most `limit` bytes.
///
/// # Errors
/// What to return from `judge_response`: the need for the body, or why it cannot be looked at.
pub fn text_of<'a>(
    request: &RequestView<'_>,
    response: &ResponseView<'a>,
    limit: usize,
) -> Result<Answer<'a>, ResponseVerdict> {
    let unread = |why: &'static str| Err(ResponseVerdict::Undecided(why.into()));
    match response.status {
        StatusCode::SWITCHING_PROTOCOLS => {
            return unread("a connection that changes its protocol cannot be looked at");
        }
        // RFC 9110 §6.4.1.
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => return Ok(Answer::Empty),
        StatusCode::PARTIAL_CONTENT => return unread("a part of an answer cannot be looked at"),
        _ if *request.method == Method::HEAD => return Ok(Answer::Empty),
        _ => {}
    }
    if is_encoded(response.headers) {
        return unread("an answer with a `Content-Encoding` cannot be looked at");
    }
    if streams(response.headers) {
        return unread("an answer that streams cannot be looked at as a whole");
    }
    match response.body.map(std::str::from_utf8) {
        None => Err(ResponseVerdict::NeedBody(limit)),
        Some(Ok("")) => Ok(Answer::Empty),
        Some(Ok(text)) => Ok(Answer::Text(text)),
        Some(Err(_)) => unread("the answer is not text in UTF-8"),
    }
}

fn is_encoded(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_ENCODING).iter();
    values.any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Types of streams of events, records or calls, which may never end.
const STREAMS: &[&str] = &[
    "application/grpc",
    "application/json-seq",
    "application/stream+json",
    "application/x-ndjson",
    "multipart/x-mixed-replace",
    "text/event-stream",
];

fn streams(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    values.any(|value| {
        let value = value.as_bytes().trim_ascii_start().to_ascii_lowercase();
        STREAMS
            .iter()
            .any(|kind| value.starts_with(kind.as_bytes()))
    })
}
