use http::{HeaderMap, Method, StatusCode};
use lockgate_policy::{Outcome, Progress, ResponseEdit, ResponseView, Revision, Step};

use super::judged;
use crate::support::*;

const PRIVACY: &str =
    "{ id: privacy, kind: redact, fields: [ssn], patterns: [card_number, email], up_to: 100B }";

struct Service<'a> {
    method: Method,
    status: u16,
    headers: &'a [(&'a str, &'a str)],
    body: &'a str,
}

fn json(body: &str) -> Service<'_> {
    Service {
        method: Method::GET,
        status: 200,
        headers: &[("content-type", "application/json")],
        body,
    }
}

/// What the caller gets: the body, or the code of the refusal; and the fields that are removed.
fn answer(revision: &Revision, service: &Service<'_>) -> (String, Vec<String>) {
    let mut fields = HeaderMap::new();
    for (name, value) in service.headers {
        let name: http::HeaderName = name.parse().unwrap();
        fields.append(name, value.parse().unwrap());
    }
    let response = ResponseView {
        status: StatusCode::from_u16(service.status).unwrap(),
        headers: &fields,
        body: None,
    };
    let mut progress = Progress::default();
    let body = judged(revision, (&service.method, NOW), |route, view, env| {
        let step = route.advance(view, &mut progress, env);
        assert!(matches!(step, Step::Decided(Outcome::Forward)), "{step:?}");
        let chain = &route.chain;
        let Some(limit) = chain.judge_response(view, &response, &mut progress, env)? else {
            return Ok(None);
        };
        let body = Some(service.body.as_bytes()).filter(|body| body.len() <= limit);
        chain.judge_body(view, (&response, body), &mut progress, env)
    });
    let body = match body {
        Err(refusal) => refusal.reason.code.to_owned(),
        Ok(None) => service.body.to_owned(),
        Ok(Some(body)) => String::from_utf8(body.to_vec()).unwrap(),
    };
    let removed = progress.edits.iter().map(|edit| match edit {
        ResponseEdit::Remove(name) => name.to_string(),
        other => panic!("{other:?}"),
    });
    (body, removed.collect())
}

#[test]
fn named_fields_and_patterns_are_replaced_and_what_speaks_of_the_bytes_is_removed() {
    let revision = compile(&with(&[PRIVACY]));
    let (body, removed) = answer(
        &revision,
        &json(r#"{"ssn":1, "to":"a@b.example", "n":4111111111111111, "x":1.0}"#),
    );
    assert_eq!(
        body,
        r#"{"ssn":"[redacted]", "to":"[redacted]", "n":"[redacted]", "x":1.0}"#
    );
    for name in ["content-length", "etag", "content-digest", "signature"] {
        assert!(removed.contains(&name.to_owned()), "{name}");
    }
    let (same, removed) = answer(&revision, &json(r#"{"a":1}"#));
    assert_eq!((same.as_str(), removed.len()), (r#"{"a":1}"#, 0));
}

#[test]
fn each_policy_sees_what_the_one_before_left() {
    let revision = compile(&with(&[
        "{ id: one, kind: redact, expressions: [\"a+\"], replacement: b }",
        "{ id: two, kind: redact, expressions: [\"b\"], replacement: c }",
    ]));
    assert_eq!(answer(&revision, &json("xaay")).0, "xcy");
}

#[test]
fn what_cannot_be_looked_at_follows_on_error() {
    let denies = compile(&with(&[PRIVACY]));
    let allows = compile(&with(&[
        &PRIVACY.replace("kind: redact", "kind: redact, on_error: allow")
    ]));
    let shadow = compile(&with(&[
        &PRIVACY.replace("kind: redact", "kind: redact, mode: shadow")
    ]));
    let large = format!("\"{}\"", "a".repeat(200));
    let with_fields = |headers| Service {
        headers,
        ..json("{}")
    };
    for service in [
        json(&large),
        json("ssn=1"),
        with_fields(&[("content-encoding", "gzip")]),
        with_fields(&[("content-encoding", "identity"), ("content-encoding", "br")]),
        with_fields(&[("content-type", "text/event-stream; charset=utf-8")]),
        with_fields(&[("content-type", "application/grpc+proto")]),
        with_fields(&[("content-type", "Application/X-NDJSON")]),
        Service {
            status: 206,
            ..json("{}")
        },
        Service {
            status: 101,
            ..json("")
        },
    ] {
        assert_eq!(
            answer(&denies, &service).0,
            "policy.undecided",
            "{:?}",
            service.headers
        );
        assert_eq!(answer(&allows, &service).0, service.body);
        assert_eq!(answer(&shadow, &service).0, service.body);
    }
}

#[test]
fn an_answer_without_a_body_passes() {
    let revision = compile(&with(&[PRIVACY]));
    for status in [200, 204, 304] {
        let service = Service { status, ..json("") };
        assert_eq!(
            answer(&revision, &service),
            (String::new(), Vec::new()),
            "{status}"
        );
    }
    let head = Service {
        method: Method::HEAD,
        headers: &[("content-encoding", "gzip")],
        ..json("")
    };
    let (body, removed) = answer(&revision, &head);
    assert_eq!(body, "");
    assert!(removed.contains(&"content-length".to_owned()));
}

#[test]
fn text_is_looked_at_when_no_field_is_named() {
    let revision = compile(&with(&[
        "{ id: privacy, kind: redact, expressions: [\"EMP-[0-9]{6}\"], replacement: \"\" }",
    ]));
    assert_eq!(answer(&revision, &json("<p>EMP-123456</p>")).0, "<p></p>");
}

#[test]
fn a_policy_that_did_not_apply_to_the_request_does_not_apply_to_the_answer() {
    for condition in [
        "when: 'request.method == \"POST\"'",
        "expires: 2020-01-01",
        "mode: shadow",
    ] {
        let policy = PRIVACY.replace("kind: redact", &format!("kind: redact, {condition}"));
        let revision = compile(&with(&[&policy]));
        assert_eq!(
            answer(&revision, &json(r#"{"ssn":1}"#)).0,
            r#"{"ssn":1}"#,
            "{condition}"
        );
    }
}

#[test]
fn the_service_is_asked_for_a_whole_answer_without_encoding() {
    let request = call(
        "GET",
        "/orders/7",
        &[("Accept-Encoding", "gzip"), ("Range", "bytes=0-9")],
    );
    let forwarded = trace(&with(&[PRIVACY]), &request).forwarded.unwrap();
    assert!(
        forwarded
            .headers
            .contains(&("accept-encoding".into(), Some("identity".into())))
    );
    assert!(forwarded.headers.contains(&("range".into(), None)));
}

#[test]
fn bad_settings_say_what_to_write() {
    for (settings, expected) in [
        (
            "up_to: 1KiB",
            "replaces nothing; write `fields`, `patterns` or `expressions`",
        ),
        ("fields: [\"\"]", "the text is empty"),
        ("fields: [\"/\"]", "`/` names no field"),
        ("fields: []", "the list is empty"),
        ("patterns: [card_numbers]", "did you mean `card_number`?"),
        (
            "expressions: [\"a*\"]",
            "finds the empty text, which is everywhere",
        ),
        (
            "expressions: [\"(a\"]",
            "this is not a regular expression: unclosed group",
        ),
        (
            "expressions: ['(?=a)b']",
            "this is not a regular expression: look-around",
        ),
        (
            "expressions: [\"(a{1,1000}){1,1000}\"]",
            "is too large; repeat less",
        ),
        ("field: [a]", "did you mean `fields`?"),
    ] {
        let found = messages(&with(&[&format!(
            "{{ id: privacy, kind: redact, {settings} }}"
        )]));
        assert!(found.contains(expected), "{settings}: {found}");
    }
}
