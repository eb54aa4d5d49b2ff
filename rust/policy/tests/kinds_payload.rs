//! The kinds that bound what requests carry, from outside.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

#[path = "kinds_payload/graphql_limits.rs"]
mod graphql_limits;
#[path = "kinds_payload/json_limits.rs"]
mod json_limits;
#[path = "kinds_payload/payload_guard.rs"]
mod payload_guard;
#[path = "kinds_payload/payload_rules.rs"]
mod payload_rules;
#[path = "kinds_payload/schema.rs"]
mod schema;
#[path = "kinds_payload/schema_answers.rs"]
mod schema_answers;
#[path = "kinds_payload/schema_bodies.rs"]
mod schema_bodies;
#[path = "kinds_payload/schema_documents.rs"]
mod schema_documents;
#[path = "kinds_payload/schema_parameters.rs"]
mod schema_parameters;
#[path = "kinds_payload/size.rs"]
mod size;
mod support;
#[path = "kinds_payload/xml_limits.rs"]
mod xml_limits;

/// Status and code of an explained request; empty for a forwarded one.
fn told(trace: &lockgate_policy::Trace) -> (u16, &str) {
    (trace.status.unwrap_or_default(), support::code(trace))
}

/// A request with a body of a type.
fn post(url: &str, content_type: &str, body: impl Into<String>) -> lockgate_policy::ExplainRequest {
    let mut request = support::call("POST", url, &[("Content-Type", content_type)]);
    request.body = Some(body.into());
    request
}
