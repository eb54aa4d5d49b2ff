use lockgate_fuzzing::near;
use regex::bytes::RegexBuilder;

use super::*;

const SEEDS: &[&str] = &[
    "(a+)+$\n.*.*=.*\n(.*,){3}P\nab=,P",
    "\\$\\{jndi:(ldap|rmi)\n<script[^>]*>\n^/cgi-bin/[a-z]{1,8}\\.php$\n${JNDI:rmi <script a>",
    "(?-i)Exec\\s*\\(\n\\bunion\\b\n[^\\x00-\\x7f]\nexec (union",
    "class\\.module\n(?:a|b|cd){2,4}e\n\\x00\nCLASS.module abcde",
];
const WORDS: &[&str] = &[
    "\n", "(", ")", "[", "]", "{", "}", "{2,5}", "*", "+", "?", "|", ".", "^", "$", "\\", "\\b",
    "\\w", "\\s", "(?i)", "(?u)", "(?-u)", "(?s-u:.)", "\\pL", "a", "é", "\\xff", "{1000}", ".*",
];

/// The last line is looked at; those before it are patterns.
#[test]
fn no_pattern_panics_and_a_set_finds_what_its_expressions_find_alone() {
    bolero::check!()
        .with_iterations(400)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let text = input.text();
            let mut lines: Vec<&str> = text.lines().take(8).collect();
            let value = lines.pop().unwrap_or_default();
            let sound: Vec<&str> = lines
                .into_iter()
                .filter(|pattern| pattern.len() <= 200 && read(pattern).is_ok())
                .collect();
            let rules = sound.iter().map(|pattern| Rule {
                pattern: (*pattern).to_owned(),
                parts: vec![Part::Body],
            });
            let rules = Rules::compile(rules.collect()).unwrap();
            assert!(rules.automata() <= sound.len());
            let mut inspection = rules.begin();
            let _ = inspection.field(&Field::new(Location::Body, "", value.as_bytes()));
            let mut found: Vec<usize> = inspection
                .finish()
                .found
                .iter()
                .map(|each| each.rule)
                .collect();
            found.sort_unstable();
            let alone: Vec<usize> = (0..sound.len())
                .filter(|at| {
                    let regex = RegexBuilder::new(sound[*at])
                        .case_insensitive(true)
                        .dot_matches_new_line(true)
                        .unicode(false)
                        .build()
                        .unwrap();
                    regex.is_match(value.as_bytes())
                })
                .collect();
            assert_eq!(found, alone, "{sound:?} {value:?}");
        });
}
