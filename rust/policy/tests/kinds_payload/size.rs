use lockgate_policy::{Body, Counters, Effect, Env, Facts, Outcome, Progress, RequestView, Step};

use super::told;
use crate::support::*;

fn gateway(settings: &str) -> String {
    with(&[&format!("{{ id: small, kind: size, {settings} }}")])
}

/// What the policy says of a body, and what it bounds.
fn with_body(settings: &str, body: Body<'_>) -> (String, Vec<String>) {
    let revision = compile(&gateway(settings));
    let (method, headers, facts) = (http::Method::POST, http::HeaderMap::new(), Facts::default());
    let route = revision.route("localhost", "/orders/7", &method, &headers);
    let route = route.unwrap();
    let view = RequestView {
        method: &method,
        scheme: "http",
        host: "localhost",
        path: "/orders/7",
        query: None,
        version: http::Version::HTTP_11,
        headers: &headers,
        client: [192, 0, 2, 1].into(),
        certificate: None,
        body,
        variables: &[],
        identity: None,
        prompt: None,
    };
    let mut env = Env {
        now: NOW,
        facts: &facts,
        directory: &revision.directory,
        counters: &std::sync::Arc::<Counters>::default(),
    };
    let mut progress = Progress::default();
    match route.advance(&view, &mut progress, &mut env) {
        Step::Decided(Outcome::Forward) => {
            let bounds = progress.effects.iter().map(|effect| match effect {
                Effect::LimitBody(bytes) => format!("{bytes} bytes"),
                Effect::ReceiveWithin(time) => format!("{time:?}"),
                other => panic!("{other:?}"),
            });
            (String::new(), bounds.collect())
        }
        Step::Decided(Outcome::Refuse(refusal)) => (refusal.reason.code.to_owned(), Vec::new()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_path_and_query_longer_than_uri_are_refused_with_414() {
    // `/orders/7?q=` has 12 bytes.
    let gateway = gateway("uri: 20B");
    for (length, expected) in [
        (7, (0, "")),
        (8, (0, "")),
        (9, (414, "size.uri_too_long")),
        (900, (414, "size.uri_too_long")),
    ] {
        let url = format!("/orders/7?q={}", "a".repeat(length));
        assert_eq!(told(&trace(&gateway, &call("GET", &url, &[]))), expected);
    }
}

#[test]
fn a_head_is_measured_as_http_1_1_writes_it() {
    // `GET /orders/7 HTTP/1.1` with its line end has 24 bytes, `host: localhost` 17, `a: ` with its line end 5, the empty line 2.
    for (limit, expected) in [(50, ""), (49, "size.head_too_large")] {
        let gateway = gateway(&format!("head: {limit}B"));
        let trace = trace(&gateway, &call("GET", "/orders/7", &[("A", "bc")]));
        assert_eq!(code(&trace), expected, "{limit}");
    }
}

#[test]
fn every_value_of_a_repeated_field_counts() {
    let gateway = gateway("fields: 3");
    let ask = |fields: &[(&str, &str)]| {
        let trace = trace(&gateway, &call("GET", "/orders/7", fields));
        (trace.status.unwrap_or_default(), trace.remedy)
    };
    assert_eq!(ask(&[("A", "1"), ("A", "2")]).0, 0);
    let (status, remedy) = ask(&[("A", "1"), ("A", "2"), ("B", "3")]);
    assert_eq!(status, 431);
    assert!(remedy.unwrap().starts_with("send fewer fields"));
}

#[test]
fn an_announced_body_is_refused_at_once_and_another_is_bounded_while_it_streams() {
    let over = "request.body_too_large";
    for (body, expected) in [
        (Body::Absent, ""),
        (Body::Unread(Some(10)), ""),
        (Body::Unread(Some(11)), over),
        (Body::Read(&[0; 10]), ""),
        (Body::Read(&[0; 11]), over),
        (Body::TooLarge(10), over),
        (Body::TooLarge(9), ""),
    ] {
        assert_eq!(with_body("body: 10B", body).0, expected, "{body:?}");
    }
    let (code, bounds) = with_body("body: 10B, receive_within: 5s", Body::Unread(None));
    assert_eq!(
        (code.as_str(), bounds),
        ("", vec!["10 bytes".into(), "5s".into()])
    );
    let (_, nothing) = with_body("body: 10B, receive_within: 5s", Body::Absent);
    assert!(nothing.is_empty());
}

#[test]
fn in_shadow_a_body_is_not_bounded() {
    let (code, bounds) = with_body("body: 10B, mode: shadow", Body::Unread(Some(11)));
    assert_eq!((code.as_str(), bounds), ("", Vec::new()));
}

#[test]
fn bad_settings_say_what_to_write() {
    for (settings, expected) in [
        (
            "mode: enforce",
            "the policy bounds nothing; write at least one of `uri: 8KiB`",
        ),
        (
            "body: 0B",
            "`0B` is no size at all; write a size such as `512B`",
        ),
        ("body: 10", "`10` has no unit"),
        ("fields: 0", "expected a whole number above zero, found `0`"),
        ("fields: -1", "found `-1`"),
        ("receive_within: 0s", "`0s` is no time at all"),
        ("boddy: 1B", "unknown field `boddy`; did you mean `body`?"),
    ] {
        let found = messages(&gateway(settings));
        assert!(found.contains(expected), "{settings}: {found}");
    }
}
