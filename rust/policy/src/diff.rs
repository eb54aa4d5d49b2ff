//! What differs between two revisions, by route: the effective policies and who answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::policy::BoundPolicy;
use crate::revision::{Revision, Route};

/// A route that is new, gone or treated differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The API.
    pub api: Arc<str>,
    /// The version.
    pub version: Arc<str>,
    /// The route.
    pub route: Arc<str>,
    /// What happened to it.
    pub change: Change,
    /// Its effective policies that differ, in order of evaluation; for a changed route only.
    pub policies: Vec<PolicyDifference>,
    /// Who answered and who answers, when that differs.
    pub target: Option<(String, String)>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is not what it was.
    Changed,
    /// It is what it was and is evaluated at another place.
    Moved,
}

/// A policy that differs on a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyDifference {
    /// Its id.
    pub id: Arc<str>,
    /// Its kind.
    pub kind: &'static str,
    /// What happened to it.
    pub change: Change,
    /// As it was declared.
    pub before: Option<Value>,
    /// As it is declared.
    pub after: Option<Value>,
}

type RouteKey = (Arc<str>, Arc<str>, Arc<str>, Arc<str>);

fn routes(revision: &Revision) -> BTreeMap<RouteKey, &Route> {
    revision
        .routes
        .iter()
        .map(|route| {
            (
                (
                    route.api.clone(),
                    route.version.clone(),
                    route.id.clone(),
                    route.path.clone(),
                ),
                route,
            )
        })
        .collect()
}

/// Compares two revisions; routes come in order of API, version, id and path. What a version does with unlisted requests stands
/// in two routes, for its base and for what is below; a difference that both have is said once.
pub fn diff(base: &Revision, candidate: &Revision) -> Vec<Difference> {
    let (before, after) = (routes(base), routes(candidate));
    let keys: std::collections::BTreeSet<&RouteKey> = before.keys().chain(after.keys()).collect();
    let mut differences: Vec<Difference> = keys
        .into_iter()
        .filter_map(|key| difference(key, before.get(key).copied(), after.get(key).copied()))
        .collect();
    differences.dedup();
    differences
}

fn difference(key: &RouteKey, before: Option<&Route>, after: Option<&Route>) -> Option<Difference> {
    let (api, version, route, _) = key.clone();
    let found = |change, policies, target| {
        Some(Difference {
            api,
            version,
            route,
            change,
            policies,
            target,
        })
    };
    match (before, after) {
        (Some(before), Some(after)) => {
            let policies = policies(before, after);
            let (was, is) = (
                format!("{:?} {}", before.target, before.strip),
                format!("{:?} {}", after.target, after.strip),
            );
            let target = (was != is).then(|| (before.target.to_string(), after.target.to_string()));
            if policies.is_empty() && target.is_none() {
                None
            } else {
                found(Change::Changed, policies, target)
            }
        }
        (None, Some(_)) => found(Change::Added, Vec::new(), None),
        (Some(_), None) => found(Change::Removed, Vec::new(), None),
        (None, None) => None,
    }
}

fn policies(before: &Route, after: &Route) -> Vec<PolicyDifference> {
    let (old, new) = (before.chain.policies(), after.chain.policies());
    let find =
        |list: &[Arc<BoundPolicy>], id: &str| list.iter().find(|policy| &*policy.id == id).cloned();
    let mut differences = Vec::new();
    for policy in new {
        let was = find(old, &policy.id);
        if was
            .as_ref()
            .is_none_or(|was| was.declared != policy.declared)
        {
            differences.push(PolicyDifference {
                id: policy.id.clone(),
                kind: policy.kind.name,
                change: if was.is_some() {
                    Change::Changed
                } else {
                    Change::Added
                },
                before: was.map(|was| was.declared.clone()),
                after: Some(policy.declared.clone()),
            });
        }
    }
    for policy in old.iter().filter(|policy| find(new, &policy.id).is_none()) {
        differences.push(PolicyDifference {
            id: policy.id.clone(),
            kind: policy.kind.name,
            change: Change::Removed,
            before: Some(policy.declared.clone()),
            after: None,
        });
    }
    if differences.is_empty() {
        let moved = old
            .iter()
            .zip(new)
            .filter(|(was, is)| was.id != is.id)
            .map(|(_, is)| PolicyDifference {
                id: is.id.clone(),
                kind: is.kind.name,
                change: Change::Moved,
                before: None,
                after: None,
            });
        differences.extend(moved);
    }
    differences
}
