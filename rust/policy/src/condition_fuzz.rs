use http::HeaderMap;
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
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "'",
    "\"",
    ".",
    ",",
    "!",
    "-",
    "&&",
    "||",
    "==",
    "? 1 : 2",
    " in ",
    "request",
    "claims",
    "x",
    "9223372036854775807",
    "-9223372036854775808",
    "1 / 0",
    "0u",
    "1.5e308",
    "null",
    "b'\\xff'",
    "r'\\'",
    ".map(x, x)",
    "has(",
    "matches('(a+)+$')",
    "timestamp('2026-01-01T00:00:00Z')",
    "duration('1h')",
    "\\u{0}",
    "\n",
    "//",
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
                Err(problem) => {
                    assert!(!problem.message.contains('\n') && !problem.message.is_empty())
                }
                Ok(condition) => {
                    if let Ok(first) = condition.holds(&request, "route") {
                        assert_eq!(
                            condition.holds(&request, "route"),
                            Ok(first),
                            "the same again"
                        );
                    }
                    let _ = condition.text(&request, "route");
                }
            }
        });
}

fn compile(text: &str) -> Result<Condition, Problem> {
    Condition::compile(&Spanned {
        span: Span::default(),
        value: text.to_owned(),
    })
}

#[test]
fn the_longest_expressions_of_every_shape_end_within_the_stack_of_a_thread() {
    let headers = HeaderMap::new();
    let request = view(&headers, None);
    let fill = |start: &str, part: &str, end: &str| {
        let room = (MAX_BYTES - start.len() - end.len()) / part.len();
        format!("{start}{}{end}", part.repeat(room))
    };
    let half = MAX_BYTES / 2 - 4;
    for text in [
        fill("request", ".a", ""),
        fill("request", "[0]", ""),
        fill("'a'", ".size()", ""),
        fill("", "!", "true"),
        fill("true", "||false", ""),
        fill("true", "&&true", ""),
        fill("1", "+1", " == 1"),
        fill("1", "==1", ""),
        fill("", "-", "1 == 1"),
        fill("", "true?true:", "true"),
        format!("{}true{}", "(".repeat(half), ")".repeat(half)),
        format!("{}1{}", "[".repeat(half), "]".repeat(half)),
        format!("{}1{}", "{1:".repeat(half / 3), "}".repeat(half / 3)),
    ] {
        if let Ok(condition) = compile(&text) {
            let _ = condition.holds(&request, "route");
        }
    }
    let long = compile(&format!("true{}", " ".repeat(MAX_BYTES))).unwrap_err();
    assert_eq!(long.message, "the expression has more than 2048 bytes");
}

#[test]
fn loops_within_loops_within_loops_are_refused() {
    let list = "[1, 2]";
    let two = format!("{list}.all(a, {list}.exists(b, a == b))");
    let headers = HeaderMap::new();
    let holds = compile(&two).unwrap().holds(&view(&headers, None), "route");
    assert_eq!(holds, Ok(true), "the names of loops are known");
    assert!(compile("[1].all(a, b == 1)").is_err());
    assert!(
        compile(&format!(
            "{list}.map(a, a).filter(a, a > 1).map(a, a).size() == 1"
        ))
        .is_ok()
    );
    let three = compile(&format!("{list}.map(c, {{'x': {two}}}).size() == 2")).unwrap_err();
    assert_eq!(
        three.message,
        "loops stand more than 2 deep within one another"
    );
    assert!(three.help.is_some());
}
