use lockgate_policy::Trace;

use super::{post, told};
use crate::support::*;

fn gateway(rules: &str) -> String {
    with(&[&format!(
        "{{ id: own, kind: payload_guard, classes: none, rules: {rules} }}"
    )])
}

fn ask(rules: &str, request: &lockgate_policy::ExplainRequest) -> Trace {
    trace(&gateway(rules), request)
}

/// What the one policy of a trace found, and what it only tried.
fn found(trace: &Trace) -> (Vec<&str>, Vec<&str>) {
    let policy = &trace.policies[0];
    (
        policy.found_by.iter().map(|rule| &**rule).collect(),
        policy.tried.iter().map(|rule| &**rule).collect(),
    )
}

#[test]
fn a_refusal_names_the_field_and_the_rule_and_never_the_value() {
    let rules = "[{ id: cve-1, pattern: 'class\\.module', why: CVE-2026-1 }]";
    let trace = ask(
        rules,
        &post(
            "/orders/7",
            "application/json",
            r#"{"a":["x Class.Module secret"]}"#,
        ),
    );
    assert_eq!(told(&trace), (403, "payload_guard.rule"));
    let detail = trace.detail.as_deref().unwrap();
    assert_eq!(detail, "the body holds what the rule `cve-1` refuses");
    let escaped = r#"{"a":["x cl\u0061ss.module"]}"#;
    let trace = ask(rules, &post("/orders/7", "application/json", escaped));
    let detail = trace.detail.as_deref().unwrap();
    assert_eq!(
        detail,
        "the value of `/a/0` holds what the rule `cve-1` refuses"
    );
    assert_eq!(found(&trace), (vec!["cve-1"], vec![]));
    assert!(trace.remedy.unwrap().contains("name of the rule"));
}

#[test]
fn bodies_of_any_type_are_looked_at_and_only_when_a_rule_asks_for_them() {
    let body = "[{ id: one, pattern: EXPLOIT, in: [body] }]";
    for content_type in [
        "text/plain",
        "application/octet-stream",
        "multipart/form-data; boundary=a",
    ] {
        let trace = ask(
            body,
            &post("/orders/7", content_type, "--a\r\nan EXPLOIT\r\n"),
        );
        assert_eq!(told(&trace), (403, "payload_guard.rule"), "{content_type}");
    }
    let mut encoded = post("/orders/7", "text/plain", "EXPLOIT");
    encoded
        .headers
        .push(("Content-Encoding".into(), "gzip".into()));
    assert_eq!(told(&ask(body, &encoded)), (415, "payload.encoded"));
    let head = "[{ id: one, pattern: EXPLOIT, in: [path, query, headers] }]";
    assert_eq!(ask(head, &encoded).decision, "forward");
    let broken = post("/orders/7", "application/json", "{");
    assert_eq!(told(&ask(body, &broken)), (400, "payload_guard.unreadable"));
    assert_eq!(ask(head, &broken).decision, "forward");
}

#[test]
fn a_rule_that_is_tried_out_refuses_nobody_and_is_told_and_one_that_is_off_is_not_there() {
    let rules =
        "[{ id: new, pattern: evil, mode: shadow }, { id: gone, pattern: evil, mode: off }]";
    let request = call("GET", "/orders/7?a=evil", &[]);
    let seen = ask(rules, &request);
    assert_eq!(seen.decision, "forward");
    assert_eq!(found(&seen), (vec![], vec!["new"]));
    let rules =
        "[{ id: new, pattern: evil, mode: shadow }, { id: old, pattern: vil, in: [query] }]";
    let seen = ask(rules, &request);
    assert_eq!(told(&seen), (403, "payload_guard.rule"));
    assert_eq!(found(&seen).0, ["old"]);
    let off = "[{ id: gone, pattern: evil, in: [body], mode: off }]";
    assert_eq!(
        ask(off, &post("/orders/7", "application/json", "{")).decision,
        "forward"
    );
}

#[test]
fn rules_stand_beside_classes_and_the_rule_is_the_reason_that_is_given() {
    let both = with(&[
        "{ id: own, kind: payload_guard, classes: all, rules: [{ id: quote, pattern: \"or '1'\" }] }",
    ]);
    let attack = call("GET", "/orders/7?id=1%27%20OR%20%271%27%3D%271", &[]);
    assert_eq!(told(&trace(&both, &attack)), (403, "payload_guard.rule"));
    let other = call("GET", "/orders/7?id=%3Cscript%3Ealert(1)%3C/script%3E", &[]);
    assert_eq!(told(&trace(&both, &other)), (403, "payload_guard.attack"));
}

#[test]
fn every_rule_that_cannot_hold_is_named_with_what_to_type() {
    for (rules, wanted) in [
        (
            "[{ id: a, pattern: 'x*' }]",
            "the pattern of `a`: it finds the empty text, which is everywhere",
        ),
        (
            "[{ id: a, pattern: '.+' }]",
            "the pattern of `a`: it finds every text",
        ),
        (
            "[{ id: a, pattern: '[^\\x00-\\xff]' }]",
            "the pattern of `a`: it can find nothing",
        ),
        (
            "[{ id: a, pattern: '(x' }]",
            "the pattern of `a`: this is not a regular expression: unclosed group",
        ),
        ("[{ id: a, pattern: 'x(?=y)' }]", "look-around"),
        (
            "[{ id: a, pattern: 'x.{500}y' }]",
            "the pattern of `a`: it is too large: its repeats have to be counted",
        ),
        (
            "[{ id: a, pattern: x }, { id: a, pattern: y }]",
            "the rule `a` exists twice in this policy",
        ),
        (
            "[{ id: 'a b', pattern: x }]",
            "`a b` cannot be the name of a rule",
        ),
        ("[{ id: a, pattern: x, in: [bdy] }]", "`bdy`"),
        (
            "[{ id: a, pattern: x, in: [{ header: 'a b' }] }]",
            "`a b` cannot be the name of a header field",
        ),
        (
            "[{ id: a, pattern: x, in: [{ cookie: 'a=b' }] }]",
            "`a=b` cannot be the name of a cookie",
        ),
        ("[{ id: a, pattern: x, in: [] }]", "empty"),
        ("[{ id: a, pattern: '' }]", "empty"),
        ("[]", "empty"),
        ("[{ pattern: x }]", "`id`"),
        ("[{ id: a }]", "`pattern`"),
        ("[{ id: a, pattern: x, regex: y }]", "`regex`"),
        ("[{ id: a, pattern: x, mode: audit }]", "`audit`"),
    ] {
        let found = problems(&gateway(rules));
        assert!(!found.is_empty(), "{rules}");
        let told = messages(&gateway(rules));
        assert!(told.contains(wanted), "{rules}\n{told}");
    }
    assert!(messages(&gateway("[{ id: a, pattern: x, in: [bdy] }]")).contains("body"));
}

#[test]
fn numbers_and_sizes_are_bounded() {
    let rules = |count: usize, pattern: &dyn Fn(usize) -> String| {
        let rules: Vec<String> = (0..count)
            .map(|at| format!("{{ id: r{at}, pattern: '{}' }}", pattern(at)))
            .collect();
        messages(&gateway(&format!("[{}]", rules.join(", "))))
    };
    let short = |at: usize| format!("attack-{at}-");
    assert_eq!(rules(500, &short), "");
    assert!(rules(501, &short).contains("has 501 rules, 500 are allowed"));
    let long = |bytes: usize| move |at: usize| format!("{at:05}{}", "x".repeat(bytes - 5));
    assert_eq!(rules(1, &long(4_096)), "");
    assert!(rules(1, &long(4_097)).contains("has 4097 bytes, 4096 are allowed"));
    assert!(rules(65, &long(4_096)).contains("bytes together, 262144 are allowed"));
}

#[test]
fn what_classes_mean_beside_rules_is_written_and_never_guessed() {
    let told = |settings: &str| {
        messages(&with(&[&format!(
            "{{ id: own, kind: payload_guard, {settings} }}"
        )]))
    };
    let rules = "rules: [{ id: a, pattern: x }]";
    assert!(told(rules).contains("does not say which `classes` it looks for"));
    assert!(told(rules).contains("classes: none"));
    assert!(told("classes: none").contains("looks for nothing"));
    assert!(told("classes: non, rules: [{ id: a, pattern: x }]").contains("did you mean `none`?"));
    assert!(told("classes: sql_injection").contains("neither `all` nor `none`"));
    assert!(told("classes: [log4shel]").contains("log4shell"));
    assert!(told("classes: []").contains("empty"));
    assert_eq!(told(&format!("classes: [ssrf], {rules}")), "");
    assert_eq!(told(&format!("classes: all, {rules}")), "");
    assert_eq!(told("classes: all"), "");
}
