//! What routes and policies are called in a report.

use std::sync::Arc;

use lockgate_policy::{BoundPolicy, Route};

use crate::report::{PolicyName, RouteName};

/// The names of a route.
pub fn route_name(route: &Route) -> RouteName {
    RouteName {
        api: route.api.clone(),
        version: route.version.clone(),
        id: route.id.clone(),
    }
}

/// The names of a policy.
pub fn policy_name(policy: &Arc<BoundPolicy>) -> PolicyName {
    PolicyName {
        scope: policy.scope.clone(),
        id: policy.id.clone(),
        kind: policy.kind.name,
    }
}
