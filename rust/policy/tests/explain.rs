//! Requests as people write them, explained.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use lockgate_policy::ExplainRequest;
use support::*;

#[test]
fn an_explained_request_has_the_fields_that_every_client_sends() {
    let document = with(&[
        "{ id: length, kind: ip_filter, deny: [127.0.0.1], when: 'request.headers[\"content-length\"] != \"2\"' }",
        "{ id: host, kind: ip_filter, deny: [127.0.0.1], when: 'request.headers[\"host\"] != \"api.example\"' }",
    ]);
    let request = ExplainRequest {
        body: Some("{}".into()),
        ..call(
            "POST",
            "http://api.example/orders/7?next=http://elsewhere.example/",
            &[],
        )
    };
    let trace = trace(&document, &request);
    assert_eq!((trace.decision, code(&trace)), ("forward", ""));
    let forwarded = trace.forwarded.unwrap();
    assert_eq!(forwarded.path, "/7");
    assert_eq!(
        forwarded.query.as_deref(),
        Some("next=http://elsewhere.example/")
    );
}

#[test]
fn a_fact_can_be_said_to_be_unavailable() {
    let document = with(&[
        "{ id: token, kind: oauth2_introspection, endpoint: 'https://id.example.com/a', client_id: a, client_secret: '${env:A}' }",
    ]);
    let mut request = call("GET", "/orders/7", &[("Authorization", "Bearer a")]);
    assert_eq!(trace(&document, &request).decision, "need");
    request.facts = vec!["unavailable".into()];
    assert_eq!(code(&trace(&document, &request)), "policy.undecided");
}
