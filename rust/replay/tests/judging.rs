//! What a replay can judge, what it cannot, and that it says so.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

#[path = "../../policy/tests/support/tokens.rs"]
#[allow(dead_code, reason = "shared with the tests of policies")]
mod tokens;

#[path = "judging/credentials.rs"]
mod credentials;
#[path = "judging/limits.rs"]
mod limits;
mod support;

use std::sync::Arc;

use lockgate_config::sha256_hex;
use lockgate_policy::{ClientCertificate, Counters, hash_password};
use lockgate_recording::Event;
use lockgate_replay::{Expectation, Outcome, ReplayError, Report, replay};
use serde_json::json;
use support::{Call, Recorded, SECOND, START, call, compile, decide, document, record};
use tokens::Signer;

const KEY: &str = "lg_shop_key";
const API_KEY: &str = "{ id: key, kind: api_key }";

fn shop() -> String {
    format!(
        "shop: {{ keys: [{{ sha256: {} }}] }}",
        sha256_hex(KEY.as_bytes())
    )
}

fn keyed(policies: &[&str]) -> String {
    document(&shop(), &[&[API_KEY], policies].concat(), &[])
}

/// Change, application and reasons of each group, with its count.
fn groups(report: &Report) -> Vec<(&'static str, String, String, u64)> {
    let groups = report.groups.iter().map(|group| {
        let code = |said: &lockgate_replay::Said| said.code.as_deref().unwrap_or("-").to_owned();
        (
            group.change.as_str(),
            group.application.as_deref().unwrap_or("-").to_owned(),
            format!("{} {}", code(&group.before), code(&group.after)),
            group.requests,
        )
    });
    groups.collect()
}

/// What was not recorded, by policy.
fn lacks(report: &Report) -> Vec<(&'static str, String, String, u64)> {
    let rows = report.unjudged.iter().map(|row| {
        let policy = row.policy.as_ref().map(|policy| policy.id.to_string());
        (
            row.by,
            policy.unwrap_or_default(),
            row.not_recorded.clone(),
            row.requests,
        )
    });
    rows.collect()
}

fn nothing_differs(recorded: &Recorded, base: &str) {
    let report = recorded.replay(base, base);
    assert_eq!(report.outcome, Outcome::NoChange, "{report:#?}");
    assert_eq!((report.totals.unjudged, report.disagreement.differ), (0, 0));
    assert_eq!(report.disagreement.compared, recorded.events.len() as u64);
}

#[test]
fn a_body_that_was_not_kept_is_never_taken_for_allowed() {
    let base = keyed(&[]);
    let post = |body| Call {
        method: "POST",
        body: Some(body),
        ..call(
            "/orders/7",
            &[("x-api-key", KEY), ("content-type", "application/json")],
        )
    };
    let recorded = record(&base, &[post(r#"{"a":1}"#), post(r#"{"a":[[[[[1]]]]]}"#)]);
    let limits = "{ id: shape, kind: json_limits, depth: 3 }";
    let report = recorded.replay(&base, &keyed(&[limits]));
    assert_eq!(
        lacks(&report),
        [("candidate", "shape".into(), "the body".into(), 2)]
    );
    assert_eq!(
        (report.outcome, report.totals.unchanged),
        (Outcome::TooMuchUnjudged, 0)
    );
    // In shadow the policy refuses nobody, whatever the body says.
    let shadow = "{ id: shape, kind: json_limits, depth: 3, mode: shadow }";
    assert_eq!(
        recorded.replay(&base, &keyed(&[shadow])).outcome,
        Outcome::NoChange
    );

    let route = "{ match: { methods: [POST] }, record_body: { up_to: 64KiB } }";
    let keeping = |policies: &[&str]| document(&shop(), &[&[API_KEY], policies].concat(), &[route]);
    let lenient = keeping(&["{ id: shape, kind: json_limits, depth: 9 }"]);
    let recorded = record(
        &lenient,
        &[
            post(r#"{"a":1}"#),
            post(r#"{"a":[[[[[1]]]]]}"#),
            post(r#"{"password":"s3cret"}"#),
        ],
    );
    let report = recorded.replay(&lenient, &keeping(&[limits]));
    assert_eq!(
        groups(&report),
        [(
            "newly_refused",
            "shop".into(),
            "- json_limits.refused".into(),
            1
        )]
    );
    assert_eq!(
        report.totals.unjudged, 1,
        "a body that was redacted is not the one that was sent"
    );
}

#[test]
fn a_replay_that_disagrees_with_what_was_recorded_says_so() {
    let base = keyed(&[]);
    let calls: Vec<Call<'_>> = (0..50)
        .map(|_| call("/orders/7", &[("x-api-key", KEY)]))
        .collect();
    let mut events = record(&base, &calls).events;
    events[3].decision = lockgate_recording::Decision::Refuse;
    events[3].code = Some("require.scope".into());
    events[4].revision = "another".into();
    let report = Recorded::of(events).replay(&base, &base);
    assert_eq!(
        (report.disagreement.compared, report.disagreement.differ),
        (49, 1)
    );
    assert_eq!(report.disagreement.other_revisions, 1);
    let (recorded, now, requests, samples) = &report.disagreement.cases[0];
    assert_eq!(
        (recorded.code.as_deref(), now.decision, *requests),
        (Some("require.scope"), "forward", 1)
    );
    assert_eq!(&*samples[0], "request-3");
    assert_eq!(report.outcome, Outcome::NotTrustworthy);
}

#[test]
fn no_data_is_not_no_change() {
    let base = keyed(&[]);
    let candidate = document(
        &shop(),
        &[API_KEY],
        &[
            "{ match: { methods: [DELETE] }, policies: [{ id: write, kind: require, scopes: [w] }] }",
        ],
    );
    let empty = record(&base, &[]).replay(&base, &candidate);
    assert_eq!(
        (empty.outcome, empty.recording.first),
        (Outcome::NoData, None)
    );
    // There was traffic, but none that the change is about.
    let report =
        record(&base, &[call("/orders/7", &[("x-api-key", KEY)])]).replay(&base, &candidate);
    assert_eq!(report.outcome, Outcome::NoChange);
    let names: Vec<String> = report
        .without_data
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(names, ["orders/v1 DELETE *"]);
}

#[test]
fn what_an_older_release_recorded_is_not_judged() {
    let base = keyed(&[]);
    let mut events = record(&base, &[call("/orders/7", &[("x-api-key", KEY)])]).events;
    events[0].v = 1;
    let report = Recorded::of(events).replay(&base, &base);
    assert_eq!((report.totals.judged, report.totals.unjudged), (0, 1));
    assert_eq!(report.outcome, Outcome::TooMuchUnjudged);
}

#[test]
fn requests_that_no_policy_decides_about_are_counted_apart() {
    let base = keyed(&[]);
    let event = |code: &'static str| Event {
        at: START,
        code: Some(code.into()),
        decision: lockgate_recording::Decision::Refuse,
        status: 400,
        ..Event::default()
    };
    let codes = [
        "request.malformed",
        "gateway.draining",
        "source.blocked",
        "application.blocked",
        "credential.blocked",
        "caller.throttled",
    ];
    let report = Recorded::of(codes.map(event).to_vec()).replay(&base, &base);
    assert_eq!(
        (report.totals.outside_policies, report.totals.judged),
        (6, 0)
    );
}

#[test]
fn another_service_is_a_difference_too() {
    let base = keyed(&[]);
    let recorded = record(&base, &[call("/orders/7", &[("x-api-key", KEY)])]);
    let report = recorded.replay(&base, &base.replace("upstream: orders", "upstream: other"));
    assert_eq!(
        groups(&report),
        [("answered_otherwise", "shop".into(), "- -".into(), 1)]
    );
}

#[test]
fn without_its_key_a_recording_cannot_be_replayed() {
    let base = keyed(&[]);
    let recorded = record(&base, &[]);
    recorded.remove_key();
    let error = replay(
        compile(&base),
        compile(&base),
        &recorded.path(),
        &Expectation::default(),
        Vec::new(),
        &mut |_| true,
    );
    let message = error.unwrap_err().to_string();
    assert!(
        message.contains("redaction.key") && message.contains("keep it beside the segments"),
        "{message}"
    );
}

#[test]
fn whoever_watches_can_stop_it() {
    let base = keyed(&[]);
    let recorded = record(&base, &[call("/orders/7", &[])]);
    let mut heard = Vec::new();
    let stopped = replay(
        compile(&base),
        compile(&base),
        &recorded.path(),
        &Expectation::default(),
        Vec::new(),
        &mut |progress| {
            heard.push(progress);
            false
        },
    );
    assert!(matches!(stopped, Err(ReplayError::Stopped)));
    assert_eq!(heard.len(), 1);
    assert!(heard[0].bytes > 0 && heard[0].bytes <= heard[0].of);
}

#[test]
fn a_published_prompt_that_says_something_else_answers_otherwise() {
    let serving = |models: &str, text: &str| {
        format!(
            "lockgate: 1
purposes: optional
models:
  fast: {{ targets: [{{ provider: ollama, model: m-1 }}] }}
  best: {{ targets: [{{ provider: ollama, model: m-2 }}] }}
apis:
  ai:
    versions:
      v1:
        base: /ai
        models: [{models}]
        policies: [{{ id: said, kind: respond, when: 'request.path == \"/ai/short\"', text: ok }}]
        routes: [{{ match: {{ path: /short }}, prompt: {{ model: fast, messages: [{{ user: \"{text}\" }}] }} }}]
"
        )
    };
    let base = serving("fast, best", "Say something");
    let short = Call {
        method: "POST",
        ..call("/ai/short", &[])
    };
    let recorded = record(&base, &[call("/ai/v1/models", &[]), short]);
    nothing_differs(&recorded, &base);
    let report = recorded.replay(&base, &serving("fast", "Say nothing"));
    let changed: u64 = groups(&report).iter().map(|group| group.3).sum();
    assert_eq!(changed, 1, "{report:#?}");
}
