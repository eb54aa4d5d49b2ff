use lockgate_fuzzing::near;

use super::*;

const SEEDS: &[&str] = &[
    "query Q($n: Int = 5) { users(first: $n) { a: name ...F @include(if: true) } } fragment F on User { id friends { id } }",
    "mutation { x(input: {a: [1, 2], b: \"s\", c: \"\"\"block\"\"\"}) { ok } }",
    "{ a { b { c { d } } } }",
    "fragment A on T { ...B } fragment B on T { ...A } { ...A }",
];
const WORDS: &[&str] = &[
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "...",
    "...F",
    "...A",
    " on T ",
    "@x",
    "$n",
    ":",
    "a:",
    "!",
    "|",
    "&",
    "=",
    "\"",
    "\"\"\"",
    "\\u{1F600}",
    "#c\n",
    ",",
    "1e9",
    "-",
    "query",
    "subscription",
    "fragment F on T { a }",
    "\u{feff}",
    "\0",
    "\u{e9}",
];

#[test]
fn a_document_costs_the_same_however_it_is_sent_and_never_more_than_the_limits() {
    let limits = GraphqlLimits::default();
    bolero::check!()
        .with_iterations(1_500)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let text = input.text();
            let alone = check_document(text.as_bytes(), &limits);
            let body = serde_json::json!({ "query": text }).to_string();
            let in_json = check_json(body.as_bytes(), &limits);
            let in_query = check_parameters(Some(&text), None, None, &limits);
            assert_eq!(alone.as_ref().ok(), in_json.as_ref().ok());
            assert_eq!(alone.as_ref().ok(), in_query.as_ref().ok());
            let Ok(measure) = alone else {
                return;
            };
            assert!(measure.depth <= limits.depth && measure.aliases <= limits.aliases);
            assert!(measure.tokens <= limits.tokens && measure.cost <= limits.cost);
            assert!(measure.directives <= limits.directives);
            // Two of them cost twice as much, or are refused.
            let batch = serde_json::json!([{ "query": text }, { "query": text }]).to_string();
            if let Ok(both) = check_json(batch.as_bytes(), &limits) {
                assert_eq!(
                    (both.cost, both.tokens),
                    (2 * measure.cost, 2 * measure.tokens)
                );
            }
        });
}
