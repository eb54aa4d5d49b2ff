use http::Method;
use lockgate_policy::{Outcome, Progress, Reply, Step};

use super::{judged, values};
use crate::support::*;

fn gateway(settings: &str) -> String {
    with(&[&format!("{{ id: closed, kind: respond, {settings} }}")])
}

fn reply(gateway: &str) -> Reply {
    let step = judged(
        &compile(gateway),
        (&Method::GET, NOW),
        |route, view, env| route.advance(view, &mut Progress::default(), env),
    );
    match step {
        Step::Decided(Outcome::Respond(reply)) => *reply,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_answer_is_what_the_document_says() {
    let closed = gateway(
        "status: 503, headers: { Retry-After: \"3600\" }, json: { title: closed, until: [1, 2.5] }",
    );
    let answer = trace(&closed, &call("GET", "/orders/7", &[]));
    assert_eq!((answer.status, code(&answer)), (Some(503), "respond.fixed"));
    assert_eq!(values(&answer, "retry-after"), ["3600"]);
    assert_eq!(values(&answer, "content-type"), ["application/json"]);
    assert_eq!(reply(&closed).body, r#"{"title":"closed","until":[1,2.5]}"#);
    let text = reply(&gateway(
        "text: \"User-agent: *\\n\", content_type: text/x-robots",
    ));
    assert_eq!(
        (text.status.as_u16(), &text.body[..]),
        (200, &b"User-agent: *\n"[..])
    );
    assert_eq!(text.headers[0].1, "text/x-robots");
    let empty = reply(&gateway("status: 204"));
    assert_eq!(
        (empty.status.as_u16(), empty.headers.len(), empty.body.len()),
        (204, 0, 0)
    );
}

#[test]
fn policies_before_it_are_asked_first() {
    let gateway = with(&[
        "{ id: closed, kind: respond, text: hello }",
        "{ id: key, kind: api_key }",
    ]);
    assert_eq!(
        code(&trace(&gateway, &call("GET", "/orders", &[]))),
        "api_key.missing"
    );
    let known = call("GET", "/orders", &[("X-Api-Key", KEY)]);
    assert_eq!(code(&trace(&gateway, &known)), "respond.fixed");
}

#[test]
fn a_route_that_answers_itself_needs_no_upstream() {
    let alone = gateway("text: hello").replace("        upstream: orders\n", "");
    assert_eq!(
        code(&trace(&alone, &call("GET", "/orders", &[]))),
        "respond.fixed"
    );
    let shadow = alone.replace("kind: respond", "kind: respond, mode: shadow");
    assert!(messages(&shadow).contains("nobody answers requests to `orders/v1`"));
}

#[test]
fn bad_settings_say_what_to_write() {
    for (settings, expected) in [
        (
            "status: 101",
            "`101` is not the status of a fixed answer; write a status from 200 to 599",
        ),
        ("status: 304", "`304` is not the status"),
        ("status: 600", "`600` is not the status"),
        (
            "text: a, json: {}",
            "an answer has one body; write only one of `text` and `json`",
        ),
        (
            "status: 204, text: a",
            "an answer with this status has no body; take the body out",
        ),
        ("content_type: text/html", "no body that could be of a type"),
        (
            "text: a, content_type: html",
            "`html` is not a content type; write one such as `text/html",
        ),
        (
            "headers: { Content-Type: a/b }",
            "the type of the body stands in `content_type`",
        ),
        (
            "headers: { Content-Length: \"1\" }",
            "`Content-Length` is written by the gateway alone",
        ),
        ("headers: { \"a b\": \"1\" }", "`a b` is not a field name"),
        (
            "headers: { X-A: \"a\\nb\" }",
            "the value of `X-A` holds a character that fields cannot hold",
        ),
        ("body: a", "unknown field `body`"),
    ] {
        let found = messages(&gateway(settings));
        assert!(found.contains(expected), "{settings}: {found}");
    }
}
