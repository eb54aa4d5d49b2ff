use std::collections::BTreeMap;
use std::sync::Arc;

use http::Uri;
use lockgate_recording::{Text, Verdict};
use opentelemetry_proto::tonic::common::v1::any_value::Value;

use super::*;
use crate::forward::Tried;
use crate::trace::SpanIds;

const IDS: SpanIds = SpanIds {
    trace: [1; 16],
    caller: Some([2; 8]),
    request: [3; 8],
    call: [4; 8],
};

fn traced() -> Traced {
    let mut traced = Traced::of(IDS);
    traced.route = Some(Arc::from("/orders/{id}"));
    traced
}

fn called(whom: Whom, answer: Result<u16, &'static str>) -> Traced {
    let mut traced = traced();
    traced.calls(whom, Duration::from_micros(5));
    let tried = Tried {
        tries: 2,
        ..Tried::default()
    };
    let (began, ended) = (Duration::from_micros(10), Duration::from_micros(90));
    let answer = answer.map(|status| http::StatusCode::from_u16(status).unwrap());
    traced.called(&tried, Some(began), ended, answer);
    traced
}

fn event() -> Event {
    Event {
        at: 1_000_000,
        id: Text::from("r1"),
        path: Text::from("/orders/7"),
        host: Text::from("api.example"),
        status: 200,
        latency_us: 100,
        ..Event::default()
    }
}

fn spans(event: Event, traced: Traced) -> Vec<Span> {
    let redactor = Redactor::new([7; 32], ["X-Pin"]);
    let traced = Box::new(traced);
    spans_of(Ended { event, traced }, &redactor).collect()
}

fn shown(value: &Value) -> String {
    match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        Value::BoolValue(is_so) => is_so.to_string(),
        Value::ArrayValue(all) => {
            let all = all.values.iter().filter_map(|one| one.value.as_ref());
            all.map(shown).collect::<Vec<_>>().join(" ")
        }
        other => panic!("{other:?}"),
    }
}

fn about(span: &Span) -> BTreeMap<&str, String> {
    let attributes = span.attributes.iter();
    let named = attributes.map(|one| {
        let value = one.value.as_ref().and_then(|any| any.value.as_ref());
        (&*one.key, shown(value.unwrap()))
    });
    named.collect()
}

fn is_error(span: &Span) -> bool {
    let status = span.status.as_ref();
    status.is_some_and(|status| status.code == i32::from(StatusCode::Error))
}

#[test]
fn a_request_is_a_span_of_a_server_in_the_callers_trace() {
    let [span] = &spans(event(), traced())[..] else {
        panic!("one span")
    };
    assert_eq!(span.trace_id, [1; 16]);
    assert_eq!(
        (&span.span_id[..], &span.parent_span_id[..]),
        (&[3; 8][..], &[2; 8][..])
    );
    assert_eq!(
        span.flags, 0x301,
        "sampled, with a parent of another process"
    );
    assert_eq!(span.kind, i32::from(SpanKind::Server));
    assert_eq!(span.name, "GET /orders/{id}");
    assert_eq!(
        (span.start_time_unix_nano, span.end_time_unix_nano),
        (1_000_000_000, 1_000_100_000)
    );
    let about = about(span);
    for (name, expected) in [
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("http.route", "/orders/{id}"),
        ("url.path", "/orders/7"),
        ("url.scheme", "http"),
        ("server.address", "api.example"),
        ("network.protocol.version", "1.1"),
        ("lockgate.decision", "forward"),
        ("lockgate.request_id", "r1"),
    ] {
        assert_eq!(
            about.get(name).map(String::as_str),
            Some(expected),
            "{name}"
        );
    }
    assert!(!is_error(span) && !about.contains_key("error.type"));
}

#[test]
fn the_call_to_a_service_is_a_span_below_under_the_id_that_the_service_was_told() {
    let path = Uri::from_static("/orders/7?key=from-a-policy");
    let spans = spans(event(), called(Whom::Service(path), Ok(200)));
    let [request, call] = &spans[..] else {
        panic!("two spans")
    };
    assert_eq!(call.trace_id, request.trace_id);
    assert_eq!(
        (&call.span_id[..], &call.parent_span_id),
        (&[4; 8][..], &request.span_id)
    );
    assert_eq!(call.flags, 0x101, "its parent is of this process");
    assert_eq!(call.kind, i32::from(SpanKind::Client));
    assert_eq!(
        (call.start_time_unix_nano, call.end_time_unix_nano),
        (1_000_010_000, 1_000_090_000)
    );
    let about = about(call);
    assert_eq!(about["http.request.resend_count"], "1");
    assert!(!format!("{call:?}").contains("from-a-policy"));
}

#[test]
fn an_answer_that_the_gateway_knew_has_no_span_of_a_call() {
    let mut traced = traced();
    traced.calls(Whom::Service(Uri::from_static("/")), Duration::ZERO);
    assert_eq!(traced.spans(), 2);
    traced.called(
        &Tried::default(),
        None,
        Duration::ZERO,
        Ok(http::StatusCode::OK),
    );
    assert_eq!(traced.spans(), 1);
    assert_eq!(spans(event(), traced).len(), 1);
}

#[test]
fn a_caller_that_left_while_a_service_was_asked_leaves_both_spans() {
    let mut traced = traced();
    traced.calls(
        Whom::Service(Uri::from_static("/")),
        Duration::from_micros(20),
    );
    let gone = Event {
        status: 0,
        ..event()
    };
    let spans = spans(gone, traced);
    assert_eq!(spans.len(), 2);
    assert_eq!(spans[1].end_time_unix_nano, spans[0].end_time_unix_nano);
    assert!(!about(&spans[0]).contains_key("http.response.status_code"));
}

#[test]
fn a_refusal_says_why_and_by_whom_and_is_no_error_of_the_gateway() {
    let verdict = |id: &str, shadow| Verdict {
        id: Text::from(id),
        kind: "jwt".into(),
        scope: Text::from("gateway"),
        word: "deny".into(),
        code: Some("jwt.expired".into()),
        shadow,
        rule: None,
        found_by: None,
    };
    let refused = Event {
        decision: Decision::Refuse,
        code: Some("jwt.expired".into()),
        status: 401,
        verdicts: vec![verdict("token", false), verdict("next", true)],
        ..event()
    };
    let span = &spans(refused, traced())[0];
    let about = about(span);
    assert_eq!(about["lockgate.decision"], "refuse");
    assert_eq!(about["lockgate.code"], "jwt.expired");
    assert_eq!(about["lockgate.refused_by"], "token");
    assert_eq!(about["lockgate.refused_in_shadow_by"], "next");
    assert!(!is_error(span) && !about.contains_key("error.type"));
}

#[test]
fn what_fails_is_an_error_of_the_kind_that_it_has() {
    let code = "upstream.timeout";
    for (status, grpc, broke_off, why, expected) in [
        (504, None, false, Some(code), Some(code)),
        (500, None, false, None, Some("500")),
        (200, None, true, None, Some("broke_off")),
        (200, Some(14), false, None, Some("14")),
        (200, Some(5), false, None, None),
        (404, None, false, None, None),
    ] {
        let failed = Event {
            status,
            grpc_status: grpc,
            broke_off,
            code: why.map(Into::into),
            ..event()
        };
        let span = &spans(failed, traced())[0];
        assert_eq!(is_error(span), expected.is_some(), "{status} {grpc:?}");
        assert_eq!(about(span).get("error.type").map(String::as_str), expected);
    }
    for (answer, expected) in [
        (Ok(404), Some("404")),
        (Ok(302), None),
        (Err(code), Some(code)),
    ] {
        let call = Whom::Service(Uri::from_static("/"));
        let span = &spans(event(), called(call, answer))[1];
        assert_eq!(is_error(span), expected.is_some(), "{answer:?}");
        assert_eq!(about(span).get("error.type").map(String::as_str), expected);
    }
}

#[test]
fn no_credential_is_left_in_a_span() {
    const SECRET: &str = "lgs_9Vb3kQ7xWz2Rt8Lm4Np6";
    let secret = Event {
        path: Text::from(format!("/orders/access_token={SECRET}/7")),
        query: Some(Text::from(format!("x_pin={SECRET}&page=2"))),
        host: Text::from(format!("token={SECRET}")),
        method: format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{SECRET}").into(),
        ..event()
    };
    let path = format!("/inner/token={SECRET}/7?x_pin={SECRET}");
    let path = Whom::Service(path.parse().unwrap());
    let spans = spans(secret, called(path, Ok(200)));
    let text = format!("{spans:?}");
    assert!(!text.contains(SECRET), "{text}");
    let about = about(&spans[0]);
    assert!(about["url.query"].starts_with("x_pin=hmac-sha256:"));
    assert!(about["url.query"].ends_with("&page=2"));
    assert!(about["url.path"].ends_with("/7"));
}

#[test]
fn while_a_rollout_runs_a_span_says_which_revision_served() {
    for (arm, expected) in [(Arm::Canary, "canary"), (Arm::Control, "control")] {
        let mut traced = traced();
        traced.arm = Some(arm);
        assert_eq!(about(&spans(event(), traced)[0])["lockgate.arm"], expected);
    }
    assert!(!about(&spans(event(), traced())[0]).contains_key("lockgate.arm"));
}

#[test]
fn a_method_that_nobody_knows_is_another_one() {
    let odd = Event {
        method: "BREW".into(),
        ..event()
    };
    let span = &spans(odd, traced())[0];
    assert_eq!(span.name, "HTTP /orders/{id}");
    let about = about(span);
    assert_eq!(about["http.request.method"], "_OTHER");
    assert_eq!(about["http.request.method_original"], "BREW");
}

#[test]
fn a_call_to_a_model_has_the_names_of_generative_ai_and_lasts_as_long_as_its_answer() {
    let asked = |call: Option<Traced>| {
        let asked = Event {
            model_call: Some(Box::new(ModelCall {
                model: Text::from("fast"),
                provider: Some("gemini".into()),
                provider_model: Some(Text::from("gemini-flash")),
                input_tokens: Some(12),
                cached_tokens: Some(0),
                output_tokens: Some(7),
                cost: Some(2_500),
                from_cache: call.is_none(),
                ..ModelCall::default()
            })),
            ..event()
        };
        let known = || {
            let mut known = traced();
            known.calls(Whom::Model("chat"), Duration::ZERO);
            known.called(
                &Tried::default(),
                None,
                Duration::ZERO,
                Ok(http::StatusCode::OK),
            );
            known
        };
        spans(asked, call.unwrap_or_else(known))
    };
    let spans = asked(Some(called(Whom::Model("chat"), Ok(200))));
    assert_eq!(spans[1].name, "chat fast");
    assert_eq!(spans[1].end_time_unix_nano, spans[0].end_time_unix_nano);
    let said = about(&spans[1]);
    for (name, expected) in [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.request.model", "fast"),
        ("gen_ai.provider.name", "gcp.gemini"),
        ("gen_ai.response.model", "gemini-flash"),
        ("gen_ai.usage.input_tokens", "12"),
        ("gen_ai.usage.cache_read.input_tokens", "0"),
        ("gen_ai.usage.output_tokens", "7"),
        ("lockgate.model.cost_usd", "0.0025"),
    ] {
        assert_eq!(said.get(name).map(String::as_str), Some(expected), "{name}");
    }
    assert!(!about(&spans[0]).contains_key("gen_ai.request.model"));
    let kept = asked(None);
    assert_eq!(kept.len(), 1);
    assert_eq!(about(&kept[0])["gen_ai.request.model"], "fast");
    assert_eq!(about(&kept[0])["lockgate.model.from_cache"], "true");
}

#[test]
fn parts_of_an_aggregation_are_asked_under_one_span_of_the_gateway() {
    let call = &spans(event(), called(Whom::Parts, Err("aggregate.part_failed")))[1];
    assert_eq!(call.kind, i32::from(SpanKind::Internal));
    assert_eq!(call.name, "aggregate");
    assert!(is_error(call));
}
