//! How two decisions about a request differ.

use lockgate_policy::{Part, RouteTarget};
use lockgate_recording::Decision;

use crate::judgement::Decided;
use crate::report::Change;

/// How two decisions differ.
pub fn change(base: &Decided<'_>, candidate: &Decided<'_>) -> Option<Change> {
    let refuses = |decided: &Decided<'_>| decided.decision == Decision::Refuse;
    match (refuses(base), refuses(candidate)) {
        (false, true) => Some(Change::NewlyRefused),
        (true, false) => Some(Change::NewlyAllowed),
        (true, true) => (base.code != candidate.code).then_some(Change::ChangedReason),
        (false, false) => {
            let alike = base.decision == candidate.decision
                && base.code == candidate.code
                && base.redacted == candidate.redacted
                && match (base.route, candidate.route) {
                    (Some(base), Some(candidate)) => same_target(&base.target, &candidate.target),
                    _ => true,
                };
            (!alike).then_some(Change::AnsweredOtherwise)
        }
    }
}

fn same_target(a: &RouteTarget, b: &RouteTarget) -> bool {
    match (a, b) {
        (RouteTarget::Nobody, RouteTarget::Nobody) => true,
        // Whom the caller asks stands in its request.
        (RouteTarget::Models(_), RouteTarget::Models(_)) => true,
        (RouteTarget::Upstream(a), RouteTarget::Upstream(b)) => a == b,
        (RouteTarget::Split(a), RouteTarget::Split(b)) => a == b,
        (RouteTarget::Prompt(a), RouteTarget::Prompt(b)) => a == b,
        (RouteTarget::Aggregate(a), RouteTarget::Aggregate(b)) => {
            let parts = |parts: &[Part]| {
                let names = parts
                    .iter()
                    .map(|part| (part.upstream.clone(), part.path.clone()));
                names.collect::<Vec<_>>()
            };
            parts(a) == parts(b)
        }
        _ => false,
    }
}
