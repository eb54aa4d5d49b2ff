use proptest::prelude::*;
use regex::Regex;
use serde_json::{Value, json};

use super::super::Pattern;
use super::*;

fn masks(fields: &[&str], patterns: &[&str]) -> Masks {
    Masks {
        fields: fields.iter().map(|field| FieldRule::read(field)).collect(),
        patterns: patterns
            .iter()
            .map(|pattern| Pattern::Expression(Regex::new(pattern).unwrap()))
            .collect(),
        replacement: "[\"x\"]".to_owned(),
    }
}

fn masked(fields: &[&str], patterns: &[&str], text: &str) -> Option<String> {
    mask(&masks(fields, patterns), text).unwrap()
}

#[test]
fn a_named_field_is_replaced_at_any_depth_and_the_rest_stays_byte_for_byte() {
    let text = "{ \"ssn\" : 1.50, \"a\":[ {\"SSN\":{\"b\":[1,\"}\"]}} , 12345678901234567890.10 ],\"\\u0073sn\":null }\n";
    assert_eq!(
        masked(&["ssn"], &[], text).unwrap(),
        "{ \"ssn\" : \"[\\\"x\\\"]\", \"a\":[ {\"SSN\":\"[\\\"x\\\"]\"} , 12345678901234567890.10 ],\"\\u0073sn\":\"[\\\"x\\\"]\" }\n"
    );
    assert_eq!(masked(&["ssn"], &[], "{\"other\":\"ssn\"}"), None);
}

#[test]
fn a_pointer_replaces_what_it_points_at_and_nothing_else() {
    let text = r#"{"items":[{"card":1,"id":2},{"card":[3]}],"card":4,"a/b":{"~":5}}"#;
    let mut expected: Value = serde_json::from_str(text).unwrap();
    for pointer in ["/items/0/card", "/items/1/card", "/a~1b/~0"] {
        *expected.pointer_mut(pointer).unwrap() = json!("[\"x\"]");
    }
    let got = masked(&["/items/*/card", "/a~1b/~0"], &[], text).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&got).unwrap(), expected);
    assert!(
        masked(&["/items/1"], &[], text)
            .unwrap()
            .contains(r#"{"card":1,"id":2},"["#)
    );
    assert_eq!(masked(&["/items/7", "/card/x"], &[], text), None);
}

#[test]
fn patterns_see_strings_without_their_escapes_and_numbers() {
    assert_eq!(
        masked(&[], &["b+c"], r#"["a\u0062c\n",1,"c"]"#).unwrap(),
        r#"["a[\"x\"]\n",1,"c"]"#
    );
    assert_eq!(
        masked(&[], &["k"], r#"{"k1": 1}"#).unwrap(),
        r#"{"[\"x\"]1": 1}"#
    );
    assert_eq!(
        masked(&[], &["^42$"], "[42, 421]").unwrap(),
        r#"["[\"x\"]", 421]"#
    );
    assert_eq!(
        masked(&[], &["a"], r#""\ud800 a""#).unwrap(),
        r#""\\ud800 [\"x\"]""#
    );
}

#[test]
fn what_is_not_json_is_unreadable_when_fields_are_named() {
    for text in ["", "{", "a=b", "{\"a\":1}}", &"[".repeat(200)] {
        assert_eq!(masks(&["a"], &[]).apply(text), Err(Unreadable), "{text}");
    }
    assert_eq!(
        masks(&[], &["b"]).apply("a=b").unwrap().unwrap(),
        "a=[\"x\"]"
    );
    assert_eq!(masks(&[], &["z"]).apply("a=b"), Ok(None));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec(("[ab\"\\\\]{1,2}", inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// What a tree says that the text should become.
fn expected(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(expected).collect(),
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(name, value)| {
                    let hidden = name.eq_ignore_ascii_case("a");
                    let value = if hidden {
                        json!("[\"x\"]")
                    } else {
                        expected(value)
                    };
                    (name, value)
                })
                .collect(),
        ),
        other => other,
    }
}

proptest! {
    #[test]
    fn a_masked_text_is_the_masked_tree(value in any_json(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let got = masked(&["a"], &[], &text).unwrap_or(text);
        prop_assert_eq!(serde_json::from_str::<Value>(&got).unwrap(), expected(value));
    }
}
