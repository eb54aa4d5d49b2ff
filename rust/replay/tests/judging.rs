//! What a replay can judge, what it cannot, and that it says so.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

#[path = "../../policy/tests/support/tokens.rs"]
#[allow(dead_code, reason = "shared with the tests of policies")]
mod tokens;

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
fn an_introspected_token_is_judged_by_the_recorded_answer() {
    let policy = |endpoint: &str, audience: &str| {
        let line = format!(
            "{{ id: token, kind: oauth2_introspection, endpoint: \"https://{endpoint}/i\", client_id: gw, client_secret: \"${{env:S}}\", audience: {audience} }}"
        );
        document("console: { client_ids: [c1] }", &[&line], &[])
    };
    let base = policy("id.example.com", "orders");
    let answer = |active: bool| json!({ "active": active, "aud": "orders", "client_id": "c1", "scope": "a b" });
    let bearer = |token: &str, fact| Call {
        fact,
        ..call(
            "/orders/7",
            &[("authorization", &format!("Bearer {token}"))],
        )
    };
    let recorded = record(
        &base,
        &[
            bearer("opaque-1", Some(answer(true))),
            bearer("opaque-2", Some(answer(false))),
            bearer("opaque-3", None),
            bearer("not:a:token", None),
            call("/orders/7", &[]),
        ],
    );
    nothing_differs(&recorded, &base);
    let report = recorded.replay(&base, &policy("id.example.com", "billing"));
    assert_eq!(
        groups(&report),
        [(
            "newly_refused",
            "console".into(),
            "- oauth2_introspection.wrong_audience".into(),
            1
        )]
    );
    let elsewhere = recorded.replay(&base, &policy("other.example.com", "orders"));
    assert_eq!(
        lacks(&elsewhere),
        [(
            "candidate",
            "token".into(),
            "what https://other.example.com/i says of the token".into(),
            3
        )]
    );
    assert_eq!(elsewhere.outcome, Outcome::TooMuchUnjudged);
}

#[test]
fn a_token_is_judged_by_the_keys_that_were_fetched_and_by_those_of_a_document() {
    let (live, other) = (Signer::new("EdDSA"), Signer::new("ES256"));
    let policy = |jwks: &str, algorithms: &str| {
        let line = format!(
            "{{ id: token, kind: jwt, issuer: \"https://id.example.com\", audience: orders, jwks: {jwks}, algorithms: [{algorithms}] }}"
        );
        document("console: {}", &[&line], &[])
    };
    let url = "\"https://id.example.com/jwks\"";
    let base = policy(url, "EdDSA, ES256");
    let claims = |end: u64| json!({ "iss": "https://id.example.com", "aud": "orders", "sub": "anna", "azp": "console", "exp": START / SECOND + end });
    let set = json!({ "keys": [live.jwk("k")] });
    let bearer = |token: String| Call {
        fact: Some(set.clone()),
        ..call(
            "/orders/7",
            &[("authorization", &format!("Bearer {token}"))],
        )
    };
    let recorded = record(
        &base,
        &[
            bearer(live.token("k", &claims(900))),
            bearer(live.token("k", &claims(1))),
            bearer(other.token("k", &claims(900))),
            bearer(other.token_of(r#"{"alg":"none"}"#, "{}")),
            bearer("nonsense".into()),
            // Later requests whose keys were not asked for are judged with those that were recorded last.
            Call {
                fact: None,
                ..call("/orders/7", &[])
            },
        ],
    );
    nothing_differs(&recorded, &base);
    let inline = |keys| json!({ "keys": keys }).to_string();
    let same = recorded.replay(&base, &policy(&inline(vec![live.jwk("k")]), "EdDSA"));
    assert_eq!(same.totals.unchanged, 6, "{same:#?}");
    let without = recorded.replay(
        &base,
        &policy(&inline(vec![Signer::new("ES256").jwk("k")]), "ES256"),
    );
    assert_eq!(
        groups(&without),
        [
            ("newly_refused", "console".into(), "- jwt.invalid".into(), 1),
            (
                "changed_reason",
                "-".into(),
                "jwt.expired jwt.invalid".into(),
                1
            ),
        ]
    );
    // The token of an unknown key: nobody can say whether the candidate's new key has signed it.
    assert_eq!(
        lacks(&without),
        [(
            "candidate",
            "token".into(),
            "whether a key that is now accepted signed the token".into(),
            1
        )]
    );
}

#[test]
fn a_token_that_no_policy_looked_at_is_not_judged() {
    let live = Signer::new("EdDSA");
    let base = keyed(&[]);
    let line = format!(
        "{{ id: token, kind: jwt, issuer: \"https://id.example.com\", audience: orders, jwks: {}, algorithms: [EdDSA] }}",
        live.jwks("k")
    );
    let recorded = record(
        &base,
        &[call(
            "/orders/7",
            &[("x-api-key", KEY), ("authorization", "Bearer a.b.c")],
        )],
    );
    let report = recorded.replay(&base, &document(&shop(), &[&line], &[]));
    assert_eq!(
        lacks(&report),
        [("candidate", "token".into(), "what the token says".into(), 1)]
    );
}

#[test]
fn a_certificate_is_judged_by_fingerprint_and_name() {
    let certificate = ClientCertificate {
        sha256: [7; 32],
        names: vec!["dns:a.partner.example".into()],
        authority: None,
    };
    let partner = |fingerprint: &str| {
        document(
            &format!("partner: {{ certificates: [{{ sha256: {fingerprint} }}] }}"),
            &["{ id: cert, kind: mtls }"],
            &[],
        )
    };
    let base = partner(&"07".repeat(32));
    let shown = Call {
        certificate: Some(certificate),
        ..call("/orders/7", &[])
    };
    let recorded = record(&base, &[shown, call("/orders/7", &[])]);
    nothing_differs(&recorded, &base);
    let report = recorded.replay(&base, &partner(&"08".repeat(32)));
    assert_eq!(
        groups(&report),
        [(
            "newly_refused",
            "partner".into(),
            "- mtls.unknown".into(),
            1
        )]
    );
}

#[test]
fn a_password_is_judged_until_it_is_changed() {
    let with = |hash: &str, user: &str| {
        document(
            &format!("alice: {{ passwords: [{{ username: {user}, argon2: \"{hash}\" }}] }}"),
            &["{ id: password, kind: basic_auth }"],
            &[],
        )
    };
    let hash = hash_password("pw").unwrap();
    let base = with(&hash, "u");
    // `u:pw`, `u:no`, and something unreadable.
    let calls = ["dTpwdw==", "dTpubw==", "%%%"]
        .map(|text| call("/orders/7", &[("authorization", &format!("Basic {text}"))]));
    let recorded = record(&base, &calls);
    nothing_differs(&recorded, &base);
    let renamed = recorded.replay(&base, &with(&hash, "other"));
    assert_eq!(
        groups(&renamed),
        [(
            "newly_refused",
            "alice".into(),
            "- basic_auth.invalid".into(),
            1
        )]
    );
    let changed = recorded.replay(&base, &with(&hash_password("new").unwrap(), "u"));
    let what = "whether the password is the new one of the user";
    assert_eq!(
        lacks(&changed),
        [("candidate", "password".into(), what.into(), 2)]
    );
}

#[test]
fn a_signature_is_counted_as_not_judged_and_its_lack_is_judged() {
    let pem = Signer::new("EdDSA").pem();
    let applications = format!(
        "signer: {{ signature_keys: [{{ id: k1, algorithm: ed25519, public_key: \"{pem}\" }}] }}"
    );
    let base = document(
        &applications,
        &["{ id: signed, kind: http_signature }"],
        &[],
    );
    let fields = [
        ("signature-input", "sig=();keyid=\"k1\""),
        ("signature", "sig=:AA==:"),
    ];
    let recorded = record(&base, &[call("/orders/7", &fields), call("/orders/7", &[])]);
    let report = recorded.replay(&base, &base);
    assert_eq!(
        lacks(&report),
        [("both", "signed".into(), "the signature".into(), 1)]
    );
    assert_eq!((report.totals.judged, report.totals.unchanged), (1, 1));
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
fn limits_count_through_the_recording_and_say_while_they_warm_up() {
    let limit = |most: u64| {
        keyed(&[&format!(
            "{{ id: fair, kind: rate_limit, limit: {most}, per: 10s }}"
        )])
    };
    // Answers take long and end in another order than their requests came in; what counts is when those came.
    let calls: Vec<Call<'_>> = (0..40)
        .map(|number| Call {
            latency: number % 3 * 4 * SECOND,
            ..call("/orders/7", &[("x-api-key", KEY)])
        })
        .collect();
    let recorded = record(&limit(20), &calls);
    nothing_differs(&recorded, &limit(20));
    let report = recorded.replay(&limit(20), &limit(5));
    // One a second, five in ten seconds: every second five pass and five do not.
    assert_eq!(
        groups(&report),
        [(
            "newly_refused",
            "shop".into(),
            "- rate_limit.exceeded".into(),
            20
        )]
    );
    let warming: Vec<_> = report
        .warming_up
        .iter()
        .map(|row| (row.by, row.until - START, row.requests))
        .collect();
    assert_eq!(
        warming,
        [("base", 11 * SECOND, 10), ("candidate", 11 * SECOND, 10)]
    );
}

#[test]
fn quotas_go_on_from_what_was_used_when_the_recording_began() {
    let quota = |most: u64| {
        keyed(&[&format!(
            "{{ id: day, kind: quota, limit: {most}, per: day }}"
        )])
    };
    let (base, candidate) = (quota(100), quota(15));
    let counters = Arc::new(Counters::default());
    let by_shop = call("/orders/7", &[("x-api-key", KEY)]);
    for number in 0..10 {
        decide(&compile(&base), &counters, START + number, &by_shop);
    }
    let recorded = record(&base, &vec![by_shop; 10]);
    let unknown = recorded.replay(&base, &candidate);
    assert_eq!(
        (unknown.totals.newly_refused, unknown.warming_up.len()),
        (0, 2)
    );
    let usage = serde_json::to_value(counters.snapshot_quotas()).unwrap();
    let again = Recorded::begun(recorded.events, usage);
    let report = again.replay(&base, &candidate);
    assert!(report.recording.usage_known);
    // Ten were used before, five more fit, five do not.
    assert_eq!(
        (report.totals.newly_refused, report.warming_up.len()),
        (5, 0)
    );
}

#[test]
fn requests_in_flight_are_held_as_long_as_they_took() {
    let most = |most: u64| keyed(&[&format!("{{ id: busy, kind: concurrency, limit: {most} }}")]);
    let slow = Call {
        latency: 5 * SECOND / 2,
        ..call("/orders/7", &[("x-api-key", KEY)])
    };
    let recorded = record(&most(9), &vec![slow; 6]);
    nothing_differs(&recorded, &most(9));
    let report = recorded.replay(&most(9), &most(2));
    assert_eq!(
        groups(&report),
        [(
            "newly_refused",
            "shop".into(),
            "- concurrency.exceeded".into(),
            2
        )]
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
fn live_traffic_cannot_use_a_mark_as_a_credential() {
    let base = keyed(&[]);
    let recorded = record(&base, &[call("/orders/7", &[("x-api-key", KEY)])]);
    let events = lockgate_recording::Reader::open(&recorded.path()).unwrap();
    let marks: Vec<String> = events
        .map(|event| event.unwrap().headers.get("x-api-key").unwrap().to_owned())
        .collect();
    assert!(marks[0].starts_with("hmac-sha256:"));
    let counters = Arc::new(Counters::default());
    let stolen = call("/orders/7", &[("x-api-key", &marks[0])]);
    let (event, _) = decide(&compile(&base), &counters, START, &stolen);
    assert_eq!(event.code.as_deref(), Some("api_key.invalid"));
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
