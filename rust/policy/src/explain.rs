//! One request, explained: its route, each policy with its origin and verdict, and what becomes of it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canonical::canonical_path;
use crate::chain::{Outcome, Progress, Step, Word};
use crate::counters::Counters;
use crate::directory::read_time;
use crate::env::{Env, Timestamp};
use crate::facts::{Fact, Facts};
use crate::policy::Phase;
use crate::reason;
use crate::request::{Body, RequestView};
use crate::revision::{Revision, Route, RouteTarget};
use crate::verdict::{Effect, Need, Refusal};

/// A request as a person writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainRequest {
    /// The method.
    pub method: String,
    /// A path with query, or a whole URL.
    pub url: String,
    /// Fields, in order.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<String>,
    /// The caller's address; 127.0.0.1 by default.
    pub client: Option<IpAddr>,
    /// The time (RFC 3339); now by default.
    pub at: Option<String>,
    /// What a fact request would answer, in the order of `needs`.
    #[serde(default)]
    pub facts: Vec<Value>,
}

/// The explanation.
#[derive(Debug, Clone, Serialize)]
pub struct Trace {
    /// The route, when one was found.
    pub route: Option<TracedRoute>,
    /// `forward`, `respond`, `refuse` or `need`.
    pub decision: &'static str,
    /// The status of the answer that the gateway gives itself.
    pub status: Option<u16>,
    /// The reason code.
    pub code: Option<String>,
    /// The title of the reason.
    pub title: Option<String>,
    /// What was wrong with this request.
    pub detail: Option<String>,
    /// What the caller can do.
    pub remedy: Option<String>,
    /// Fields of the answer that policies set.
    pub headers: Vec<(String, String)>,
    /// The effective policies in order; those that were not reached have no verdict.
    pub policies: Vec<TracedPolicy>,
    /// What would be forwarded.
    pub forwarded: Option<Forwarded>,
    /// Who would answer.
    pub target: Option<String>,
}

/// A route in an explanation.
#[derive(Debug, Clone, Serialize)]
pub struct TracedRoute {
    /// The API.
    pub api: Arc<str>,
    /// The version.
    pub version: Arc<str>,
    /// The route.
    pub id: Arc<str>,
    /// Its path template.
    pub path: Arc<str>,
}

/// A policy in an explanation.
#[derive(Debug, Clone, Serialize)]
pub struct TracedPolicy {
    /// Its id.
    pub id: Arc<str>,
    /// Its kind.
    pub kind: &'static str,
    /// Its phase.
    pub phase: Phase,
    /// The scope that declares it.
    pub origin: String,
    /// Whether it acts.
    pub mode: lockgate_config::Mode,
    /// What it said.
    pub verdict: Option<Word>,
    /// Why.
    pub code: Option<&'static str>,
}

/// A forwarded request in an explanation.
#[derive(Debug, Clone, Serialize)]
pub struct Forwarded {
    /// The path without query.
    pub path: String,
    /// Fields that policies set or remove: a removed one has no value.
    pub headers: Vec<(String, Option<String>)>,
}

/// Explains a request against a revision, with fresh counters.
///
/// # Errors
/// What is wrong with the request as it was written.
pub fn explain(
    revision: &Revision,
    request: &ExplainRequest,
    now: Timestamp,
) -> Result<Trace, String> {
    let mut facts = Facts::default();
    let mut given = request.facts.iter();
    loop {
        match explain_with(
            revision,
            request,
            now,
            &facts,
            &Arc::new(Counters::default()),
        )? {
            Explained::Trace(trace) => return Ok(*trace),
            Explained::Needs(need, trace) => match (need, given.next()) {
                (Need::Fact(wanted), Some(value)) => {
                    let fact = Fact::read(&wanted, value)?;
                    facts.put(wanted, fact);
                }
                (_, _) => return Ok(*trace),
            },
        }
    }
}

/// An explanation, or what is missing for one.
pub enum Explained {
    /// It is decided.
    Trace(Box<Trace>),
    /// A fact is needed that was not given.
    Needs(Need, Box<Trace>),
}

/// Explains a request with the facts and counters given.
///
/// # Errors
/// What is wrong with the request as it was written.
pub fn explain_with(
    revision: &Revision,
    request: &ExplainRequest,
    now: Timestamp,
    facts: &Facts,
    counters: &Arc<Counters>,
) -> Result<Explained, String> {
    let parsed = Parsed::read(request, now)?;
    let path = match canonical_path(&parsed.path) {
        Ok(path) => path,
        Err(error) => return Ok(refused(&Refusal::new(&reason::BAD_PATH, error.to_string()))),
    };
    let route = match revision.route(&parsed.host, &path, &parsed.method, &parsed.headers) {
        Ok(route) => route,
        Err(refusal) => return Ok(refused(&refusal)),
    };
    let variables = route.template.variables(&path);
    let mut view = RequestView {
        method: &parsed.method,
        scheme: &parsed.scheme,
        host: &parsed.host,
        path: &path,
        query: parsed.query.as_deref(),
        version: Version::HTTP_11,
        headers: &parsed.headers,
        client: request.client.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        certificate: None,
        body: parsed
            .body
            .as_ref()
            .map_or(Body::Absent, |body| Body::Unread(Some(body.len() as u64))),
        variables: &variables,
        identity: None,
    };
    let mut progress = Progress::default();
    let mut env = Env {
        now: parsed.at,
        facts,
        directory: &revision.directory,
        counters,
    };
    loop {
        match route
            .chain
            .advance(&view, &route.id, &mut progress, &mut env)
        {
            Step::Need(Need::Body(limit)) => {
                let body = parsed.body.as_deref().unwrap_or_default();
                view.body = if body.len() > limit {
                    Body::TooLarge(limit)
                } else {
                    Body::Read(body)
                };
            }
            Step::Need(need) => {
                let trace = Trace {
                    decision: "need",
                    ..trace(route, &progress, &path)
                };
                return Ok(Explained::Needs(need, Box::new(trace)));
            }
            Step::Decided(outcome) => {
                return Ok(Explained::Trace(Box::new(decided(
                    route, &progress, &path, outcome,
                ))));
            }
        }
    }
}

struct Parsed {
    method: Method,
    scheme: String,
    host: String,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
    at: Timestamp,
}

impl Parsed {
    fn read(request: &ExplainRequest, now: Timestamp) -> Result<Self, String> {
        let method = Method::from_bytes(request.method.to_ascii_uppercase().as_bytes())
            .map_err(|_| format!("`{}` is not a method", request.method))?;
        let (scheme, authority, rest) = match request.url.split_once("://") {
            Some((scheme, rest)) => {
                let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
                (scheme.to_owned(), Some(authority.to_owned()), path)
            }
            None => ("http".to_owned(), None, request.url.as_str()),
        };
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            let field = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| format!("`{name}` is not a field name"))?;
            let value = HeaderValue::from_str(value).map_err(|_| {
                format!("the value of `{name}` holds a character that fields cannot hold")
            })?;
            headers.append(field, value);
        }
        let named = headers
            .get(http::header::HOST)
            .and_then(|host| host.to_str().ok())
            .map(str::to_owned);
        let host = authority.or(named).unwrap_or_else(|| "localhost".into());
        let host = host
            .rsplit_once(':')
            .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
            .map_or(host.as_str(), |(name, _)| name);
        let (path, query) = rest
            .split_once('?')
            .map_or((rest, None), |(path, query)| (path, Some(query.to_owned())));
        let at = match &request.at {
            None => now,
            Some(text) => read_time(text).ok_or_else(|| {
                format!("`{text}` is not a time; write one such as `2027-01-31T12:00:00Z`")
            })?,
        };
        Ok(Self {
            method,
            scheme,
            host: host.to_ascii_lowercase(),
            path: path.to_owned(),
            query,
            headers,
            body: request.body.clone().map(String::into_bytes),
            at,
        })
    }
}

fn refused(refusal: &Refusal) -> Explained {
    Explained::Trace(Box::new(with_refusal(Trace::empty(), refusal)))
}

impl Trace {
    const fn empty() -> Self {
        Self {
            route: None,
            decision: "refuse",
            status: None,
            code: None,
            title: None,
            detail: None,
            remedy: None,
            headers: Vec::new(),
            policies: Vec::new(),
            forwarded: None,
            target: None,
        }
    }
}

fn with_refusal(trace: Trace, refusal: &Refusal) -> Trace {
    let reason = refusal.reason;
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Trace {
        decision: "refuse",
        status: Some(reason.status),
        code: Some(reason.code.into()),
        title: Some(reason.title.into()),
        detail: Some(refusal.detail.clone().into_owned()),
        remedy: Some(reason.remedy.into()),
        headers: refusal
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        ..trace
    }
}

fn trace(route: &Route, progress: &Progress, path: &str) -> Trace {
    let policies = route
        .chain
        .policies()
        .iter()
        .enumerate()
        .map(|(at, bound)| {
            let record = progress
                .verdicts
                .iter()
                .rev()
                .find(|record| usize::from(record.policy) == at);
            TracedPolicy {
                id: bound.id.clone(),
                kind: bound.kind.name,
                phase: bound.kind.phase,
                origin: bound.origin.to_string(),
                mode: bound.mode,
                verdict: record.map(|record| record.word),
                code: record.and_then(|record| record.code),
            }
        });
    let target = (!matches!(route.target, RouteTarget::Nobody)).then(|| route.target.to_string());
    Trace {
        route: Some(TracedRoute {
            api: route.api.clone(),
            version: route.version.clone(),
            id: route.id.clone(),
            path: route.path.clone(),
        }),
        policies: policies.collect(),
        forwarded: Some(forwarded(route, progress, path)),
        target,
        ..Trace::empty()
    }
}

fn forwarded(route: &Route, progress: &Progress, path: &str) -> Forwarded {
    let mut forwarded = Forwarded {
        path: route.forwarded_path(path).to_owned(),
        headers: Vec::new(),
    };
    let text = |value: &HeaderValue| Some(String::from_utf8_lossy(value.as_bytes()).into_owned());
    for effect in &progress.effects {
        match effect {
            Effect::SetRequestHeader(name, value) | Effect::AddRequestHeader(name, value) => {
                forwarded.headers.push((name.to_string(), text(value)))
            }
            Effect::RemoveRequestHeader(name) => forwarded.headers.push((name.to_string(), None)),
            Effect::SetPath(path) => forwarded.path.clone_from(path),
            _ => {}
        }
    }
    forwarded
}

fn decided(route: &Route, progress: &Progress, path: &str, outcome: Outcome) -> Trace {
    let trace = trace(route, progress, path);
    match outcome {
        Outcome::Forward if matches!(route.target, RouteTarget::Nobody) => {
            let refusal = Refusal::new(&reason::NO_ROUTE, "nobody answers this route");
            Trace {
                forwarded: None,
                ..with_refusal(trace, &refusal)
            }
        }
        Outcome::Forward => Trace {
            decision: "forward",
            ..trace
        },
        Outcome::Refuse(refusal) => Trace {
            forwarded: None,
            ..with_refusal(trace, &refusal)
        },
        Outcome::Respond(reply) => Trace {
            decision: "respond",
            status: Some(reply.status.as_u16()),
            code: Some(reply.code.into()),
            headers: reply
                .headers
                .iter()
                .map(|(name, value)| {
                    (
                        name.to_string(),
                        String::from_utf8_lossy(value.as_bytes()).into_owned(),
                    )
                })
                .collect(),
            forwarded: None,
            ..trace
        },
    }
}
