//! Every file of `tests/policies` holds in the engine, and every kind of the catalogue has its cases there.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use lockgate_cases::{CaseReport, Suite, case_files};
use lockgate_policy::{KINDS, Kind, Timestamp, Word};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/policies")
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// A file, run.
fn run(file: &Path) -> (Suite, Vec<CaseReport>) {
    let suite = Suite::read(file, None).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let reports = suite.run(NOW);
    (suite, reports)
}

#[test]
fn every_case_holds_in_the_engine() {
    let files = case_files(&[policies()]).unwrap();
    let mut failures = Vec::new();
    for file in &files {
        for report in run(file).1 {
            for failure in report.failures {
                failures.push(format!(
                    "{}:{} {}: {}: expected {}, came {}",
                    file.display(),
                    failure.line,
                    report.name,
                    failure.difference.what,
                    failure.difference.expected,
                    failure.difference.came
                ));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(files.len() >= KINDS.len());
}

/// What the cases of a folder show of a kind.
#[derive(Default)]
struct Shown {
    allow: bool,
    refusal: bool,
    effect: bool,
}

fn shown(kind: &Kind, folder: &Path) -> Shown {
    let mut shown = Shown::default();
    for file in case_files(&[folder.to_owned()]).unwrap() {
        let (suite, reports) = run(&file);
        for (case, report) in suite.cases.iter().zip(&reports) {
            for (step, trace) in case.steps.iter().zip(&report.traces) {
                let said = |words: &[Word]| {
                    trace.policies.iter().any(|policy| {
                        policy.kind == kind.name
                            && policy.verdict.is_some_and(|word| words.contains(&word))
                    })
                };
                let allows = said(&[Word::Allow, Word::Respond]);
                shown.allow |= allows;
                shown.refusal |= said(&[Word::Deny]);
                shown.effect |= allows && step.expect.shows_an_effect();
            }
        }
    }
    shown
}

/// A kind that can refuse needs a case of each sort. A kind with no reason of its own never refuses for itself (`any_of` refuses
/// for the reasons of its ways): it needs an allowed request of which the case looks at what the policy did to it.
#[test]
fn every_kind_has_a_case_that_it_allows_and_one_that_it_refuses_or_changes() {
    let mut missing = Vec::new();
    for kind in KINDS {
        let folder = policies().join(kind.name);
        if !folder.is_dir() {
            missing.push(format!("{}: no folder", kind.name));
            continue;
        }
        let shown = shown(kind, &folder);
        if !shown.allow {
            missing.push(format!("{}: no request that it allows", kind.name));
        }
        if kind.reasons.is_empty() && !shown.effect {
            missing.push(format!("{}: no case that shows what it does", kind.name));
        }
        if !kind.reasons.is_empty() && !shown.refusal {
            missing.push(format!("{}: no request that it refuses", kind.name));
        }
    }
    assert!(
        missing.is_empty(),
        "tests/policies lacks:\n{}",
        missing.join("\n")
    );
}

#[test]
fn every_folder_is_that_of_a_kind() {
    let kinds: BTreeSet<&str> = KINDS.iter().map(|kind| kind.name).collect();
    for folder in listed(&policies()) {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        assert!(
            kinds.contains(name.as_str()),
            "`{name}` is no kind of policy"
        );
    }
}
