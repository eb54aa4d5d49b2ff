//! Properties of everything that reads the network: on arbitrary bytes and on mutated valid messages it returns, within
//! its bounds. `PROPTEST_CASES=1000000 cargo test -p lockgate-inspection --test fuzz_targets` runs for long.

// The lint exempts test functions only, not what they call.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::cell::Cell;
use std::collections::HashSet;
use std::ops::ControlFlow;

use lockgate_inspection::graphql::{self, GraphqlLimits};
use lockgate_inspection::injection::{
    Engine, FINDINGS_MAX, Field, Location, OverBudget, PackSettings, RulePack, Sensitivity,
    show_cookies, show_form, show_json, show_query, show_xml,
};
use lockgate_inspection::json::{self, JsonLimits, JsonProblem, JsonSyntax};
use lockgate_inspection::xml::{self, XmlLimits};
use proptest::collection::vec;
use proptest::prelude::*;

const JSON_TOKENS: [&str; 26] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"a\"",
    "\"A\"",
    "\"__proto__\"",
    "\"",
    "\\",
    "\\u",
    "\\ud83d\\ude00",
    "\\ud800",
    "0",
    "-",
    "1.5e3",
    ".",
    "true",
    "null",
    "NaN",
    " ",
    "\n",
    "é",
    "\u{feff}",
    "\"x\":1",
];
const XML_TOKENS: [&str; 26] = [
    "<",
    ">",
    "/>",
    "</",
    "<a>",
    "</a>",
    "<a ",
    "b='1' ",
    "c=\"2\"",
    "=",
    "'",
    "\"",
    "&",
    ";",
    "&amp;",
    "&#x41;",
    "&#0;",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?xml version='1.0'?>",
    "<!DOCTYPE a [",
    "<!ENTITY x 'y'>",
    "text",
    "é",
];
const GRAPHQL_TOKENS: [&str; 30] = [
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "a",
    "b:",
    "query ",
    "fragment F on T ",
    "...F ",
    "... on T ",
    "@d ",
    "first: 10",
    "$n",
    ": Int",
    "= 3",
    "\"s\"",
    "\"\"\"b\"\"\"",
    "\"",
    "\\u",
    "#c\n",
    ",",
    "!",
    "1e9",
    "-",
    "&",
    "|",
    "mutation M",
    "é",
];
const ATTACK_TOKENS: [&str; 72] = [
    "'",
    "\"",
    "`",
    "/*",
    "*/",
    "/*!",
    "--",
    "#",
    " or ",
    "1",
    "0x",
    "1e",
    ".",
    "union",
    "select ",
    "(",
    ")",
    ",",
    ";",
    "@",
    "$$",
    "$a$",
    "q'[",
    "u&'",
    "\\",
    "\\N",
    "{",
    "}",
    "[",
    "]",
    "=",
    "&&",
    "||",
    "<",
    ">",
    "</",
    "<!--",
    "-->",
    "<?",
    "<%",
    "<![CDATA[",
    "<a ",
    "onerror=",
    "href=",
    "&#",
    "&#x41",
    "&lt;",
    "javascript:",
    "\0",
    "\n",
    "/",
    "../",
    "..\\",
    "%2e",
    "%25",
    "%c0%af",
    "%u002f",
    "\\u003c",
    "\\x3c",
    "${",
    "jndi:",
    "lower:",
    ":-",
    "http://",
    "[::1]",
    "127.",
    "0x7f",
    "@",
    "file:",
    "cat ",
    "$IFS",
    "$(",
];

/// Sequences of tokens of a language with bytes in between: valid more often than chance, broken often enough.
fn mixed(tokens: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        8 => prop::sample::select(tokens).prop_map(|token| token.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..4),
    ];
    vec(token, 0..40).prop_map(|tokens| tokens.concat())
}

fn arbitrary_or(tokens: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![1 => vec(any::<u8>(), 0..300), 4 => mixed(tokens)]
}

thread_local! {
    static STANDARD: RulePack = RulePack::own(&PackSettings::default()).unwrap();
    static STRICT: RulePack = RulePack::own(&PackSettings { sensitivity: Sensitivity::Strict, ..PackSettings::default() }).unwrap();
}

/// Enough cases to find the common break in a second; `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig {
        cases: config.cases.max(2_000),
        ..config
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn json_readers_return_and_agree_with_an_independent_parser(body in arbitrary_or(&JSON_TOKENS)) {
        let lenient = JsonLimits { allow_duplicate_keys: true, allow_case_variant_keys: true, forbidden_keys: vec![], allow_constructor_prototype: true, ..JsonLimits::default() };
        let ours = json::check(&body, &lenient);
        let theirs = serde_json::from_slice::<serde::de::IgnoredAny>(&body);
        match &ours {
            Ok(()) => prop_assert!(theirs.is_ok(), "accepted what is no JSON: {:?}", theirs),
            // The other parser skips strings it ignores without looking at their surrogates.
            Err(violation) if matches!(violation.problem, JsonProblem::Syntax(syntax) if !matches!(syntax, JsonSyntax::LoneSurrogate | JsonSyntax::InvalidUtf8)) => {
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&body).is_err(), "refused JSON: {violation}");
            }
            Err(_) => {}
        }
        let strings = Cell::new(0_usize);
        let walked = json::walk_strings(&body, |each| {
            strings.set(strings.get() + each.text.len());
            ControlFlow::Continue(())
        });
        prop_assert!(strings.get() <= body.len());
        prop_assert_eq!(walked.is_ok(), ours.is_ok());
        let _ = json::looks_like_json(&body);
    }

    #[test]
    fn valid_json_of_any_shape_passes(value in any_json()) {
        let text = serde_json::to_string(&value).unwrap();
        prop_assert_eq!(json::check(text.as_bytes(), &JsonLimits { allow_case_variant_keys: true, ..JsonLimits::default() }), Ok(()));
        prop_assert!(json::looks_like_json(text.as_bytes()) || !(value.is_array() || value.is_object()));
    }

    #[test]
    fn xml_readers_return(body in arbitrary_or(&XML_TOKENS)) {
        let checked = xml::check(&body, &XmlLimits::default());
        let bytes = Cell::new(0_usize);
        let walked = xml::walk_values(&body, |each| {
            bytes.set(bytes.get() + each.text.len());
            ControlFlow::Continue(())
        });
        prop_assert!(bytes.get() <= body.len());
        prop_assert_eq!(checked.is_ok(), walked.is_ok());
        let _ = xml::looks_like_xml(&body);
    }

    #[test]
    fn graphql_readers_return(body in arbitrary_or(&GRAPHQL_TOKENS)) {
        let limits = GraphqlLimits::default();
        if let Ok(measure) = graphql::check_document(&body, &limits) {
            prop_assert!(measure.depth <= limits.depth && measure.cost <= limits.cost && measure.tokens <= limits.tokens);
        }
        let _ = graphql::check_json(&body, &limits);
        let query = String::from_utf8_lossy(&body);
        let _ = graphql::check_json(serde_json::json!({ "query": query, "variables": { "n": 5 } }).to_string().as_bytes(), &limits);
        let _ = graphql::check_parameters(Some(&query), Some(&query), Some("M"), &limits);
    }

    #[test]
    fn detectors_return_bounded_findings(value in arbitrary_or(&ATTACK_TOKENS), location in any_location()) {
        for pack in [&STANDARD, &STRICT] {
            pack.with(|pack| {
                let mut inspection = pack.begin();
                let _ = inspection.field(&Field::new(location, "v", &value));
                let _ = show_query(&mut *inspection, &value);
                let _ = show_form(&mut *inspection, &value);
                let _ = show_cookies(&mut *inspection, &value);
                let _ = show_json(&mut *inspection, &value);
                let _ = show_xml(&mut *inspection, &value);
                let findings = inspection.finish().unwrap();
                prop_assert!(findings.len() <= FINDINGS_MAX);
                for finding in findings {
                    prop_assert!(finding.excerpt.chars().count() <= 40 && finding.field.chars().count() <= 64);
                    prop_assert!(!finding.excerpt.chars().any(char::is_control));
                }
                Ok(())
            })?;
        }
    }

    #[test]
    fn libinjection_stands_any_value(value in arbitrary_or(&ATTACK_TOKENS)) {
        libinjectionrs::detect_sqli(&value);
        libinjectionrs::detect_xss(&value);
    }
}

fn any_location() -> impl Strategy<Value = Location> {
    prop::sample::select(vec![
        Location::Path,
        Location::QueryValue,
        Location::Header,
        Location::Cookie,
        Location::JsonValue,
        Location::Body,
    ])
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 60, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::hash_map("[a-z\u{e9}\"\\\\ ]{0,6}", inner, 0..8).prop_map(
                |members| members
                    .into_iter()
                    .collect::<serde_json::Map<_, _>>()
                    .into()
            ),
        ]
    })
}

/// Values of 256 KiB made of one repeated pair of tokens: the shape that turns backtracking, repeated look-ups and
/// recursion into a time-out or a stack overflow. Runs on a small stack; the budget bounds it by count, not by clock.
#[test]
fn long_repetitions_neither_overflow_a_small_stack_nor_the_budget() {
    let run = || {
        let pack = RulePack::own(&PackSettings::default()).unwrap();
        let mut shapes = HashSet::new();
        for first in [
            "'", "<a ", "a.", "${", "../", "; ", "/*", "&#", "http://", "(select ", "<!--", "{{",
            "1 or ", "on",
        ] {
            for second in ["", "a", "=", ".", "{"] {
                shapes.insert(format!("{first}{second}"));
            }
        }
        for shape in shapes {
            let value: Vec<u8> = shape.bytes().cycle().take(256 * 1024).collect();
            let mut inspection = pack.begin();
            let _ = inspection.field(&Field::new(Location::JsonValue, "v", &value));
            assert!(!matches!(
                inspection.finish(),
                Err(OverBudget::Fields { .. })
            ));
        }
        for open in ["[", "{\"a\":", "[[", "<a>", "<a b='", "{a", "{a(b:["] {
            let body: Vec<u8> = open.bytes().cycle().take(256 * 1024).collect();
            assert!(
                json::check(
                    &body,
                    &JsonLimits {
                        depth: usize::MAX,
                        tokens: usize::MAX,
                        ..JsonLimits::default()
                    }
                )
                .is_err()
            );
            assert!(
                xml::check(
                    &body,
                    &XmlLimits {
                        depth: usize::MAX,
                        elements: usize::MAX,
                        ..XmlLimits::default()
                    }
                )
                .is_err()
            );
            let limits = GraphqlLimits {
                tokens: u64::MAX,
                depth: u64::MAX,
                document_bytes: usize::MAX,
                ..GraphqlLimits::default()
            };
            assert!(graphql::check_document(&body, &limits).is_err());
        }
    };
    std::thread::Builder::new()
        .stack_size(1024 * 1024)
        .spawn(run)
        .unwrap()
        .join()
        .unwrap();
}
