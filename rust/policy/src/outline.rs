//! A revision as tools see it: its routes, each with its effective policies and where they stand in the document.

use std::sync::Arc;

use lockgate_config::{Base, Mode, OnError, Span};
use serde::Serialize;
use serde_json::Value;

use crate::policy::{BoundPolicy, Phase};
use crate::revision::{Revision, Route, RouteTarget, route_id};

/// A line of a file of the document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file, as the person named it.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
}

impl From<&Span> for Place {
    fn from(span: &Span) -> Self {
        Self {
            file: span.file.clone(),
            line: span.line.max(1),
        }
    }
}

/// A route. A version's unlisted requests are the route `*`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutlinedRoute {
    /// The API.
    pub api: Arc<str>,
    /// The version.
    pub version: Arc<str>,
    /// Its name within the version.
    pub id: Arc<str>,
    /// The full path template.
    pub path: Arc<str>,
    /// The methods it takes; any when there is none.
    pub methods: Vec<String>,
    /// The hosts it answers to; any when there is none.
    pub hosts: Vec<String>,
    /// The fields it asks for; without a value any will do.
    pub headers: Vec<(String, Option<String>)>,
    /// The services that answer; none when its policies do.
    pub upstreams: Vec<Arc<str>>,
    /// Whether its answer is made of several.
    pub aggregate: bool,
    /// How many bytes at the start of the path are taken off before forwarding.
    pub strip: usize,
    /// Where it stands.
    pub place: Option<Place>,
    /// Its effective policies in order of evaluation.
    pub policies: Vec<OutlinedPolicy>,
}

/// An effective policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutlinedPolicy {
    /// Its id.
    pub id: Arc<str>,
    /// Its kind.
    pub kind: &'static str,
    /// When it is evaluated.
    pub phase: Phase,
    /// The scope that declares it.
    pub origin: Arc<str>,
    /// Whether it acts.
    pub mode: Mode,
    /// The share of callers it applies to, in hundredths of a percent.
    pub share: u32,
    /// What happens when it cannot decide.
    pub on_error: OnError,
    /// Where it stands.
    pub place: Place,
    /// As it is declared.
    pub declared: Value,
}

/// The routes of a revision, in the order of the document.
pub fn outline(revision: &Revision) -> Vec<OutlinedRoute> {
    revision
        .routes
        .iter()
        .map(|route| outlined(revision, route))
        .collect()
}

fn outlined(revision: &Revision, route: &Route) -> OutlinedRoute {
    let api = revision.document.apis.get(&route.api);
    let version = api.and_then(|api| api.versions.get(&route.version));
    let listed = version.and_then(|version| {
        let mut routes = version.routes.iter();
        routes.find(|listed| route_id(listed) == *route.id)
    });
    let version_span = api.and_then(|api| {
        let mut versions = api.versions.iter();
        versions
            .find(|entry| *entry.id == *route.version)
            .map(|entry| &entry.span)
    });
    let wanted = listed.and_then(|listed| listed.matches.headers.as_ref());
    let hosts = api.and_then(|api| api.hosts.as_ref());
    OutlinedRoute {
        api: route.api.clone(),
        version: route.version.clone(),
        id: route.id.clone(),
        path: route.path.clone(),
        methods: route.methods.iter().map(ToString::to_string).collect(),
        hosts: hosts.map_or_else(Vec::new, |hosts| {
            hosts.iter().map(|host| host.value.clone()).collect()
        }),
        headers: wanted.map_or_else(Vec::new, |wanted| {
            let value = |value: &String| (value != "*").then(|| value.clone());
            wanted
                .iter()
                .map(|(name, text)| (name.clone(), value(text)))
                .collect()
        }),
        upstreams: match &route.target {
            RouteTarget::Nobody => Vec::new(),
            RouteTarget::Models(names) => names.to_vec(),
            RouteTarget::Prompt(template) => vec![template.model.clone()],
            RouteTarget::Upstream(name) => vec![name.clone()],
            RouteTarget::Split(several) => several.iter().map(|(_, name)| name.clone()).collect(),
            RouteTarget::Aggregate(parts) => {
                parts.iter().map(|part| part.upstream.clone()).collect()
            }
        },
        aggregate: matches!(route.target, RouteTarget::Aggregate(_)),
        strip: route.strip,
        place: listed
            .map(|listed| &listed.matches.span)
            .or(version_span)
            .map(Place::from),
        policies: route
            .chain
            .policies()
            .iter()
            .map(|policy| effective(policy))
            .collect(),
    }
}

fn effective(policy: &BoundPolicy) -> OutlinedPolicy {
    OutlinedPolicy {
        id: policy.id.clone(),
        kind: policy.kind.name,
        phase: policy.kind.phase,
        origin: policy.scope.clone(),
        mode: policy.mode,
        share: policy.share,
        on_error: policy.on_error,
        place: Place::from(&policy.span),
        declared: policy.declared.clone(),
    }
}

/// The OpenAPI document of each version that names one, as JSON, by API and version. What cannot be read is left out: the check says so.
pub fn descriptions(revision: &Revision) -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for api in &revision.document.apis {
        for version in &api.value.versions {
            let named = version.value.openapi.as_ref();
            if let Some(json) = named.and_then(|name| description(&revision.base, name)) {
                found.push((api.id.clone(), version.id.clone(), json));
            }
        }
    }
    found
}

fn description(base: &Base, name: &str) -> Option<Value> {
    let limit = lockgate_config::MAX_DOCUMENT_BYTES as u64;
    let bytes = lockgate_config::read_file(&base.join(name), limit).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    match lockgate_config::parse(name, &text) {
        Ok(node) => Some(node.to_json()),
        Err(_) => serde_json::from_str(&text).ok(),
    }
}
