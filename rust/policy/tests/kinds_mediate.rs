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

/// The values of a field in an explanation.
fn values<'a>(trace: &'a lockgate_policy::Trace, name: &str) -> Vec<&'a str> {
    let fields = trace.headers.iter();
    let named = fields.filter(|(known, _)| known == name);
    named.map(|(_, value)| value.as_str()).collect()
}
