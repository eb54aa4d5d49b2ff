//! What a document may say and this build does not serve. It is refused at the start: a gateway that leaves out a part of its
//! document in silence has a hole.

use lockgate_config::Problem;
use lockgate_policy::{Revision, RouteTarget};

/// One problem for each part of the document that this build would leave out.
pub fn unserved(revision: &Revision) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut refuse = |what: String| {
        problems.push(
            Problem::in_file("document", format!("{what} is not served by this build"))
                .help("leave it out"),
        );
    };
    for route in &revision.routes {
        if matches!(route.target, RouteTarget::Aggregate(_)) {
            refuse(format!("the `aggregate` of the route `{}`", route.id));
        }
        for policy in route
            .chain
            .policies()
            .iter()
            .filter(|policy| policy.kind.name == "cache")
        {
            refuse(format!("the `cache` policy `{}`", policy.id));
        }
    }
    problems.dedup();
    problems
}
