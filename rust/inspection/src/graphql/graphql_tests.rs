use super::*;

fn measured(query: &str) -> Measure {
    check_document(query.as_bytes(), &GraphqlLimits::default()).unwrap()
}

fn refused(query: &str) -> GraphqlViolation {
    check_document(query.as_bytes(), &GraphqlLimits::default()).unwrap_err()
}

fn over(bound: GraphqlBound, limit: u64, seen: u64) -> GraphqlViolation {
    GraphqlViolation::Limit { bound, limit, seen }
}

#[test]
fn a_query_is_measured() {
    let query = "query Q($n: Int = 2) { me { name friends(first: 10) @include(if: true) { a: name b: id } } x(limit: $n) }";
    let one = measured(query);
    assert_eq!(
        (one.depth, one.aliases, one.directives, one.cost),
        (3, 2, 1, 1 + 1 + 10 * 3 + 2)
    );
    assert_eq!(measured("{ a, b # note\n }").tokens, 4);
}

#[test]
fn each_limit_passes_at_the_limit_and_refuses_one_more() {
    assert_eq!(measured("{a{a{a{a{a{a}}}}}}").depth, 6);
    assert_eq!(
        refused("{a{a{a{a{a{a{a}}}}}}}"),
        over(GraphqlBound::Depth, 6, 7)
    );
    let aliases = |n: usize| {
        format!(
            "{{{}}}",
            (0..n).map(|i| format!("a{i}: x ")).collect::<String>()
        )
    };
    assert_eq!(measured(&aliases(15)).aliases, 15);
    assert_eq!(refused(&aliases(16)), over(GraphqlBound::Aliases, 15, 16));
    let directives = |n: usize| format!("{{ a {} }}", "@d ".repeat(n));
    assert_eq!(measured(&directives(50)).directives, 50);
    assert_eq!(
        refused(&directives(51)),
        over(GraphqlBound::Directives, 50, 51)
    );
    assert_eq!(measured(&format!("{{{}}}", "a ".repeat(998))).tokens, 1000);
    assert_eq!(
        refused(&format!("{{{}}}", "a ".repeat(999))),
        over(GraphqlBound::Tokens, 1000, 1001)
    );
    let operations = |n: usize| {
        (0..n)
            .map(|i| format!("query Q{i} {{a}} "))
            .collect::<String>()
    };
    assert_eq!(measured(&operations(10)).cost, 10);
    assert_eq!(
        refused(&operations(11)),
        over(GraphqlBound::Operations, 10, 11)
    );
    assert_eq!(measured("{ a(first: 2499) { b } c d}").cost, 5000);
    assert_eq!(
        refused("{ a(first: 2500) { b } c}"),
        over(GraphqlBound::Cost, 5000, 5001)
    );
}

#[test]
fn list_sizes_multiply_and_saturate() {
    assert_eq!(
        refused("{ a(first: 100) { b(last: 100) { c } } }"),
        over(GraphqlBound::Cost, 5000, 100 * (1 + 100 * 2))
    );
    let seen = u64::MAX;
    assert_eq!(
        refused("{ a(first: 99999999999999999999) { b(limit: 1e30) { c } } }"),
        over(GraphqlBound::Cost, 5000, seen)
    );
    assert_eq!(measured("{ a(first: -5) { b } }").cost, 2);
    assert_eq!(measured("{ a(page: {limit: 7}) }").cost, 7);
    assert_eq!(measured("{ a(page: {limit: \"7\"}) }").cost, 7);
}

#[test]
fn variables_count_as_list_sizes() {
    let body = br#"{"query":"query($n:Int,$p:Page){a(first:$n){b} c(page:$p)}","variables":{"n":10,"p":{"limit":5}}}"#;
    assert_eq!(
        check_json(body, &GraphqlLimits::default()).unwrap().cost,
        25
    );
    let body = br#"{"query":"query($n:Int=3){...F} fragment F on Query{a(first:$n){b}}"}"#;
    assert_eq!(check_json(body, &GraphqlLimits::default()).unwrap().cost, 6);
}

#[test]
fn fragments_count_where_they_are_used() {
    let one = measured(
        "{ ...F ...F } fragment F on Q { x: a { b } @skip(if: false) }"
            .replace("} @skip(if: false) }", "} }")
            .as_str(),
    );
    assert_eq!((one.depth, one.aliases, one.cost), (2, 2, 4));
    assert_eq!(
        refused("{ a { b { c { d { ...F } } } } } fragment F on X { e { f { g } } }"),
        over(GraphqlBound::Depth, 6, 7)
    );
    assert_eq!(measured("{ a { ... on X { b } ... { c } } }").depth, 2);
}

#[test]
fn fragment_cycles_and_unknown_fragments_are_refused() {
    assert!(matches!(
        refused("{ ...A } fragment A on Q { ...A }"),
        GraphqlViolation::FragmentCycle { .. }
    ));
    assert!(matches!(
        refused("{ a } fragment A on Q { x { ...B } } fragment B on Q { ...A }"),
        GraphqlViolation::FragmentCycle { .. }
    ));
    assert!(matches!(
        refused("{ ...Z }"),
        GraphqlViolation::UnknownFragment { .. }
    ));
    assert!(matches!(
        refused("{ a } fragment A on Q { ...Z }"),
        GraphqlViolation::UnknownFragment { .. }
    ));
    assert!(matches!(
        refused("{ a } fragment A on Q { a } fragment A on Q { b }"),
        GraphqlViolation::DuplicateFragment { .. }
    ));
    assert!(
        measured(
            "{ ...A ...B } fragment A on Q { ...C } fragment B on Q { ...C } fragment C on Q { a }"
        )
        .cost
            == 2
    );
}

#[test]
fn exponential_fragments_are_counted_without_being_expanded() {
    let mut query = "{ ...F0 }".to_owned();
    for i in 0..60 {
        query += &format!(" fragment F{i} on Q {{ ...F{} ...F{} }}", i + 1, i + 1);
    }
    query += " fragment F60 on Q { a }";
    assert_eq!(refused(&query), over(GraphqlBound::Cost, 5000, 1 << 60));
}

#[test]
fn a_long_chain_of_fragments_is_measured_without_recursion() {
    let limits = GraphqlLimits {
        tokens: 1_000_000,
        document_bytes: 10_000_000,
        ..GraphqlLimits::default()
    };
    let mut query = "{ ...F0 }".to_owned();
    for i in 0..5_000 {
        query += &format!(" fragment F{i} on Q {{ ...F{} }}", i + 1);
    }
    query += " fragment F5000 on Q { a }";
    assert_eq!(check_document(query.as_bytes(), &limits).unwrap().cost, 1);
}

#[test]
fn deep_nesting_is_refused_before_the_parser_sees_it() {
    let limits = GraphqlLimits {
        tokens: 1_000_000,
        document_bytes: 10_000_000,
        depth: 1_000_000,
        ..GraphqlLimits::default()
    };
    for open in ["{a", "{a(x:[", "{a(x:{y:", "query($x:["] {
        let query = open.repeat(100_000);
        assert_eq!(
            check_document(query.as_bytes(), &limits),
            Err(GraphqlViolation::Nesting { limit: 128 }),
            "{open}"
        );
    }
    assert_eq!(
        check_document(
            format!("{{a(x:{}{})}}", "[".repeat(126), "]".repeat(126)).as_bytes(),
            &limits
        )
        .map(|one| one.cost),
        Ok(1)
    );
    assert_eq!(
        check_document(
            format!("{}b{}", "{a".repeat(128), "}".repeat(128)).as_bytes(),
            &limits
        )
        .map(|one| one.depth),
        Ok(128)
    );
}

#[test]
fn batches_are_counted_together_and_limited() {
    let limits = GraphqlLimits::default();
    let batch = |n: usize, query: &str| {
        format!(
            "[{}]",
            vec![format!("{{\"query\":\"{query}\"}}"); n].join(",")
        )
    };
    assert_eq!(
        check_json(batch(10, "{a b}").as_bytes(), &limits)
            .unwrap()
            .cost,
        20
    );
    assert_eq!(
        check_json(batch(11, "{a}").as_bytes(), &limits),
        Err(over(GraphqlBound::Batch, 10, 11))
    );
    assert_eq!(
        check_json(batch(2, "{a(first:2501)}").as_bytes(), &limits),
        Err(over(GraphqlBound::Cost, 5000, 5002))
    );
    assert_eq!(
        check_json(
            batch(2, "{a1:a b1:b c1:c d1:d e1:e f1:f g1:g h1:h}").as_bytes(),
            &limits
        ),
        Err(over(GraphqlBound::Aliases, 15, 16))
    );
    assert_eq!(
        check_json(b"[]", &limits),
        Err(GraphqlViolation::NoDocument)
    );
}

#[test]
fn every_operation_counts_and_the_named_one_must_exist() {
    let limits = GraphqlLimits::default();
    let body = |name: &str| {
        format!(r#"{{"query":"query A{{a}} query B{{b(first:9)}}","operationName":"{name}"}}"#)
    };
    assert_eq!(check_json(body("A").as_bytes(), &limits).unwrap().cost, 10);
    assert!(matches!(
        check_json(body("C").as_bytes(), &limits),
        Err(GraphqlViolation::UnknownOperation { .. })
    ));
}

#[test]
fn requests_of_the_wrong_shape_are_refused() {
    let limits = GraphqlLimits::default();
    for body in [
        "1",
        "[1]",
        r#"{"query":1}"#,
        r#"{"query":"{a}","variables":[]}"#,
        r#"{"query":"{a}","operationName":1}"#,
    ] {
        assert!(
            matches!(
                check_json(body.as_bytes(), &limits),
                Err(GraphqlViolation::Shape { .. })
            ),
            "{body}"
        );
    }
    assert_eq!(
        check_json(b"{}", &limits),
        Err(GraphqlViolation::NoDocument)
    );
    assert!(matches!(
        check_json(br#"{"query":"{a}","Query":"{b}"}"#, &limits),
        Err(GraphqlViolation::Json(_))
    ));
    assert!(matches!(
        check_json(br#"{"query":"{a}","variables":{"n":1e999}}"#, &limits),
        Err(GraphqlViolation::Json(_))
    ));
    for query in ["", "{", "{}", "{a", "a", "{a(}", "query {", "\u{0}"] {
        assert!(
            check_document(query.as_bytes(), &limits).is_err(),
            "{query:?}"
        );
    }
    assert_eq!(refused("type Q { a: Int }"), GraphqlViolation::TypeSystem);
    assert_eq!(
        refused("fragment F on Q { a }"),
        GraphqlViolation::NoOperation
    );
}

#[test]
fn get_parameters_are_checked_like_a_body() {
    let limits = GraphqlLimits::default();
    let cost = check_parameters(
        Some("query($n:Int){a(first:$n)}"),
        Some(r#"{"n":4}"#),
        None,
        &limits,
    )
    .unwrap()
    .cost;
    assert_eq!(cost, 4);
    assert_eq!(
        check_parameters(None, None, None, &limits),
        Err(GraphqlViolation::NoDocument)
    );
    assert!(matches!(
        check_parameters(Some("{a}"), Some("[]"), None, &limits),
        Err(GraphqlViolation::Shape { .. })
    ));
}
