//! Facts, not I/O, in the engine: every case of `tests/policies` runs through a real node over real sockets and through the pure
//! engine, and both must say the same: decision, reason, status, fields, body, caller, and the verdict of each policy.
//!
//! | a case says | the live run |
//! |---|---|
//! | `at`, `after` | sets the clock of the node |
//! | `facts` | serves them on loopback, in order; the document's endpoints are led there |
//! | `client` | calls from that loopback address; any other is named in `X-Forwarded-For` to a listener that trusts loopback |
//! | `models` | are asked of the service behind the node, which answers as their provider |
//! | `certificate` | calls over TLS with a certificate of these names; the directory gets its fingerprint |
//! | `answer` | is what the service behind the node answers |
//! | `in_flight` | lets the service wait with its answer |
//! | `live: why not` | nothing: the case is counted and printed |
//!
//! Verdicts are those that the node recorded of the request.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

#[path = "conformance/backend.rs"]
mod backend;
#[path = "conformance/document.rs"]
mod document;
#[path = "conformance/live.rs"]
mod live;
#[path = "conformance/wire.rs"]
mod wire;

use std::path::{Path, PathBuf};

use lockgate_cases::{Came, CameForwarded, CameVerdict, Case, Step, Suite, case_files};
use lockgate_policy::{Phase, Timestamp, Trace, Word};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn files() -> Vec<PathBuf> {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/policies");
    case_files(&[policies]).unwrap_or_else(|problem| panic!("{problem}"))
}

#[test]
fn a_live_gateway_and_the_engine_say_the_same_of_every_case() {
    let (mut cases, mut requests) = (0, 0);
    let (mut apart, mut wrong) = (Vec::new(), Vec::new());
    for file in files() {
        let suite = Suite::read(&file, None).unwrap_or_else(|problems| panic!("{problems:#?}"));
        let reports = suite.run(NOW);
        for (case, report) in suite.cases.iter().zip(&reports) {
            cases += 1;
            let name = format!("{}:{} {}", file.display(), case.line, case.name);
            if let Some(why) = &case.live {
                apart.push(format!("{name}: {why}"));
                continue;
            }
            requests += case.steps.len();
            let came = live::run(&suite, case, NOW);
            for (at, differs) in differences(case, &report.traces, &came) {
                wrong.push(format!("{name}, request {}: {differs}", at + 1));
            }
        }
    }
    println!("{cases} cases; {requests} requests through a live gateway");
    println!(
        "{} cases by the engine alone:\n{}",
        apart.len(),
        apart.join("\n")
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        apart.len() * 20 <= cases,
        "more than one case in twenty is not run live:\n{}",
        apart.join("\n")
    );
}

fn differences(case: &Case, traces: &[Trace], came: &[Came]) -> Vec<(usize, String)> {
    assert_eq!(
        (traces.len(), came.len()),
        (case.steps.len(), case.steps.len())
    );
    let mut found = Vec::new();
    for (at, step) in case.steps.iter().enumerate() {
        let trace = &traces[at];
        let engine = Came::of(trace, &step.request);
        let live = &completed(&came[at], &engine);
        let expected = step.expect.differences(live).into_iter();
        found.extend(expected.map(|differs| {
            let (what, expected, came) = (differs.what, differs.expected, differs.came);
            (at, format!("{what}: expected {expected}, live came {came}"))
        }));
        found.extend(
            unequal(step, trace, &engine, live)
                .into_iter()
                .map(|text| (at, text)),
        );
    }
    found
}

/// What a gateway cannot say, by the engine: policies that were not reached leave no verdict in a record, and of an answer from
/// the cache the service knows nothing.
fn completed(live: &Came, engine: &Came) -> Came {
    let mut live = live.clone();
    let unreached = engine.verdicts.iter().filter(|verdict| {
        verdict.word.is_none() && !live.verdicts.iter().any(|known| known.id == verdict.id)
    });
    let unreached: Vec<CameVerdict> = unreached.cloned().collect();
    live.verdicts.extend(unreached);
    let hit = values(&live.headers, "cache-status")
        .iter()
        .any(|value| value.contains("; hit"));
    if hit && live.forwarded.is_none() {
        live.forwarded = engine.forwarded.clone().map(|forwarded| CameForwarded {
            cache: true,
            ..forwarded
        });
    }
    live
}

/// Where engine and gateway disagree.
fn unequal(step: &Step, trace: &Trace, engine: &Came, live: &Came) -> Vec<String> {
    let mut found = Vec::new();
    let mut same = |what: &str, engine: String, live: String| {
        if engine != live {
            found.push(format!(
                "{what}: the engine says {engine}, the gateway {live}"
            ));
        }
    };
    same("decision", engine.decision.into(), live.decision.into());
    same(
        "code",
        format!("{:?}", engine.code),
        format!("{:?}", live.code),
    );
    same(
        "status",
        format!("{:?}", engine.status),
        format!("{:?}", live.status),
    );
    same(
        "route",
        format!("{:?}", engine.route),
        format!("{:?}", live.route),
    );
    same(
        "application",
        format!("{:?}", engine.application),
        format!("{:?}", live.application),
    );
    same("verdicts", verdicts(engine), verdicts(live));
    for (name, _) in &engine.headers {
        same(
            &format!("header {name}"),
            format!("{:?}", values(&engine.headers, name)),
            format!("{:?}", values(&live.headers, name)),
        );
    }
    if engine.body.is_some() && step.request.method != "HEAD" {
        same(
            "body",
            format!("{:?}", engine.body),
            format!("{:?}", live.body),
        );
    }
    // An answer that is refused has been asked for.
    let answer_refused = trace.policies.iter().any(|policy| {
        let refuses = matches!(policy.verdict, Some(Word::Deny | Word::Undecided));
        policy.phase == Phase::Response && refuses
    });
    if !answer_refused {
        let asked = |came: &Came| {
            let forwarded = came.forwarded.as_ref();
            forwarded.map(|forwarded| (forwarded.path.clone(), forwarded.query.clone()))
        };
        same(
            "forwarded",
            format!("{:?}", asked(engine)),
            format!("{:?}", asked(live)),
        );
    }
    found
}

/// What policies said, in order; those that were not asked are left out.
fn verdicts(came: &Came) -> String {
    let said: Vec<String> = came
        .verdicts
        .iter()
        .filter_map(|verdict| {
            let CameVerdict {
                id,
                word,
                code,
                rules,
            } = verdict;
            Some(format!(
                "{id}={} {} {rules:?}",
                word.as_ref()?,
                code.as_deref().unwrap_or_default()
            ))
        })
        .collect();
    said.join(", ")
}

fn values<'a>(fields: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    let of_name = fields
        .iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(name));
    of_name.map(|(_, value)| value.as_str()).collect()
}
