//! The kinds of the phases `mediate` and `response`, from outside.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

#[path = "kinds_mediate/cors.rs"]
mod cors;
#[path = "kinds_mediate/deprecation.rs"]
mod deprecation;
#[path = "kinds_mediate/headers.rs"]
mod headers;
#[path = "kinds_mediate/redact.rs"]
mod redact;
#[path = "kinds_mediate/redirect.rs"]
mod redirect;
#[path = "kinds_mediate/respond.rs"]
mod respond;
#[path = "kinds_mediate/response_headers.rs"]
mod response_headers;
#[path = "kinds_mediate/rewrite.rs"]
mod rewrite;
mod support;

use std::sync::Arc;

use http::{HeaderMap, Method};
use lockgate_policy::{Body, Env, Facts, RequestView, Revision, Route, Timestamp, Trace};

/// The example of a kind, from its documentation: policies, one a line.
fn example(kind: &str) -> Vec<String> {
    let path = format!("{}/src/kinds/{kind}.rs", env!("CARGO_MANIFEST_DIR"));
    let source = std::fs::read_to_string(path).unwrap();
    let (_, rest) = source.split_once("//! ```yaml\n").unwrap();
    let (yaml, _) = rest.split_once("//! ```").unwrap();
    let yaml = yaml.replace("//! ", "").replace("\n    ", " ");
    let policies = yaml.lines().map(|line| line.strip_prefix("- ").unwrap());
    policies.map(str::to_owned).collect()
}

#[test]
fn the_examples_of_the_documentation_compile() {
    for kind in [
        "cors",
        "deprecation",
        "redact",
        "redirect",
        "respond",
        "response_headers",
        "rewrite",
    ] {
        for policy in example(kind) {
            let route = format!("{{ match: {{ path: \"/{{id}}\" }}, policies: [{policy}] }}");
            let v2 = "      v2: { base: /orders/v2, upstream: orders }\n";
            let document = support::document("", &support::section("routes", &[&route])) + v2;
            assert_eq!(support::messages(&document), "", "{policy}");
        }
    }
}

/// Shows a request for `/orders/7` to its route at a time.
fn judged<T>(
    revision: &Revision,
    (method, now): (&Method, Timestamp),
    judge: impl FnOnce(&Route, &RequestView<'_>, &mut Env<'_>) -> T,
) -> T {
    let (headers, facts) = (HeaderMap::new(), Facts::default());
    let route = revision.route("localhost", "/orders/7", method, &headers);
    let view = RequestView {
        method,
        scheme: "http",
        host: "localhost",
        path: "/orders/7",
        query: None,
        version: http::Version::HTTP_11,
        headers: &headers,
        client: [192, 0, 2, 1].into(),
        certificate: None,
        body: Body::Absent,
        variables: &[],
        identity: None,
        prompt: None,
    };
    let mut env = Env {
        now,
        facts: &facts,
        directory: &revision.directory,
        counters: &Arc::default(),
    };
    judge(route.unwrap(), &view, &mut env)
}

/// The values of a field in an explanation.
fn values<'a>(trace: &'a Trace, name: &str) -> Vec<&'a str> {
    let fields = trace.headers.iter();
    let named = fields.filter(|(known, _)| known == name);
    named.map(|(_, value)| value.as_str()).collect()
}
