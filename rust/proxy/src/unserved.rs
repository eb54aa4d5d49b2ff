//! What a document may say and this build does not serve. It is refused at the start: a gateway that leaves out a part of its
//! document in silence has a hole.

use lockgate_config::{Balance, Document, HostHeader, HttpVersion, Problem};
use lockgate_policy::{Revision, RouteTarget};

/// One problem for each part of the document that this build would leave out.
pub fn unserved(revision: &Revision) -> Vec<Problem> {
    let document: &Document = &revision.document;
    let mut problems = Vec::new();
    let mut refuse = |what: String| {
        problems.push(
            Problem::in_file("document", format!("{what} is not served by this build"))
                .help("leave it out"),
        );
    };
    for entry in &document.listeners {
        if entry.value.tls.is_some() {
            refuse(format!("`tls` of the listener `{}`", entry.id));
        }
    }
    for entry in &document.upstreams {
        let (name, settings) = (&entry.id, &entry.value);
        let named = [
            (
                "an `https` target",
                settings
                    .targets
                    .iter()
                    .any(|target| target.url.starts_with("https")),
            ),
            ("`health`", settings.health.is_some()),
            ("`retries`", settings.retries.is_some()),
            ("`slow_start`", settings.slow_start.is_some()),
            ("`circuit.failures`", settings.circuit.failures.is_some()),
            ("`hash_by`", settings.hash_by.is_some()),
            ("`http: http2`", settings.http == HttpVersion::Http2),
            ("`host: caller`", settings.host == HostHeader::Caller),
            (
                "`balance` by `ewma` or `consistent_hash`",
                matches!(settings.balance, Balance::Ewma | Balance::ConsistentHash),
            ),
            ("`per_try`", settings.timeouts.per_try.is_some()),
            (
                "a `weight`",
                settings
                    .targets
                    .iter()
                    .any(|target| target.weight.get() > 1),
            ),
        ];
        for (what, _) in named.iter().filter(|(_, is)| *is) {
            refuse(format!("{what} of the upstream `{name}`"));
        }
    }
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
    if document.recording.is_some() {
        refuse("`recording`".into());
    }
    if document.access_log.is_some() {
        refuse("`access_log`".into());
    }
    problems.dedup();
    problems
}
