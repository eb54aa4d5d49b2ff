use super::*;
use crate::injection::{show_cookies, show_form, show_json, show_query, show_xml};

fn rule(pattern: &str, parts: &[Part]) -> Rule {
    Rule {
        pattern: pattern.to_owned(),
        parts: parts.to_vec(),
    }
}

fn compiled(pattern: &str, parts: &[Part]) -> Rules {
    Rules::compile(vec![rule(pattern, parts)]).unwrap()
}

fn refused(pattern: &str) -> PatternError {
    match Rules::compile(vec![rule(pattern, &Part::EVERYWHERE)]) {
        Err(RulesError::Patterns(mut wrong)) => wrong.remove(0).1,
        other => panic!("{pattern}: {other:?}"),
    }
}

fn found(rules: &Rules, show: impl FnOnce(&mut dyn Viewer)) -> Vec<usize> {
    let mut inspection = rules.begin();
    show(&mut inspection);
    let found = inspection.finish();
    assert_eq!(found.over, None);
    found.found.into_iter().map(|each| each.rule).collect()
}

fn plain(rules: &Rules, value: &str) -> bool {
    !found(rules, |viewer| {
        let _ = viewer.field(&Field::new(Location::JsonValue, "v", value.as_bytes()));
    })
    .is_empty()
}

#[test]
fn a_pattern_that_finds_the_empty_text_or_everything_or_nothing_is_refused() {
    for pattern in ["a*", "^", "$", r"\b", "a|", "(?:)", "(a|b?)", r"\B", "x{0}"] {
        assert_eq!(refused(pattern), PatternError::FindsEmpty, "{pattern}");
    }
    for pattern in [".", ".+", r"[\s\S]", "a|.", r"\x00|[^\x00]", "(?-s).+"] {
        assert_eq!(refused(pattern), PatternError::FindsAll, "{pattern}");
    }
    assert_eq!(refused(r"[^\x00-\xff]"), PatternError::FindsNothing);
}

#[test]
fn what_is_no_expression_is_refused_with_what_is_wrong() {
    for (pattern, said) in [
        ("(a", "unclosed group"),
        (r"(a)\1", "backreferences are not supported"),
        ("a(?=b)", "look-around"),
        (r"(?u)\bab\b", "word boundary of Unicode"),
    ] {
        let error = refused(pattern).to_string();
        assert!(error.contains(said), "{pattern}: {error}");
    }
}

#[test]
fn a_pattern_whose_repeats_must_be_counted_is_refused_as_too_large() {
    for pattern in [
        "a.{500}b",
        "(?:a{1000}){1000}",
        "[ab]{0,40}a[ab]{60}c",
        r"(?u)\w{400}x",
    ] {
        assert_eq!(refused(pattern), PatternError::TooLarge, "{pattern}");
    }
}

#[test]
fn expressions_that_ruin_other_engines_compile_and_look_at_each_byte_once() {
    let poison = format!("{}!", "a".repeat(100_000));
    for pattern in [
        "(a+)+$",
        "^(a|a)*b$",
        ".*.*=.*",
        "(.*,){11}P",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
    ] {
        let rules = compiled(pattern, &Part::EVERYWHERE);
        assert_eq!(rules.automata(), 1, "{pattern}");
        let _ = plain(&rules, &poison);
    }
}

#[test]
fn case_and_line_ends_do_not_hide_a_value_and_a_pattern_may_ask_for_case() {
    let rules = compiled(r"<%.*runtime", &Part::EVERYWHERE);
    assert!(plain(&rules, "a <%\n\r\n RunTime"));
    let exact = compiled(r"(?-i)EXPLOIT", &Part::EVERYWHERE);
    assert!(plain(&exact, "an EXPLOIT") && !plain(&exact, "an exploit"));
    assert!(plain(&compiled(r"\x00", &Part::EVERYWHERE), "a\0b"));
    assert!(plain(&compiled("é", &Part::EVERYWHERE), "café"));
}

#[test]
fn encodings_are_undone_before_a_rule_looks() {
    let rules = compiled(r"\$\{jndi:", &[Part::Query]);
    for query in [
        "q=${jndi:",
        "q=%24%7bjndi%3A",
        "q=%2524%257Bjndi:",
        "q=\\u0024{jndi:",
    ] {
        let seen = found(&rules, |viewer| {
            let _ = show_query(viewer, query.as_bytes());
        });
        assert_eq!(seen, [0], "{query}");
    }
}

#[test]
fn a_rule_looks_at_the_parts_it_names_and_at_no_others() {
    let header = |viewer: &mut dyn Viewer, name: &str| {
        let _ = viewer.field(&Field::new(Location::Header, name, b"evil"));
    };
    let show = |viewer: &mut dyn Viewer, which: &str| match which {
        "path" => drop(viewer.field(&Field::new(Location::Path, "path", b"/evil"))),
        "query" => drop(show_query(viewer, b"a=evil")),
        "query name" => drop(show_query(viewer, b"evil=a")),
        "query file" => drop(show_query(viewer, b"f%69le=evil")),
        "header" => header(viewer, "user-agent"),
        "cookie" => drop(show_cookies(viewer, b"a=b; sid=evil")),
        "form" => drop(show_form(viewer, b"file=evil")),
        "json" => show_json(viewer, br#"{"a":["e\u0076il"]}"#).unwrap(),
        "json key" => show_json(viewer, br#"{"evil":1}"#).unwrap(),
        "xml" => show_xml(viewer, b"<a>e&#118;il</a>").unwrap(),
        "xml attribute" => show_xml(viewer, b"<a b='evil'/>").unwrap(),
        _ => drop(viewer.field(&Field::new(Location::Body, "the body", b"\xff evil"))),
    };
    let all = [
        "path",
        "query",
        "query name",
        "query file",
        "header",
        "cookie",
        "form",
        "json",
        "json key",
        "xml",
        "xml attribute",
        "body",
    ];
    let name = |text: &str| text.to_owned();
    let cases: [(Part, &[&str]); 11] = [
        (Part::Path, &["path"]),
        (Part::Query, &["query", "query name", "query file"]),
        (Part::Headers, &["header", "cookie"]),
        (Part::Cookies, &["cookie"]),
        (
            Part::Body,
            &["form", "json", "json key", "xml", "xml attribute", "body"],
        ),
        (Part::Form, &["form"]),
        (Part::Json, &["json", "json key"]),
        (Part::Xml, &["xml", "xml attribute"]),
        (Part::Header(name("User-Agent")), &["header"]),
        (Part::Header(name("Cookie")), &["cookie"]),
        (Part::Parameter(name("file")), &["query file", "form"]),
    ];
    for (part, wanted) in cases {
        let rules = compiled("evil", std::slice::from_ref(&part));
        let seen: Vec<&str> = all
            .into_iter()
            .filter(|which| !found(&rules, |viewer| show(viewer, which)).is_empty())
            .collect();
        assert_eq!(seen, wanted, "{part:?}");
        let body = wanted
            .iter()
            .any(|which| ["form", "json", "xml", "body"].contains(which));
        assert_eq!(rules.look_at_bodies(), body, "{part:?}");
    }
    let sid = compiled("evil", &[Part::Cookie(name("sid"))]);
    assert_eq!(found(&sid, |viewer| show(viewer, "cookie")), [0]);
    assert!(found(&sid, |viewer| show(viewer, "header")).is_empty());
    let everywhere = compiled("evil", &Part::EVERYWHERE);
    for which in all {
        assert_eq!(
            found(&everywhere, |viewer| show(viewer, which)),
            [0],
            "{which}"
        );
    }
}

#[test]
fn each_rule_is_reported_once_with_the_first_field_it_found() {
    let rules = Rules::compile(vec![
        rule("one", &[Part::Json]),
        rule("two", &[Part::Json]),
        rule("three", &[Part::Query]),
    ])
    .unwrap();
    let mut inspection = rules.begin();
    show_json(&mut inspection, br#"{"a":"two one","b":"one three"}"#).unwrap();
    let mut found = inspection.finish().found;
    found.sort_by_key(|each| each.rule);
    let seen: Vec<(usize, &str)> = found
        .iter()
        .map(|each| (each.rule, each.field.as_str()))
        .collect();
    assert_eq!(seen, [(0, "/a"), (1, "/a")]);
}

#[test]
fn two_hundred_rules_are_a_few_automata() {
    let pattern = |number: usize| match number % 10 {
        0 => format!("class{number}\\.module.*loader"),
        1 => format!(r"\b(?:exec|eval){number}\s*\("),
        2 => format!("<script[^>]*>{number}"),
        3 => format!(r"\$\{{jndi:(ldap|rmi)://{number}"),
        _ => format!("/cgi-bin/exploit-{number}\\.php"),
    };
    let rules = (0..200).map(|number| rule(&pattern(number), &Part::EVERYWHERE));
    let rules = Rules::compile(rules.collect()).unwrap();
    assert!(rules.automata() <= 16, "{}", rules.automata());
    assert!(plain(&rules, "GET /cgi-bin/exploit-117.php") && plain(&rules, "eval31 ("));
    assert!(plain(&rules, "class40.module.x.loader") && !plain(&rules, "class41.module.loader"));
}

#[test]
fn more_than_may_be_looked_at_is_said_and_the_whole_body_is_bounded_by_its_reader() {
    let rules = compiled("evil", &Part::EVERYWHERE);
    let mut inspection = rules.begin();
    let value = vec![b'a'; INSPECTED_BYTES_MAX + 1];
    assert!(
        inspection
            .field(&Field::new(Location::JsonValue, "v", &value))
            .is_break()
    );
    let limit = INSPECTED_BYTES_MAX;
    assert_eq!(inspection.finish().over, Some(OverBudget::Bytes { limit }));
    let mut body = value;
    body.extend_from_slice(b"evil");
    let seen = found(&rules, |viewer| {
        let _ = viewer.field(&Field::new(Location::Body, "the body", &body));
    });
    assert_eq!(seen, [0]);
    let mut inspection = rules.begin();
    let field = Field::new(Location::JsonValue, "v", b"a");
    assert!((0..FIELDS_MAX).all(|_| inspection.field(&field).is_continue()));
    assert!(inspection.field(&field).is_break());
    let limit = FIELDS_MAX;
    assert_eq!(inspection.finish().over, Some(OverBudget::Fields { limit }));
}
