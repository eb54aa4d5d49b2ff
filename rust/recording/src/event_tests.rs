use proptest::prelude::*;

use super::*;
use crate::words::{Said, TakenOut};

fn full() -> Event {
    Event {
        at: 1_700_000_000_000_001,
        id: "r-1".into(),
        node: "n1".into(),
        revision: "ab12".into(),
        listener: "public".into(),
        client: Some("2001:db8::1".parse().unwrap()),
        method: "POST".into(),
        scheme: "https".into(),
        host: "api.example".into(),
        path: "/orders".into(),
        query: Some("a=1".into()),
        version: "2".into(),
        headers: [("accept", "*/*")].into_iter().collect(),
        api: Some("orders".into()),
        api_version: Some("v1".into()),
        route: Some("create".into()),
        application: Some("shop".into()),
        subject: Some("user-7".into()),
        claims: Some(Arc::new(
            serde_json::json!({"iss": "https://issuer.example"}),
        )),
        facts: vec![Arc::new(serde_json::json!({"kind": "keys"}))],
        decision: Decision::Refuse,
        code: Some("rate_limited".into()),
        verdicts: vec![Verdict {
            id: "limit".into(),
            kind: "rate_limit".into(),
            scope: "apis.orders".into(),
            word: "deny".into(),
            code: Some("rate_limited".into()),
            shadow: true,
            rule: None,
            found_by: None,
        }],
        status: 429,
        grpc_status: Some(8),
        broke_off: true,
        upstream: Some("orders".into()),
        target: Some("10.0.0.1:80".into()),
        tries: 2,
        bytes_in: 10,
        bytes_out: 20,
        latency_us: 30,
        upstream_us: 25,
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
        body: Some("{}".into()),
        body_truncated: true,
        model_call: Some(Box::new(ModelCall {
            model: "fast".into(),
            provider: Some("moonshot".into()),
            provider_model: Some("kimi-k2".into()),
            stream: true,
            from_cache: true,
            input_tokens: Some(12),
            cached_tokens: Some(0),
            cache_write_tokens: Some(5),
            cache_write_hour_tokens: Some(2),
            output_tokens: Some(7),
            reasoning_tokens: Some(3),
            finish: Some("length".into()),
            cost: Some(40),
            priced_by: Some("2026-11-26".into()),
            partial: true,
            given_back: true,
            failure: Some("upstream_stream_truncated".into()),
            lost: Some("dropped=top_k".into()),
        })),
        prompt: Some(Box::new(Prompt {
            model: Some("fast".into()),
            input: Some(120),
            unbounded: true,
            max_output: Some(0),
            candidates: Some(2),
            words: Some(words()),
        })),
        answer: Some(Box::new(words())),
        ..Event::default()
    }
}

fn words() -> Words {
    Words {
        said: vec![Said {
            by: "user".into(),
            text: "mail [EMAIL_1]".into(),
            taken_out: Some(TakenOut {
                data: vec!["email".into()],
                attempts: vec!["override".into()],
            }),
        }],
        cut: true,
    }
}

#[test]
fn an_event_comes_back_from_its_json_equal() {
    for event in [full(), Event::default()] {
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    }
}

#[test]
fn the_json_is_one_line_and_says_its_version_first() {
    let mut event = full();
    event.body = Some("two\nlines".into());
    let text = serde_json::to_string(&event).unwrap();
    assert!(
        text.starts_with(r#"{"v":4,"at":1700000000000001,"#),
        "{text}"
    );
    assert!(!text.contains('\n'));
    assert!(text.contains(r#""decision":"refuse""#) && text.contains(r#""client":"2001:db8::1""#));
}

#[test]
fn absent_fields_are_not_written() {
    let text = serde_json::to_string(&Event::default()).unwrap();
    for absent in [
        "query", "headers", "api", "claims", "facts", "code", "verdicts", "has_body", "body",
        "prompt", "answer", "null",
    ] {
        assert!(
            !text.contains(&format!("\"{absent}\"")),
            "{absent} in {text}"
        );
    }
}

#[test]
fn events_of_a_newer_version_are_read_without_what_is_unknown() {
    let event: Event =
        serde_json::from_str(r#"{"v":9,"at":5,"flux":{"a":[1]},"status":201}"#).unwrap();
    assert_eq!((event.v, event.at, event.status), (9, 5, 201));
}

#[test]
fn events_of_an_older_version_are_read_with_defaults_for_what_is_missing() {
    let event: Event = serde_json::from_str(
        r#"{"status":404,"verdicts":[{"id":"a","kind":"b","scope":"c","word":"deny"}]}"#,
    )
    .unwrap();
    assert_eq!(
        (event.v, event.status, event.decision),
        (SCHEMA_VERSION, 404, Decision::Forward)
    );
    assert!(!event.verdicts[0].shadow);
}

#[test]
fn a_body_is_cut_at_a_character() {
    let mut event = Event::default();
    event.keep_body("aé".as_bytes(), 2);
    assert_eq!(
        (event.body.as_deref(), event.body_truncated),
        (Some("a"), true)
    );
    event.keep_body("aé".as_bytes(), 3);
    assert_eq!(
        (event.body.as_deref(), event.body_truncated),
        (Some("aé"), false)
    );
}

#[test]
fn a_body_that_is_not_text_is_not_kept_but_noted() {
    let mut event = Event::default();
    for body in [&b"a\xff\xfeb"[..], b"ab\xc3"] {
        event.keep_body(body, 100);
        assert_eq!((event.body.as_deref(), event.body_truncated), (None, true));
    }
}

proptest! {
    #[test]
    fn keeping_a_body_never_panics_nor_exceeds_the_limit(body: Vec<u8>, limit in 0usize..40) {
        let mut event = Event::default();
        event.keep_body(&body, limit);
        prop_assert!(event.body.as_deref().unwrap_or_default().len() <= limit);
    }

    #[test]
    fn reading_any_text_as_an_event_never_panics(text: String) {
        let _ = serde_json::from_str::<Event>(&text);
    }
}
