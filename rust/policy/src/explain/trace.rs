//! What an explanation holds, and how it is filled.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;

use crate::chain::{Progress, Word};
use crate::forwarding::{forwarded_query, remove_cookie};
use crate::policy::Phase;
use crate::request::RequestView;
use crate::revision::{Route, RouteTarget};
use crate::verdict::{Effect, Refusal};

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

impl Trace {
    /// Nothing is known but that the request is refused.
    pub(super) const fn empty() -> Self {
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

    /// The same with a refusal, and the fields that go with it.
    pub(super) fn refused(self, refusal: &Refusal, headers: &HeaderMap) -> Self {
        let reason = refusal.reason;
        Self {
            decision: "refuse",
            status: Some(reason.status),
            code: Some(reason.code.into()),
            title: Some(reason.title.into()),
            detail: Some(refusal.detail.clone().into_owned()),
            remedy: Some(refusal.remedy().into()),
            headers: written(headers),
            forwarded: None,
            ..self
        }
    }

    /// What is known once a route was found: its policies, what they said, and what would be forwarded.
    pub(super) fn on(route: &Route, progress: &Progress, view: &RequestView<'_>) -> Self {
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
        let target =
            (!matches!(route.target, RouteTarget::Nobody)).then(|| route.target.to_string());
        let application = progress
            .identity
            .as_ref()
            .and_then(|identity| identity.application.as_ref());
        Self {
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
            ..Self::empty()
        }
    }
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// Fields as a trace holds them.
pub(super) fn written(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect()
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
