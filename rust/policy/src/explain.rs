//! One request, explained: its route, each policy with its origin and verdict, and what becomes of it.

mod model_answer;
mod request;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::Version;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::Value;

use crate::canonical::canonical_path;
use crate::chain::{Outcome, Progress, Step, Word};
use crate::counters::Counters;
use crate::env::Env;
use crate::facts::{Fact, Facts};
use crate::forwarding::{forwarded_query, remove_cookie};
use crate::policy::Phase;
use crate::reason;
use crate::request::{Body, RequestView, ResponseView};
use crate::revision::{Revision, Route, RouteTarget};
use crate::time::Timestamp;
use crate::verdict::{Effect, Need, Refusal};

use model_answer::model_answer;
use request::{Answer, Parsed};
pub use request::{ExplainAnswer, ExplainCertificate, ExplainRequest};

/// The explanation.
#[derive(Debug, Clone, Serialize)]
pub struct Trace {
    /// The route, when one was found.
    pub route: Option<TracedRoute>,
    /// `forward`, `respond`, `refuse` or `need`.
    pub decision: &'static str,
    /// The status of the answer, when it is known: the gateway's own, or the one that was given for the service.
    pub status: Option<u16>,
    /// The reason code.
    pub code: Option<String>,
    /// The title of the reason.
    pub title: Option<String>,
    /// What was wrong with this request.
    pub detail: Option<String>,
    /// What the caller can do.
    pub remedy: Option<String>,
    /// Fields of the answer: those that policies set, and those that were given for the service.
    pub headers: Vec<(String, String)>,
    /// The body of the answer, when it is known. Of a refusal, it is not the text: that depends on the form the caller wants.
    pub body: Option<String>,
    /// The application that was identified.
    pub application: Option<Arc<str>>,
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
    /// The rule of its settings that found something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found_by: Option<Arc<str>>,
    /// The rules of its settings that are only tried out and would have refused the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<Arc<str>>,
}

/// A forwarded request in an explanation.
#[derive(Debug, Clone, Serialize)]
pub struct Forwarded {
    /// The path without query.
    pub path: String,
    /// The query without `?`.
    pub query: Option<String>,
    /// Fields that policies change, with their values; a removed one has no value.
    pub headers: Vec<(String, Option<String>)>,
    /// Whether the answer may come from the cache, or go there.
    pub cache: bool,
}

/// A request that was explained. What it holds of limits on requests in flight is given back when this is dropped.
pub struct Explained {
    /// The explanation.
    pub trace: Trace,
    /// How many of the facts that were given nobody asked for.
    pub unasked_facts: usize,
    _held: Progress,
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
    explain_with(revision, request, now, &Arc::default()).map(|explained| explained.trace)
}

/// Explains a request with counters that other requests have used.
///
/// # Errors
/// What is wrong with the request as it was written.
pub fn explain_with(
    revision: &Revision,
    request: &ExplainRequest,
    now: Timestamp,
    counters: &Arc<Counters>,
) -> Result<Explained, String> {
    let parsed = Parsed::read(request, now)?;
    let mut progress = Progress::default();
    let mut given = request.facts.iter();
    let trace = judge(revision, &parsed, &mut given, counters, &mut progress)?;
    Ok(Explained {
        trace,
        unasked_facts: given.len(),
        _held: progress,
    })
}

fn judge(
    revision: &Revision,
    parsed: &Parsed,
    given: &mut std::slice::Iter<'_, Value>,
    counters: &Arc<Counters>,
    progress: &mut Progress,
) -> Result<Trace, String> {
    let body = parsed.body.as_deref();
    let mut view = RequestView {
        method: &parsed.method,
        scheme: &parsed.scheme,
        host: "",
        path: "",
        query: parsed.query.as_deref(),
        version: Version::HTTP_11,
        headers: &parsed.headers,
        client: parsed.client,
        certificate: parsed.certificate.as_ref(),
        body: body.map_or(Body::Absent, |body| Body::Unread(Some(body.len() as u64))),
        variables: &[],
        identity: None,
        prompt: None,
    };
    let mut facts = Facts::default();
    let refused = |view: &RequestView<'_>, refusal: &Refusal| {
        let mut env = Env {
            now: parsed.at,
            facts: &Facts::default(),
            directory: &revision.directory,
            counters,
        };
        let mut headers: HeaderMap = refusal.headers.iter().cloned().collect();
        for edit in revision.unrouted_edits(view, &mut env) {
            edit.apply(&mut headers);
        }
        with_refusal(Trace::empty(), refusal, &headers)
    };
    let path = match canonical_path(&parsed.path) {
        Ok(path) => path,
        Err(error) => {
            let refusal = Refusal::new(&reason::BAD_PATH, error.to_string());
            return Ok(refused(&view, &refusal));
        }
    };
    view.host = &parsed.host;
    view.path = &path;
    let route = match revision.route(&parsed.host, &path, &parsed.method, &parsed.headers) {
        Ok(route) => route,
        Err(refusal) => return Ok(refused(&view, &refusal)),
    };
    let variables = route.template.variables(&path);
    view.variables = &variables;
    loop {
        let mut env = Env {
            now: parsed.at,
            facts: &facts,
            directory: &revision.directory,
            counters,
        };
        match route.advance(&view, progress, &mut env) {
            Step::Need(Need::Body(limit)) => {
                let body = body.unwrap_or_default();
                view.body = if body.len() > limit {
                    Body::TooLarge(limit)
                } else {
                    Body::Read(body)
                };
            }
            // What is explained was not recorded.
            Step::Need(Need::Recorded(_)) => {
                return Ok(Trace {
                    decision: "need",
                    ..trace(route, progress, &view)
                });
            }
            Step::Need(Need::Fact(wanted)) => {
                let Some(value) = given.next() else {
                    return Ok(Trace {
                        decision: "need",
                        ..trace(route, progress, &view)
                    });
                };
                let fact = Fact::read(&wanted, value)?;
                facts.put(wanted, fact);
            }
            Step::Decided(outcome) => {
                let route = (revision, route);
                return Ok(decided(route, progress, &view, &mut env, outcome, parsed));
            }
        }
    }
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
            body: None,
            application: None,
            policies: Vec::new(),
            forwarded: None,
            target: None,
        }
    }
}

fn with_refusal(trace: Trace, refusal: &Refusal, headers: &HeaderMap) -> Trace {
    let reason = refusal.reason;
    Trace {
        decision: "refuse",
        status: Some(reason.status),
        code: Some(reason.code.into()),
        title: Some(reason.title.into()),
        detail: Some(refusal.detail.clone().into_owned()),
        remedy: Some(refusal.remedy().into()),
        headers: written(headers),
        forwarded: None,
        ..trace
    }
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn written(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect()
}

fn trace(route: &Route, progress: &Progress, view: &RequestView<'_>) -> Trace {
    let policies = route
        .chain
        .policies()
        .iter()
        .enumerate()
        .map(|(at, bound)| {
            let records = progress.verdicts.iter();
            let mut records = records.filter(|record| usize::from(record.policy) == at);
            let tried = records.clone().filter(|record| record.tried);
            let tried = tried.filter_map(|record| bound.own_rule(record.found_by).cloned());
            let tried = tried.collect();
            let record = records.rfind(|record| !record.tried);
            TracedPolicy {
                id: bound.id.clone(),
                kind: bound.kind.name,
                phase: bound.kind.phase,
                origin: bound.origin.to_string(),
                mode: bound.mode,
                verdict: record.map(|record| record.word),
                code: record.and_then(|record| record.code),
                found_by: record
                    .and_then(|record| bound.own_rule(record.found_by))
                    .cloned(),
                tried,
            }
        });
    let target = (!matches!(route.target, RouteTarget::Nobody)).then(|| route.target.to_string());
    let application = progress
        .identity
        .as_ref()
        .and_then(|identity| identity.application.as_ref());
    Trace {
        route: Some(TracedRoute {
            api: route.api.clone(),
            version: route.version.clone(),
            id: route.id.clone(),
            path: route.path.clone(),
        }),
        policies: policies.collect(),
        application: application.map(|application| application.id.clone()),
        forwarded: forwarded(route, progress, view),
        target,
        ..Trace::empty()
    }
}

/// What a service gets; what a provider of models gets is written anew.
fn forwarded(route: &Route, progress: &Progress, view: &RequestView<'_>) -> Option<Forwarded> {
    if route.target.is_model() {
        return None;
    }
    let mut path = route.forwarded_path(view.path).to_owned();
    let (mut headers, mut cache) = (view.headers.clone(), false);
    let mut changed: Vec<HeaderName> = Vec::new();
    for effect in &progress.effects {
        match effect {
            Effect::SetRequestHeader(name, value) => drop(headers.insert(name, value.clone())),
            Effect::AddRequestHeader(name, value) => drop(headers.append(name, value.clone())),
            Effect::RemoveRequestHeader(name) => drop(headers.remove(name)),
            Effect::RemoveCookie(name) => remove_cookie(&mut headers, name),
            Effect::SetPath(set) => path.clone_from(set),
            Effect::Cache(_) => cache = true,
            _ => {}
        }
        let name = match effect {
            Effect::SetRequestHeader(name, _)
            | Effect::AddRequestHeader(name, _)
            | Effect::RemoveRequestHeader(name) => name,
            Effect::RemoveCookie(_) => &header::COOKIE,
            _ => continue,
        };
        if !changed.contains(name) {
            changed.push(name.clone());
        }
    }
    let query = forwarded_query(view.query, &progress.effects).map(Cow::into_owned);
    let mut fields = Vec::new();
    for name in changed {
        let values = headers.get_all(&name).iter();
        fields.extend(values.map(|value| (name.to_string(), Some(text(value)))));
        if !headers.contains_key(&name) {
            fields.push((name.to_string(), None));
        }
    }
    Some(Forwarded {
        path,
        query,
        headers: fields,
        cache,
    })
}

fn decided(
    (revision, route): (&Revision, &Route),
    progress: &mut Progress,
    view: &RequestView<'_>,
    env: &mut Env<'_>,
    outcome: Outcome,
    parsed: &Parsed,
) -> Trace {
    let refuse = |progress: &Progress, refusal: &Refusal| {
        let mut headers: HeaderMap = refusal.headers.iter().cloned().collect();
        edit(&mut headers, progress);
        with_refusal(trace(route, progress, view), refusal, &headers)
    };
    match outcome {
        Outcome::Forward if matches!(route.target, RouteTarget::Nobody) => {
            let refusal = Refusal::new(&reason::NO_ROUTE, "nobody answers this route");
            refuse(progress, &refusal)
        }
        Outcome::Forward => {
            let (mut status, mut headers, mut body) = (None, HeaderMap::new(), None);
            if let Some(mut answer) = parsed.answer.clone() {
                if route.target.is_model() && answer.status.is_success() {
                    match model_answer(&revision.document, progress, &answer.body) {
                        Ok(Some(said)) => answer.body = said,
                        Ok(None) => {}
                        Err(refusal) => return refuse(progress, &refusal),
                    }
                }
                match judge_answer(route, progress, view, env, &answer) {
                    Ok(replaced) => body = Some(replaced),
                    Err(refusal) => return refuse(progress, &refusal),
                }
                status = Some(answer.status.as_u16());
                headers.clone_from(&answer.headers);
            }
            edit(&mut headers, progress);
            Trace {
                decision: "forward",
                status,
                headers: written(&headers),
                body: body.map(|body| String::from_utf8_lossy(&body).into_owned()),
                ..trace(route, progress, view)
            }
        }
        Outcome::Refuse(refusal) => refuse(progress, &refusal),
        Outcome::Respond(reply) => {
            let mut headers: HeaderMap = reply.headers.iter().cloned().collect();
            edit(&mut headers, progress);
            Trace {
                decision: "respond",
                status: Some(reply.status.as_u16()),
                code: Some(reply.code.into()),
                headers: written(&headers),
                body: Some(String::from_utf8_lossy(&reply.body).into_owned()),
                forwarded: None,
                ..trace(route, progress, view)
            }
        }
    }
}

/// Lets policies see the service's answer; gives the body that the caller gets.
fn judge_answer(
    route: &Route,
    progress: &mut Progress,
    view: &RequestView<'_>,
    env: &mut Env<'_>,
    answer: &Answer,
) -> Result<Bytes, Box<Refusal>> {
    // Its body went to the service.
    let view = RequestView {
        body: Body::Absent,
        ..*view
    };
    let seen = ResponseView {
        status: answer.status,
        headers: &answer.headers,
        body: None,
    };
    let chain = &route.chain;
    let Some(limit) = chain.judge_response(&view, &seen, progress, env)? else {
        return Ok(answer.body.clone());
    };
    let body = Some(&*answer.body).filter(|body| body.len() <= limit);
    let replaced = chain.judge_body(&view, (&seen, body), progress, env)?;
    Ok(replaced.unwrap_or_else(|| answer.body.clone()))
}

fn edit(headers: &mut HeaderMap, progress: &Progress) {
    for edit in &progress.edits {
        edit.clone().apply(headers);
    }
}
