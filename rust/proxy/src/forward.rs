//! A decided request on its way to a service and back.

use std::error::Error as _;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Response, Uri, request::Parts};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use lockgate_policy::{Effect, Permit, Refusal, ResponseEdit, Route, gateway_reasons as reasons};
use tokio::time::Instant;

use crate::body::{AnyBody, BodyError, Holding, Streamed, full};
use crate::hygiene::{self, Caller};
use crate::request::{Arrived, query_without};
use crate::upstream::{Chosen, Pool, Service};

/// What is left of a request body once policies have seen it.
pub enum RequestBody {
    /// There is none.
    Absent,
    /// It streams through.
    Stream(Incoming),
    /// A policy read it.
    Read(Bytes),
}

/// A request that may be forwarded.
pub struct Allowed<'a> {
    /// Its head as it arrived.
    pub head: &'a Parts,
    /// Where it goes.
    pub arrived: &'a Arrived,
    /// Its route.
    pub route: &'a Route,
    /// What policies do with it.
    pub effects: Vec<Effect>,
    /// Who calls.
    pub caller: Caller<'a>,
    /// How long the caller may pause within the body.
    pub body_idle: std::time::Duration,
    /// When it arrived.
    pub since: Instant,
}

/// The places of limits that a request holds until its answer was sent.
pub type Held = (Vec<Permit>, Chosen);

struct Rewritten {
    headers: HeaderMap,
    path: Option<String>,
    removed: Vec<Arc<str>>,
    body_limit: u64,
    permits: Vec<Permit>,
}

fn rewrite(allowed: &mut Allowed<'_>) -> Rewritten {
    let mut headers = allowed.head.headers.clone();
    hygiene::clean_request(&mut headers);
    hygiene::write_caller(&mut headers, &allowed.caller);
    headers.remove(header::HOST);
    let mut out = Rewritten {
        headers,
        path: None,
        removed: Vec::new(),
        body_limit: u64::MAX,
        permits: Vec::new(),
    };
    for effect in allowed.effects.drain(..) {
        match effect {
            Effect::SetRequestHeader(name, value) => drop(out.headers.insert(name, value)),
            Effect::AddRequestHeader(name, value) => drop(out.headers.append(name, value)),
            Effect::RemoveRequestHeader(name) => drop(out.headers.remove(name)),
            Effect::RemoveQueryParameter(name) => out.removed.push(name),
            Effect::RemoveCookie(name) => remove_cookie(&mut out.headers, &name),
            Effect::SetPath(path) => out.path = Some(path),
            Effect::LimitBody(limit) => out.body_limit = out.body_limit.min(limit),
            Effect::Hold(permit) => out.permits.push(permit),
            // `unserved` refuses documents with a cache; response edits travel apart.
            Effect::Cache(_) | Effect::Response(_) => {}
        }
    }
    out
}

fn remove_cookie(headers: &mut HeaderMap, name: &str) {
    let left: Vec<String> = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .map(str::trim)
        .filter(|pair| pair.split('=').next() != Some(name))
        .map(str::to_owned)
        .collect();
    headers.remove(header::COOKIE);
    if let Some(value) = (!left.is_empty())
        .then(|| HeaderValue::from_str(&left.join("; ")).ok())
        .flatten()
    {
        headers.insert(header::COOKIE, value);
    }
}

/// Sends a request and gives the answer, its body still streaming, with what it holds until its end.
///
/// # Errors
/// The refusal that stands in for the answer.
pub async fn forward(
    mut allowed: Allowed<'_>,
    body: RequestBody,
    service: &Service,
    client: &Pool,
) -> Result<(Response<Incoming>, Held), Refusal> {
    let chosen = service.choose().ok_or_else(|| {
        Refusal::new(
            &reasons::UPSTREAM_BUSY,
            "the service has as many requests as it may",
        )
    })?;
    let rewritten = rewrite(&mut allowed);
    let path = rewritten
        .path
        .as_deref()
        .unwrap_or_else(|| allowed.route.forwarded_path(&allowed.arrived.path));
    let path = match allowed
        .head
        .uri
        .query()
        .map(|query| query_without(query, &rewritten.removed))
    {
        Some(query) if !query.is_empty() => format!("{}{path}?{query}", chosen.target.prefix),
        _ => format!("{}{path}", chosen.target.prefix),
    };
    let uri = Uri::builder()
        .scheme("http")
        .authority(chosen.target.authority.clone())
        .path_and_query(path)
        .build();
    let uri = uri.map_err(|_| Refusal::new(&reasons::BAD_PATH, "the path cannot be forwarded"))?;
    let body = match body {
        RequestBody::Absent => full(Bytes::new()),
        RequestBody::Read(bytes) => full(bytes),
        RequestBody::Stream(incoming) => {
            Streamed::new(incoming, allowed.body_idle, None, rewritten.body_limit).boxed_unsync()
        }
    };
    let mut request = Request::new(body);
    *request.method_mut() = allowed.head.method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = rewritten.headers;
    // The length of the body that is sent is its own; a caller's claim about it is not passed on.
    request.headers_mut().remove(header::CONTENT_LENGTH);
    let wait = service.timeouts.first_byte.get();
    let wait = service.timeouts.total.map_or(wait, |total| {
        wait.min(total.get().saturating_sub(allowed.since.elapsed()))
    });
    match tokio::time::timeout(wait, client.request(request)).await {
        Ok(Ok(answer)) => Ok((answer, (rewritten.permits, chosen))),
        Ok(Err(error)) => Err(failure(&error)),
        Err(_) => Err(Refusal::new(
            &reasons::UPSTREAM_TIMEOUT,
            "the service did not answer in time",
        )),
    }
}

/// What went wrong, in words for callers. A body that the caller did not send to its end is the caller's failure.
fn failure(error: &hyper_util::client::legacy::Error) -> Refusal {
    let mut cause = error.source();
    while let Some(inner) = cause {
        match inner.downcast_ref::<BodyError>() {
            Some(error @ BodyError::TooLarge(_)) => {
                return Refusal::new(&reasons::BODY_TOO_LARGE, error.to_string());
            }
            Some(error @ BodyError::Idle(_)) => {
                return Refusal::new(&reasons::BODY_TIMEOUT, error.to_string());
            }
            Some(BodyError::Broken(_)) => {
                return Refusal::new(&reasons::MALFORMED, "the body broke off");
            }
            None => cause = inner.source(),
        }
    }
    if error.is_connect() {
        Refusal::new(
            &reasons::UPSTREAM_UNAVAILABLE,
            "no connection to the service",
        )
    } else {
        Refusal::new(
            &reasons::UPSTREAM_FAILED,
            "the service broke off before it answered",
        )
    }
}

/// The answer of a service as the caller gets it.
pub fn answer(
    answer: Response<Incoming>,
    edits: &[ResponseEdit],
    service: &Service,
    held: Held,
    since: Instant,
) -> Response<AnyBody> {
    let (mut head, body) = answer.into_parts();
    hygiene::drop_connection_fields(&mut head.headers);
    // The version is one of the connection to the service (RFC 9110 §2.5); hyper writes the caller's.
    head.version = http::Version::default();
    edit(&mut head.headers, edits);
    let deadline = service.timeouts.total.map(|total| since + total.get());
    let body = Streamed::new(body, service.timeouts.idle.get(), deadline, u64::MAX).boxed_unsync();
    Response::from_parts(head, Holding::new(body, held).boxed_unsync())
}

/// Changes the fields of an answer as policies say.
fn edit(headers: &mut HeaderMap, edits: &[ResponseEdit]) {
    for edit in edits {
        match edit.clone() {
            ResponseEdit::Set(name, value) => drop(headers.insert(name, value)),
            ResponseEdit::Add(name, value) => drop(headers.append(name, value)),
            ResponseEdit::Default(name, value) => drop(headers.entry(name).or_insert(value)),
            ResponseEdit::Remove(name) => drop(headers.remove(name)),
            ResponseEdit::Body(_) => {}
        }
    }
}
