use lockgate_config::Span;
use lockgate_fuzzing::near;

use crate::request::fuzz::{fields, view};

use super::*;

const SEEDS: &[&str] = &[
    "request.method == 'GET' && request.headers['x-a'].startsWith('1')",
    "client.address.matches('^192\\\\.') || claims.sub in ['a', 'b']",
    "size(request.query) > 0 ? application.plan == 'gold' : has(claims.tier)",
    "request.path.split('/').exists(x, x == 'admin')",
    "[1, 2, 3].map(x, x * 2).filter(x, x > 2).size() == 2",
];
const WORDS: &[&str] = &[
    "(", ")", "[", "]", "{", "}", "'", "\"", ".", ",", "!", "-", "&&", "||", "==", "? 1 : 2", " in ", "request", "claims", "x",
    "9223372036854775807", "-9223372036854775808", "1 / 0", "0u", "1.5e308", "null", "b'\\xff'", "r'\\'", ".map(x, x)", "has(",
    "matches('(a+)+$')", "timestamp('2026-01-01T00:00:00Z')", "duration('1h')", "\\u{0}", "\n", "//",
];

#[test]
fn an_expression_is_refused_with_a_reason_or_gives_a_value_or_says_why_not() {
    let headers = fields(b"x-a: 1\nx-b: b\nx-b: c");
    let request = view(&headers, Some("a=1&a=2"));
    bolero::check!()
        .with_iterations(600)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let text = Spanned {
                span: Span::default(),
                value: input.text(),
            };
            match Condition::compile(&text) {
                Err(problem) => assert!(!problem.message.contains('\n') && !problem.message.is_empty()),
                Ok(condition) => {
                    if let Ok(first) = condition.holds(&request, "route") {
                        assert_eq!(condition.holds(&request, "route"), Ok(first), "the same again");
                    }
                    let _ = condition.text(&request, "route");
                }
            }
        });
}
