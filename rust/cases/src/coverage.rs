//! Which routes and policies cases have seen at work.

use std::sync::Arc;

use lockgate_config::{Mode, RevisionId};
use lockgate_policy::{BoundPolicy, Phase, Revision, Trace, Word};
use serde::Serialize;

use crate::suite::Suite;

/// What the cases of one gateway have seen.
#[derive(Debug, Clone, Serialize)]
pub struct Coverage {
    /// The gateway.
    pub gateway: String,
    /// Every route, in the order of the document.
    pub routes: Vec<RouteCoverage>,
    /// Every policy that is effective on some route, in the order of evaluation.
    pub policies: Vec<PolicyCoverage>,
    #[serde(skip)]
    id: RevisionId,
}

/// How often a route did what.
#[derive(Debug, Clone, Serialize)]
pub struct RouteCoverage {
    /// The API.
    pub api: Arc<str>,
    /// The version.
    pub version: Arc<str>,
    /// The route.
    pub id: Arc<str>,
    /// Its path template.
    pub path: Arc<str>,
    /// Requests that were forwarded, or answered by a policy.
    pub allowed: usize,
    /// Requests that were refused.
    pub refused: usize,
    /// Whether one of its policies can refuse; one in shadow cannot.
    pub can_refuse: bool,
}

/// How often a policy said what.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyCoverage {
    /// Its id.
    pub id: Arc<str>,
    /// Its kind.
    pub kind: &'static str,
    /// The scope that declares it.
    pub origin: String,
    /// Whether it acts.
    pub mode: Mode,
    /// Requests that it let pass.
    pub allowed: usize,
    /// Requests that it refused, or could not decide about.
    pub denied: usize,
    /// Requests that it answered.
    pub answered: usize,
    /// Whether its kind can refuse.
    pub can_refuse: bool,
}

impl Coverage {
    /// Nothing was seen yet of the gateway of `suite`.
    pub fn of(suite: &Suite) -> Self {
        let revision = &suite.gateway.revision;
        Self {
            gateway: suite.gateway.name.clone(),
            routes: routes(revision),
            policies: policies(revision),
            id: suite.gateway.id.clone(),
        }
    }

    /// Whether this is the coverage of the gateway of `suite`.
    pub fn is_of(&self, suite: &Suite) -> bool {
        self.gateway == suite.gateway.name && self.id == suite.gateway.id
    }

    /// Adds what became of a request.
    pub fn add(&mut self, trace: &Trace) {
        let Some(found) = &trace.route else { return };
        if let Some(route) = self.routes.iter_mut().find(|route| {
            (&route.api, &route.version, &route.id) == (&found.api, &found.version, &found.id)
        }) {
            match trace.decision {
                "forward" | "respond" => route.allowed += 1,
                "refuse" => route.refused += 1,
                _ => {}
            }
        }
        for said in &trace.policies {
            let policy = self
                .policies
                .iter_mut()
                .find(|policy| policy.id == said.id && policy.origin == said.origin);
            if let (Some(policy), Some(word)) = (policy, said.verdict) {
                match word {
                    Word::Allow => policy.allowed += 1,
                    Word::Deny | Word::Undecided => policy.denied += 1,
                    Word::Respond => policy.answered += 1,
                    Word::Pass | Word::Skip => {}
                }
            }
        }
    }
}

/// One entry for each route that a person wrote: those without a path of their own have several templates.
fn routes(revision: &Revision) -> Vec<RouteCoverage> {
    let mut routes: Vec<RouteCoverage> = Vec::new();
    for route in &revision.routes {
        let known = routes.iter().any(|known| {
            (&known.api, &known.version, &known.id) == (&route.api, &route.version, &route.id)
        });
        if !known {
            routes.push(RouteCoverage {
                api: route.api.clone(),
                version: route.version.clone(),
                id: route.id.clone(),
                path: route.path.clone(),
                allowed: 0,
                refused: 0,
                can_refuse: route
                    .chain
                    .policies()
                    .iter()
                    .any(|bound| bound.mode == Mode::Enforce && can_refuse(bound)),
            });
        }
    }
    routes
}

/// Kinds without reasons never refuse, but for `any_of`, whose reasons are those of its ways.
fn can_refuse(bound: &BoundPolicy) -> bool {
    bound.kind.phase == Phase::Identify || !bound.kind.reasons.is_empty()
}

fn policies(revision: &Revision) -> Vec<PolicyCoverage> {
    let mut policies: Vec<PolicyCoverage> = Vec::new();
    for bound in revision
        .routes
        .iter()
        .flat_map(|route| route.chain.policies())
    {
        let known = policies
            .iter()
            .any(|known| known.id == bound.id && known.origin == *bound.scope);
        if !known {
            policies.push(PolicyCoverage {
                id: bound.id.clone(),
                kind: bound.kind.name,
                origin: bound.scope.to_string(),
                mode: bound.mode,
                allowed: 0,
                denied: 0,
                answered: 0,
                can_refuse: can_refuse(bound),
            });
        }
    }
    policies
}
