//! Catch rate and false positive rate of the rule pack over the corpus in `tests/corpus`, against committed thresholds.
//!
//! `cargo test -p lockgate-inspection --test detection_rates -- --nocapture` prints the table. Rules were tuned on the
//! part `tuned`. The part `held_out` was written by the same author after the rules were frozen, and no rule was changed
//! for it: of the two it is the figure to quote. A rule that is improved because of a held-out value moves that value
//! to `tuned`.

// The lint exempts test functions only, not what they call.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use lockgate_inspection::injection::{
    Class, Engine, Field, Location, PackSettings, RulePack, Sensitivity,
};
use saphyr_parser::{Event, Parser};

const PARTS: [&str; 2] = ["tuned", "held_out"];

/// Least share of attacks caught at `standard`, in percent: class, tuned part, held-out part.
const CATCH_AT_LEAST: [(Class, [f64; 2]); 6] = [
    (Class::SqlInjection, [99.0, 96.0]),
    (Class::CrossSiteScripting, [100.0, 94.0]),
    (Class::PathTraversal, [100.0, 83.0]),
    (Class::CommandInjection, [100.0, 73.0]),
    (Class::Log4shell, [100.0, 90.0]),
    (Class::Ssrf, [100.0, 93.0]),
];
/// Largest share of benign values flagged at `standard` by any class, in percent: tuned part, held-out part.
const FALSE_ALARMS_AT_MOST: [f64; 2] = [0.0, 4.0];

struct Corpus {
    class: String,
    location: Location,
    parts: BTreeMap<String, Vec<String>>,
}

fn corpus(folder: &str) -> Vec<Corpus> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/corpus")
        .join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| read(&fs::read_to_string(file).unwrap()))
        .collect()
}

/// Reads `class: …`, `location: …` and the two lists of one file.
fn read(text: &str) -> Corpus {
    let mut corpus = Corpus {
        class: String::new(),
        location: Location::QueryValue,
        parts: BTreeMap::new(),
    };
    let (mut key, mut in_list) = (None::<String>, false);
    for event in Parser::new_from_str(text) {
        match (event.unwrap().0, key.clone()) {
            (Event::SequenceStart(..), _) => in_list = true,
            (Event::SequenceEnd, _) => (in_list, key) = (false, None),
            (Event::Scalar(value, ..), Some(part)) if in_list => corpus
                .parts
                .entry(part)
                .or_default()
                .push(value.into_owned()),
            (Event::Scalar(value, ..), Some(name)) => {
                match (name.as_str(), value.as_ref()) {
                    ("class", class) => corpus.class = class.to_owned(),
                    ("location", "header") => corpus.location = Location::Header,
                    ("location", "json_value") => corpus.location = Location::JsonValue,
                    other => panic!("unknown member {other:?}"),
                }
                key = None;
            }
            (Event::Scalar(value, ..), None) => key = Some(value.into_owned()),
            _ => {}
        }
    }
    corpus
}

fn pack(sensitivity: Sensitivity) -> RulePack {
    RulePack::own(&PackSettings {
        sensitivity,
        ..PackSettings::default()
    })
    .unwrap()
}

fn flagged(pack: &RulePack, location: Location, value: &str) -> Vec<Class> {
    let mut inspection = pack.begin();
    let _ = inspection.field(&Field::new(location, "value", value.as_bytes()));
    inspection
        .finish()
        .unwrap()
        .into_iter()
        .map(|finding| finding.class)
        .collect()
}

/// As an ordinary client sends it in a query.
fn percent_encoded(value: &str) -> String {
    value.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(byte.into())
            }
            _ => write!(encoded, "%{byte:02X}").unwrap(),
        }
        encoded
    })
}

/// The classes that flag a benign value, plain where its file says and encoded in a query.
fn false_alarms(pack: &RulePack, location: Location, value: &str) -> Vec<Class> {
    let mut classes = flagged(pack, location, value);
    if location != Location::Header {
        classes.extend(flagged(pack, Location::QueryValue, &percent_encoded(value)));
    }
    classes.sort();
    classes.dedup();
    classes
}

fn percent(part: usize, whole: usize) -> f64 {
    part as f64 * 100.0 / whole as f64
}

#[test]
fn the_corpus_is_large_enough() {
    let count = |folder| {
        corpus(folder)
            .iter()
            .flat_map(|each| each.parts.values())
            .map(Vec::len)
            .sum::<usize>()
    };
    assert!(count("attacks") >= 350 && count("benign") >= 500);
}

#[test]
fn catch_rates_hold() {
    let (standard, strict) = (pack(Sensitivity::Standard), pack(Sensitivity::Strict));
    let mut failures = Vec::new();
    println!(
        "{:<22} {:<9} {:>6} {:>18} {:>18}",
        "attacks", "part", "values", "standard", "strict"
    );
    for file in corpus("attacks") {
        let (class, thresholds) = CATCH_AT_LEAST
            .into_iter()
            .find(|(class, _)| class.name() == file.class)
            .unwrap();
        for (part, at_least) in PARTS.into_iter().zip(thresholds) {
            let values = &file.parts[part];
            // Caught means flagged by the class of the attack, not by another one by luck.
            let missed = |pack| {
                values
                    .iter()
                    .filter(|value| !flagged(pack, file.location, value).contains(&class))
                    .collect::<Vec<_>>()
            };
            let (missed, missed_strict) = (missed(&standard), missed(&strict));
            let (caught, caught_strict) = (
                values.len() - missed.len(),
                values.len() - missed_strict.len(),
            );
            let (rate, rate_strict) = (
                percent(caught, values.len()),
                percent(caught_strict, values.len()),
            );
            println!(
                "{:<22} {part:<9} {:>6} {caught:>9} {rate:>6.1} % {caught_strict:>9} {rate_strict:>6.1} %",
                file.class,
                values.len()
            );
            missed
                .iter()
                .for_each(|value| println!("    missed {value:?}"));
            if rate < at_least {
                failures.push(format!(
                    "{} {part}: {rate:.1} % caught, {at_least} % are required",
                    file.class
                ));
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn false_positive_rates_hold() {
    let (standard, strict) = (pack(Sensitivity::Standard), pack(Sensitivity::Strict));
    let files = corpus("benign");
    let mut failures = Vec::new();
    println!(
        "{:<22} {:<9} {:>6} {:>18} {:>18}",
        "benign, flagged as", "part", "values", "standard", "strict"
    );
    for (part, at_most) in PARTS.into_iter().zip(FALSE_ALARMS_AT_MOST) {
        let values: Vec<_> = files
            .iter()
            .flat_map(|file| file.parts[part].iter().map(|value| (file.location, value)))
            .collect();
        let alarms = |pack| {
            values
                .iter()
                .map(|(location, value)| (*value, false_alarms(pack, *location, value)))
                .collect::<Vec<_>>()
        };
        let (at_standard, at_strict) = (alarms(&standard), alarms(&strict));
        for class in Class::ALL {
            let count = |alarms: &[(&String, Vec<Class>)]| {
                alarms
                    .iter()
                    .filter(|(_, classes)| classes.contains(&class))
                    .count()
            };
            let (one, two) = (count(&at_standard), count(&at_strict));
            println!(
                "{:<22} {part:<9} {:>6} {one:>9} {:>6.1} % {two:>9} {:>6.1} %",
                class.name(),
                values.len(),
                percent(one, values.len()),
                percent(two, values.len())
            );
        }
        let any = |alarms: &[(&String, Vec<Class>)]| {
            alarms
                .iter()
                .filter(|(_, classes)| !classes.is_empty())
                .count()
        };
        let (one, two) = (any(&at_standard), any(&at_strict));
        let rate = percent(one, values.len());
        println!(
            "{:<22} {part:<9} {:>6} {one:>9} {rate:>6.1} % {two:>9} {:>6.1} %",
            "any class",
            values.len(),
            percent(two, values.len())
        );
        for (value, classes) in at_standard
            .iter()
            .filter(|(_, classes)| !classes.is_empty())
        {
            println!("    flagged {value:?} {classes:?}");
        }
        if rate > at_most {
            failures.push(format!(
                "{part}: {rate:.1} % flagged, {at_most} % are allowed"
            ));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}
