use std::ops::ControlFlow;

use lockgate_fuzzing::near;
use serde_json::Value;

use super::*;

const SEEDS: &[&str] = &[
    r#"{"a":1,"b":[true,false,null,-1.5e3,"x\u0041\n"],"c":{"d":{}}}"#,
    r#"[[[[1]]],{"A":1,"a":2},{"a":1,"\u0061":2}]"#,
    r#"{"__proto__":{"x":1},"a[__proto__][b]":2,"constructor":{"prototype":1}}"#,
    "\"\\ud83d\\ude00 \u{1f600}\"",
];
const WORDS: &[&str] = &[
    "{", "}", "[", "]", ":", ",", "\"", "\\", "\\u0000", "\\ud800", "\\udc00", "//", "/**/", "'",
    "NaN", "Infinity", "01", "-", "+1", "1.", "1e999", "true", "null", "\u{feff}", "\u{0}",
    "\u{7f}", "\t", "\u{2028}", "\"a\":", "\"A\":1,", "\u{212a}",
];

/// Keys and texts in the order of the text, as another reader gives them.
fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(members) => {
            for (name, member) in members {
                found.push(name.clone());
                strings(member, found);
            }
        }
        _ => {}
    }
}

#[test]
fn what_passes_is_json_with_one_meaning() {
    let limits = JsonLimits::default();
    bolero::check!()
        .with_iterations(4_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let mut walked = Vec::new();
            let walk = walk_strings(input, |each| {
                walked.push(each.text.to_owned());
                ControlFlow::Continue(())
            });
            if check(input, &limits).is_err() {
                return;
            }
            assert_eq!(walk, Ok(()));
            let elsewhere = match serde_json::from_slice::<Value>(input) {
                Ok(value) => value,
                // A number past the range of a double is JSON (RFC 8259 §6) that this reader does not hold.
                Err(error) => {
                    assert!(
                        error.to_string().starts_with("number out of range"),
                        "{error}"
                    );
                    return;
                }
            };
            let mut expected = Vec::new();
            strings(&elsewhere, &mut expected);
            assert_eq!(
                walked, expected,
                "a member was dropped, or came in another order"
            );
        });
}

#[test]
fn json_that_passes_wide_limits_elsewhere_passes_here() {
    let limits = JsonLimits {
        allow_duplicate_keys: true,
        allow_case_variant_keys: true,
        allow_constructor_prototype: true,
        forbidden_keys: Vec::new(),
        depth: usize::MAX,
        array_items: usize::MAX,
        object_keys: usize::MAX,
        key_bytes: usize::MAX,
        string_bytes: usize::MAX,
        number_bytes: usize::MAX,
        tokens: usize::MAX,
    };
    bolero::check!()
        .with_iterations(4_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let elsewhere = serde_json::from_slice::<Value>(input);
            let here = check(input, &limits);
            if elsewhere.is_ok() {
                assert_eq!(here, Ok(()));
            }
            if elsewhere.is_ok() && matches!(input.trim_ascii_start().first(), Some(b'{' | b'[')) {
                assert!(looks_like_json(input), "JSON that is not taken for it");
            }
        });
}
