use lockgate_fuzzing::near;

use super::*;

const SEEDS: &[&str] = &[
    include_str!("../../../examples/first-policy/gateway.yaml"),
    "lockgate: 1\nlisteners: { public: { bind: \"127.0.0.1:0\" } }\nupstreams: { a: { targets: [\"http://127.0.0.1:1\"] } }\n",
    r#"{"lockgate":1,"purposes":"optional","apis":{"a":{"versions":{"v1":{"base":"/","upstream":"a"}}}}}"#,
    "# only a comment\n",
];
const WORDS: &[&str] = &[
    "\n",
    ": ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\"",
    "'",
    "\t",
    "  ",
    "#",
    "&a ",
    "*a",
    "!!str ",
    "<<: *a\n",
    "---\n",
    "...\n",
    "|\n",
    ">-\n",
    "? ",
    "null",
    "~",
    "true",
    "1e999",
    "0x10",
    "0o7",
    "1_000",
    "9223372036854775808",
    "include: [a.yaml]\n",
    "lockgate: 1\n",
    "%YAML 1.2\n",
    "\u{feff}",
    "\0",
    "\u{85}",
    "\u{2028}",
    "${env:A}",
    "5m",
    "listeners:",
];

#[test]
fn every_problem_stands_within_the_file_and_says_something() {
    bolero::check!()
        .with_iterations(1_500)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let text = input.text();
            let problems = match load_document(&Source::text("gateway.yaml", text.as_str())) {
                Ok(loaded) => {
                    let again = load_document(&Source::text("again", loaded.canonical.as_str()));
                    let again = again.expect("the canonical form is a document");
                    assert_eq!((again.id, again.canonical), (loaded.id, loaded.canonical));
                    return;
                }
                Err(problems) => problems,
            };
            assert!(!problems.is_empty());
            // YAML 1.2 §5.4: a line ends with LF, CR or both.
            let lines: Vec<&str> = text.split('\n').flat_map(|line| line.split('\r')).collect();
            for problem in problems {
                assert_eq!(problem.file, "gateway.yaml");
                assert!(!problem.message.is_empty() && problem.help != Some(String::new()));
                assert!(problem.line as usize <= lines.len() + 1, "{problem}");
                assert!((problem.line == 0) == (problem.column == 0), "{problem}");
                let width = lines
                    .iter()
                    .map(|line| line.chars().count())
                    .max()
                    .unwrap_or(0);
                assert!(problem.column as usize <= width + 2, "{problem}");
            }
        });
}

const JSON: &[&str] = &[
    r#"{"a":[1,-2,3.5,"x",true,null],"b":{"c":"\u0041\n"}}"#,
    r#"[[],{},""," a ","1","true","null","~"]"#,
    r#"{"a":1,"a":2}"#,
];

#[test]
fn json_means_what_it_means_elsewhere() {
    bolero::check!()
        .with_iterations(3_000)
        .with_generator(near(JSON, WORDS))
        .for_each(|input| {
            let text = input.text();
            let Ok(elsewhere) = serde_json::from_str::<serde_json::Value>(&text) else {
                return;
            };
            if let Ok(here) = yaml::parse("a.json", &text) {
                let empty = elsewhere.is_null() && here.as_map().is_some_and(<[_]>::is_empty);
                assert!(
                    empty || same(&here.to_json(), &elsewhere),
                    "{here:?} {elsewhere}"
                );
            }
        });
}

/// Equal, where a number with a fraction, or past 64 bits, may differ in the last bit: the other reader does not round exactly.
fn same(here: &serde_json::Value, elsewhere: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Number, Object};
    match (here, elsewhere) {
        (Number(a), Number(b)) if a.is_f64() || b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= a.abs() * f64::EPSILON
        }
        (Array(here), Array(elsewhere)) => {
            here.len() == elsewhere.len() && here.iter().zip(elsewhere).all(|(a, b)| same(a, b))
        }
        (Object(here), Object(elsewhere)) => {
            here.len() == elsewhere.len()
                && here
                    .iter()
                    .all(|(name, a)| elsewhere.get(name).is_some_and(|b| same(a, b)))
        }
        _ => here == elsewhere,
    }
}
