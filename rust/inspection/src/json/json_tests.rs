use std::ops::ControlFlow;

use super::*;

fn problem(body: &str) -> JsonProblem {
    problem_with(body, &JsonLimits::default())
}

fn problem_with(body: &str, limits: &JsonLimits) -> JsonProblem {
    check(body.as_bytes(), limits).unwrap_err().problem
}

fn passes(body: &str) {
    assert_eq!(
        check(body.as_bytes(), &JsonLimits::default()),
        Ok(()),
        "{body}"
    );
}

#[test]
fn valid_texts_of_every_shape_pass() {
    for body in [
        "{}",
        "[]",
        "0",
        "-0",
        "1.5e-7",
        "\"\"",
        "true",
        "null",
        " [1, 2 ,3]\n",
        r#"{"a":{"b":[{"c":null}]}}"#,
        r#""\ud83d\ude00 \u00e9 \\ \/ \b\f\n\r\t""#,
        "\"日本語 🎉\"",
        r#"[{"a":1},{"a":1}]"#,
    ] {
        passes(body);
    }
}

#[test]
fn texts_outside_rfc_8259_are_refused_with_their_reason() {
    use JsonSyntax::*;
    for (body, syntax) in [
        ("", Empty),
        ("  ", Empty),
        ("{", UnexpectedEnd),
        ("[1", UnexpectedEnd),
        ("\"abc", UnexpectedEnd),
        ("{\"a\"", UnexpectedEnd),
        ("\u{feff}{}", ByteOrderMark),
        ("NaN", ExpectedValue),
        ("[Infinity]", ExpectedValue),
        ("-Infinity", MalformedNumber),
        ("'a'", ExpectedValue),
        ("/*x*/1", ExpectedValue),
        ("truex", ExpectedValue),
        ("{a:1}", ExpectedKey),
        ("{\"a\":1,}", ExpectedKey),
        ("[1,]", ExpectedValue),
        ("{\"a\" 1}", ExpectedColon),
        ("[1 2]", ExpectedCommaOrEnd),
        ("[1}", ExpectedCommaOrEnd),
        ("01", MalformedNumber),
        ("1.", MalformedNumber),
        ("1e", MalformedNumber),
        ("0x10", MalformedNumber),
        ("+1", ExpectedValue),
        (".5", ExpectedValue),
        ("\"a\nb\"", ControlCharacter),
        (r#""\x41""#, InvalidEscape),
        (r#""\u12g4""#, InvalidEscape),
        (r#""\ud800""#, LoneSurrogate),
        (r#""\udc00\ud800""#, LoneSurrogate),
        (r#""\ud800A""#, LoneSurrogate),
        ("1 2", TrailingData),
        ("{} {}", TrailingData),
        ("[1]]", TrailingData),
    ] {
        assert_eq!(problem(body), JsonProblem::Syntax(syntax), "{body}");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_refused_at_their_offset() {
    let violation = check(b"[\"ab\xff\"]", &JsonLimits::default()).unwrap_err();
    assert_eq!(
        (violation.problem, violation.offset),
        (JsonProblem::Syntax(JsonSyntax::InvalidUtf8), 4)
    );
}

#[test]
fn each_limit_passes_at_the_limit_and_refuses_one_more() {
    let limits = JsonLimits {
        depth: 2,
        array_items: 2,
        object_keys: 2,
        key_bytes: 3,
        string_bytes: 4,
        number_bytes: 3,
        tokens: 7,
        ..JsonLimits::default()
    };
    for body in [
        "[[1]]",
        "[1,2]",
        r#"{"a":1,"b":2}"#,
        r#"{"abc":1}"#,
        r#"["abcd"]"#,
        "123",
        "[[1,2],[1,2]]",
    ] {
        assert_eq!(check(body.as_bytes(), &limits), Ok(()), "{body}");
    }
    assert_eq!(
        problem_with("[[[]]]", &limits),
        JsonProblem::Depth { limit: 2, seen: 3 }
    );
    assert_eq!(
        problem_with("[1,2,3]", &limits),
        JsonProblem::ArrayItems { limit: 2, seen: 3 }
    );
    assert_eq!(
        problem_with(
            "[1,2,[]]",
            &JsonLimits {
                tokens: 99,
                ..limits.clone()
            }
        ),
        JsonProblem::ArrayItems { limit: 2, seen: 3 }
    );
    assert_eq!(
        problem_with(r#"{"a":1,"b":2,"c":3}"#, &limits),
        JsonProblem::ObjectKeys { limit: 2, seen: 3 }
    );
    assert_eq!(
        problem_with(r#"{"abcd":1}"#, &limits),
        JsonProblem::KeyBytes { limit: 3, seen: 4 }
    );
    assert_eq!(
        problem_with(r#"["abcde"]"#, &limits),
        JsonProblem::StringBytes { limit: 4, seen: 5 }
    );
    assert_eq!(
        problem_with("1234", &limits),
        JsonProblem::NumberBytes { limit: 3, seen: 4 }
    );
    assert_eq!(
        problem_with(
            r#"{"a":[1,2],"b":{"c":{}}}"#,
            &JsonLimits { depth: 9, ..limits }
        ),
        JsonProblem::Tokens { limit: 7, seen: 8 }
    );
}

#[test]
fn an_array_of_containers_over_the_limit_is_refused() {
    let limits = JsonLimits {
        array_items: 2,
        ..JsonLimits::default()
    };
    assert_eq!(
        problem_with("[{},{},{}]", &limits),
        JsonProblem::ArrayItems { limit: 2, seen: 3 }
    );
}

#[test]
fn string_limits_count_unescaped_bytes() {
    let limits = JsonLimits {
        string_bytes: 4,
        ..JsonLimits::default()
    };
    assert_eq!(check(br#""\ud83d\ude00""#, &limits), Ok(()));
}

#[test]
fn duplicate_keys_are_refused_after_unescaping() {
    assert_eq!(
        problem(r#"{"role":1,"role":2}"#),
        JsonProblem::DuplicateKey { key: "role".into() }
    );
    assert_eq!(
        problem(r#"{"role":1,"\u0072ole":2}"#),
        JsonProblem::DuplicateKey { key: "role".into() }
    );
    let lenient = JsonLimits {
        allow_duplicate_keys: true,
        allow_case_variant_keys: true,
        ..JsonLimits::default()
    };
    assert_eq!(check(br#"{"a":1,"a":2,"A":3}"#, &lenient), Ok(()));
}

#[test]
fn case_variant_keys_are_refused_also_outside_ascii() {
    for body in [
        r#"{"role":1,"Role":2}"#,
        "{\"status\":1,\"\u{17f}tatus\":2}",
        "{\"key\":1,\"\u{212a}ey\":2}",
    ] {
        assert!(
            matches!(problem(body), JsonProblem::CaseVariantKey { .. }),
            "{body}"
        );
    }
    let limits = JsonLimits {
        allow_case_variant_keys: true,
        ..JsonLimits::default()
    };
    assert_eq!(check(br#"{"a":1,"A":2}"#, &limits), Ok(()));
    assert!(matches!(
        problem_with(r#"{"a":1,"A":2,"a":3}"#, &limits),
        JsonProblem::DuplicateKey { .. }
    ));
}

#[test]
fn keys_that_pollute_prototypes_are_refused_and_ordinary_uses_pass() {
    for body in [
        r#"{"__proto__":{}}"#,
        r#"{"a":{"\u005f_proto__":1}}"#,
        r#"{"constructor":{"prototype":{"x":1}}}"#,
        r#"{"a[__proto__][b]":1}"#,
        r#"{"constructor.prototype.x":1}"#,
        r#"{"x.__proto__.y":1}"#,
    ] {
        assert!(
            matches!(problem(body), JsonProblem::ForbiddenKey { .. }),
            "{body}"
        );
    }
    for body in [
        r#"{"constructor":"Acme Builders"}"#,
        r#"{"prototype":"v2"}"#,
        r#"{"constructor":{"name":"Ferrari"},"prototype":1}"#,
        r#"{"constructor":[{"prototype":1}]}"#,
        r#"["__proto__"]"#,
    ] {
        passes(body);
    }
}

#[test]
fn a_violation_names_offset_and_pointer() {
    let violation = check(
        br#"{"a":[{"b/c":1},{"d~e":{"x":1,"x":2}}]}"#,
        &JsonLimits::default(),
    )
    .unwrap_err();
    assert_eq!(violation.pointer, "/a/1/d~0e/x");
    assert_eq!(violation.offset, 30);
    assert_eq!(
        violation.to_string(),
        "key `x` appears twice in one object, send it once at byte 30, pointer `/a/1/d~0e/x`"
    );
}

#[test]
fn a_million_brackets_are_refused_without_deep_recursion() {
    let body = "[".repeat(1_000_000);
    assert_eq!(
        problem(&body),
        JsonProblem::Depth {
            limit: 50,
            seen: 51
        }
    );
    let open = JsonLimits {
        depth: usize::MAX,
        tokens: usize::MAX,
        ..JsonLimits::default()
    };
    assert_eq!(
        problem_with(&body, &open),
        JsonProblem::Syntax(JsonSyntax::UnexpectedEnd)
    );
}

#[test]
fn the_walk_shows_every_key_and_string_once_with_its_pointer() {
    let mut seen = Vec::new();
    let body = br#"{"na\u006de":"O'Brien","tags":["a","b"],"n":1,"deep":{"x":"y"}}"#;
    walk_strings(body, |each| {
        seen.push(format!(
            "{}{} {}",
            if each.is_key { "k " } else { "v " },
            each.pointer,
            each.text
        ));
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(
        seen,
        [
            "k /name name",
            "v /name O'Brien",
            "k /tags tags",
            "v /tags/0 a",
            "v /tags/1 b",
            "k /n n",
            "k /deep deep",
            "k /deep/x x",
            "v /deep/x y"
        ]
    );
}

#[test]
fn the_walk_stops_when_told_and_at_its_depth_bound() {
    let mut seen = 0;
    walk_strings(br#"["a","b","c"]"#, |_| {
        seen += 1;
        ControlFlow::Break(())
    })
    .unwrap();
    assert_eq!(seen, 1);
    let deep = "[".repeat(WALK_DEPTH_MAX + 1);
    let violation = walk_strings(deep.as_bytes(), |_| ControlFlow::Continue(())).unwrap_err();
    assert_eq!(
        violation.problem,
        JsonProblem::Depth {
            limit: WALK_DEPTH_MAX,
            seen: WALK_DEPTH_MAX + 1
        }
    );
}

#[test]
fn hostile_keys_cannot_grow_the_pointer() {
    let body = format!("{{\"{}\":{{\"{}\":[", "a".repeat(9000), "b".repeat(9000));
    let limits = JsonLimits {
        key_bytes: 10_000,
        ..JsonLimits::default()
    };
    assert!(check(body.as_bytes(), &limits).unwrap_err().pointer.len() < 600);
}

#[test]
fn bodies_that_open_like_json_are_recognised_whatever_they_claim() {
    for body in [
        "{}",
        " {\"a\"",
        "\n[1",
        "[]",
        "[\"a",
        "{'a'",
        "{/*x*/",
        "\u{feff}{\"a\"",
        "[true",
        "{\0\"",
        "[null]",
    ] {
        assert!(looks_like_json(body.as_bytes()), "{body:?}");
    }
    for body in [
        "",
        "hello",
        "[draft] hello",
        "{name}",
        "a={}",
        "<a/>",
        "[note: see below]",
    ] {
        assert!(!looks_like_json(body.as_bytes()), "{body:?}");
    }
}
