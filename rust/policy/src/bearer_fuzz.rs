use lockgate_fuzzing::near;

use crate::request::fuzz::{fields, view};

use super::*;

const SEEDS: &[&str] = &[
    "authorization: Bearer a.b.c",
    "authorization: bearer   abc  ",
    "authorization: Basic YTpi\nauthorization: Bearer x",
    "authorization: Bearer",
];
const WORDS: &[&str] = &[
    "\n",
    "authorization: ",
    "Bearer ",
    "Basic ",
    " ",
    "\t",
    ",",
    "=",
    "\u{ff}",
    "\"",
    "b",
];

#[test]
fn a_token_is_what_stands_behind_bearer_in_the_only_field() {
    let place = TokenPlace::compile(None, &Span::default(), false).unwrap();
    bolero::check!()
        .with_iterations(4_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let headers = fields(input);
            let lines: Vec<_> = headers.get_all(AUTHORIZATION).iter().collect();
            match place.find(&view(&headers, None)) {
                Found::Token(token) => {
                    assert_eq!(lines.len(), 1);
                    assert!(!token.is_empty() && token.trim_matches(' ') == token);
                    assert!(lines[0].as_bytes().ends_with(token.as_bytes()));
                }
                Found::Nothing => assert!(
                    lines.len() <= 1
                        && !lines.iter().any(|line| line
                            .as_bytes()
                            .to_ascii_lowercase()
                            .starts_with(b"bearer "))
                ),
                Found::Malformed => assert!(!lines.is_empty()),
            }
        });
}

const CLAIMS: &[&str] = &[
    "1700000000",
    "1.5",
    "[\"a\",\"b\"]",
    "\"a b\"",
    "-1",
    "1e300",
    "[\"a\",1]",
    "{}",
];
const JSON: &[&str] = &[
    "[", "]", "\"", ",", "a", " ", "0", "9", ".", "e", "-", "null",
];

#[test]
fn claims_of_any_form_are_read_within_their_meaning() {
    let ours = ["a".to_owned()];
    bolero::check!()
        .with_iterations(4_000)
        .with_generator(near(CLAIMS, JSON))
        .for_each(|input| {
            let Ok(claim) = serde_json::from_slice::<serde_json::Value>(input) else {
                return;
            };
            match micros(&claim) {
                Some(time) => {
                    let seconds = claim.as_f64().unwrap();
                    #[expect(clippy::cast_precision_loss, reason = "compared with a tolerance")]
                    let near = time as f64;
                    assert!(
                        seconds >= 0.0
                            && (near == u64::MAX as f64
                                || (near - seconds * 1e6).abs() <= near * 1e-9 + 1.0)
                    );
                }
                None => assert!(!claim.as_f64().is_some_and(|seconds| seconds >= 0.0)),
            }
            let texts: Vec<&str> = match &claim {
                serde_json::Value::Array(items) => {
                    items.iter().filter_map(|item| item.as_str()).collect()
                }
                other => other.as_str().into_iter().collect(),
            };
            if names_audience(&claim, &ours) == Some(true) {
                assert!(texts.contains(&"a"));
            }
            for scope in scopes(Some(&claim)).iter() {
                assert!(texts.iter().any(|text| text.contains(scope.as_str())));
            }
        });
}
