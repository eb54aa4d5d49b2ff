//! A change says what it expects, and a replay holds it to that.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use lockgate_config::sha256_hex;
use lockgate_replay::{Change, Expectation, Known, Outcome, Report};
use support::{Call, Recorded, call, compile, document, record};

fn gateway(limit: u64, routes: &[&str]) -> String {
    let application = |name: &str| {
        let hash = sha256_hex(name.as_bytes());
        format!("{name}: {{ scopes: [read], keys: [{{ sha256: {hash} }}] }}")
    };
    let fair = format!("{{ id: fair, kind: rate_limit, limit: {limit}, per: 1m }}");
    document(
        &[application("shop"), application("batch")].join(", "),
        &["{ id: key, kind: api_key }", &fair],
        routes,
    )
}

const DELETE: &str =
    "{ match: { methods: [DELETE] }, policies: [{ id: write, kind: require, scopes: [write] }] }";

/// `batch` sends 30 calls at once, of which a limit of ten refuses 20; `shop` deletes twice.
fn recorded() -> (Recorded, String, String) {
    let base = gateway(100, &["{ match: { methods: [DELETE] } }"]);
    let by = |name| call("/orders/7", &[("x-api-key", name)]);
    let mut calls: Vec<Call<'_>> = vec![by("batch"); 30];
    let delete = Call {
        method: "DELETE",
        ..by("shop")
    };
    calls.extend([delete.clone(), delete]);
    (record(&base, &calls), base, gateway(10, &[DELETE]))
}

fn known() -> Known {
    let (_, base, candidate) = recorded();
    Known::of([&compile(&base), &compile(&candidate)])
}

fn expecting(text: &str) -> Report {
    let (recorded, base, candidate) = recorded();
    let expectation = Expectation::read("expect.yaml", text, &known())
        .unwrap_or_else(|problems| panic!("{problems:#?}"));
    recorded.replay_expecting(&base, &candidate, &expectation)
}

fn messages(text: &str) -> String {
    let problems = Expectation::read("expect.yaml", text, &known()).unwrap_err();
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

const BATCH: &str = "{ applications: [batch], reasons: [rate_limit.exceeded], at_most: 20 }";
const SHOP: &str = "{ routes: [\"orders/v1 DELETE *\"], policies: [write] }";

#[test]
fn differences_that_were_stated_are_as_expected() {
    let report = expecting(&format!("newly_refused: [{BATCH}, {SHOP}]"));
    assert_eq!(report.outcome, Outcome::AsExpected, "{report:#?}");
    let clauses: Vec<_> = report
        .expectation
        .iter()
        .map(|clause| (clause.requests, clause.holds))
        .collect();
    assert_eq!(clauses, [(20, true), (2, true)]);
    assert!(report.unexpected.is_empty());
}

#[test]
fn what_nobody_stated_is_named() {
    let report = expecting(&format!("newly_refused: {BATCH}"));
    assert_eq!(report.outcome, Outcome::Unexpected);
    let [other] = &report.unexpected[..] else {
        panic!("{:#?}", report.unexpected)
    };
    assert_eq!((other.change, other.requests), (Change::NewlyRefused, 2));
    assert_eq!(
        other.what,
        "shop on orders/v1 DELETE *: forward → refuse require.scope"
    );
}

#[test]
fn more_or_fewer_than_stated_is_not_as_expected() {
    let more = expecting(&format!(
        "newly_refused: [{}, {SHOP}]",
        BATCH.replace("20", "5")
    ));
    let what: Vec<_> = more
        .unexpected
        .iter()
        .map(|other| (other.requests, other.what.as_str()))
        .collect();
    let says = "more than stated: applications batch; reasons rate_limit.exceeded; at most 5";
    assert_eq!(
        (more.outcome, what),
        (Outcome::Unexpected, vec![(15, says)])
    );
    let fewer = expecting(&format!(
        "newly_refused: [{BATCH}, {SHOP}]\nnewly_allowed: {{ applications: [shop], at_least: 1 }}"
    ));
    assert_eq!(
        (fewer.outcome, fewer.unexpected[0].requests),
        (Outcome::Unexpected, 1)
    );
}

#[test]
fn too_few_requests_are_no_data() {
    let report = expecting(&format!(
        "newly_refused: [{BATCH}, {SHOP}]\nrequests: {{ at_least: 33 }}"
    ));
    assert_eq!(report.outcome, Outcome::NoData);
}

#[test]
fn messages_say_what_to_type() {
    for (text, expected) in [
        (
            "newly_refused: {}",
            "expect.yaml:1:16: this expects anything, so it expects nothing; name `applications`, `routes`, `policies` or `reasons`, or write `at_most`",
        ),
        (
            "newly_refused: { at_most: 10001 }",
            "expect.yaml:1:16: `at_most: 10001` of anything is anything; write at most 10000, or name `applications`, `routes`, `policies` or `reasons`",
        ),
        (
            "newly_refused: []",
            "expect.yaml:1:16: the list is empty; write at least one entry, or leave the field out: then nothing is expected",
        ),
        (
            "newly_refused: { applications: [] }",
            "expect.yaml:1:32: the list is empty; write at least one entry, or leave the field out",
        ),
        (
            "newly_refused: { applications: [bach] }",
            "expect.yaml:1:33: unknown application `bach`; did you mean `batch`?",
        ),
        (
            "newly_refused: { applications: [zzzzzzz] }",
            "expect.yaml:1:33: unknown application `zzzzzzz`; write the id of an application of one of the two documents",
        ),
        (
            "newly_refused: { routes: [\"/payments\"] }",
            "expect.yaml:1:27: unknown route `/payments`; write a route as `API/VERSION ROUTE`, such as `orders/v1 DELETE /{id}`",
        ),
        (
            "newly_refused: { policies: [wirte] }",
            "expect.yaml:1:29: unknown policy `wirte`; did you mean `write`?",
        ),
        (
            "newly_allowed: { reasons: [require.scop] }",
            "expect.yaml:1:28: unknown reason `require.scop`; did you mean `require.scope`?",
        ),
        (
            "newly_refused: { application: [batch] }",
            "unknown field `application`",
        ),
        ("unjudged: { at_most: 5 }", "expect.yaml:1:22: "),
        (
            "unjudged: { at_most: 101% }",
            "expect.yaml:1:22: `101%` is not a share; write a percentage between `0%` and `100%`, such as `1%` or `0.5%`",
        ),
        ("unjudged: { at_most: \"0.125%\" }", "is not a share"),
    ] {
        let found = messages(text);
        assert!(found.contains(expected), "{text}\n{found}");
    }
}

#[test]
fn a_share_may_be_stated() {
    let expectation = |text: &str| Expectation::read("e", text, &known()).unwrap();
    let (recorded, base, _) = recorded();
    let mut events = recorded.events;
    events.iter_mut().take(4).for_each(|event| event.v = 1);
    let recorded = Recorded::of(events);
    // Four of 32 are 12.5 %.
    for (text, outcome) in [
        ("unjudged: { at_most: 12.5% }", Outcome::NoChange),
        ("unjudged: { at_most: 12.4% }", Outcome::TooMuchUnjudged),
        ("{}", Outcome::TooMuchUnjudged),
    ] {
        let report = recorded.replay_expecting(&base, &base, &expectation(text));
        assert_eq!(report.outcome, outcome, "{text}");
    }
}
