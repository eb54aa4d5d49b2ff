use proptest::prelude::*;

use super::*;

fn found(text: &str) -> Option<&str> {
    find(text, 0).map(|range| &text[range])
}

#[test]
fn keys_are_found_by_their_shape() {
    for (text, wanted) in [
        (
            "x eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln y",
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln",
        ),
        ("eyJhIjoxfQ.eyJhIjoxfQ.", "eyJhIjoxfQ.eyJhIjoxfQ."),
        ("/k/lg_live_0123456789/x", "lg_live_0123456789"),
        ("a=sk-proj-0123456789abcdef", "sk-proj-0123456789abcdef"),
        ("(AKIAIOSFODNN7EXAMPLE)", "AKIAIOSFODNN7EXAMPLE"),
        ("saw bearer  0123456789abcdef!", "0123456789abcdef"),
        ("https://u:pass@h/p", "pass"),
        ("https://u:p@ss@h/p", "p@ss"),
    ] {
        assert_eq!(found(text), Some(wanted), "{text}");
    }
}

#[test]
fn a_private_key_in_pem_is_found_to_its_end_or_to_the_end_of_the_text() {
    let key = "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----";
    assert_eq!(found(&format!("a {key} b")), Some(key));
    assert_eq!(
        found("---------BEGIN PRIVATE KEY-----\nabc"),
        Some("-----BEGIN PRIVATE KEY-----\nabc")
    );
    assert_eq!(
        found("x\n-----BEGIN PRIVATE KEY-----\nabc"),
        Some("-----BEGIN PRIVATE KEY-----\nabc")
    );
    assert_eq!(found("-----BEGIN CERTIFICATE-----\nabc"), None);
}

#[test]
fn ordinary_words_are_not_keys() {
    for text in [
        "task-0123456789abcdef0123",
        "desk-lamp",
        "sk-short",
        "eyJ.",
        "eyelash.a.b",
        "bearer of bad news",
        "https://host:8080/path@x",
        "mailto:a@b.example",
        "lg_",
        "AKIA",
        "",
    ] {
        assert_eq!(found(text), None, "{text}");
    }
}

#[test]
fn the_search_goes_on_where_it_is_told() {
    let text = "lg_aaaaaaaa lg_bbbbbbbb";
    assert_eq!(find(text, 0), Some(0..11));
    assert_eq!(find(text, 11), Some(12..23));
}

#[test]
fn a_long_text_of_beginnings_is_searched_in_linear_time() {
    for piece in ["eyJ-", "://", "-----BEGIN ", "bearer ", "sk-a ", "lg_"] {
        let text = piece.repeat(200_000);
        let mut at = 0;
        while let Some(range) = find(&text, at) {
            at = range.end;
        }
    }
}

proptest! {
    #[test]
    fn any_text_gives_a_range_on_character_boundaries(text in ".{0,80}", from in 0usize..90) {
        if let Some(range) = find(&text, from) {
            prop_assert!(text.get(range).is_some_and(|part| !part.is_empty()));
        }
    }

    #[test]
    fn a_planted_key_is_found_among_anything(before in "[^a-zA-Z0-9]{0,10}", key in "lg_[A-Za-z0-9]{8,40}", after in "[ /&].{0,10}") {
        let text = format!("{before}{key}{after}");
        prop_assert!(text.contains(&key));
        let mut at = 0;
        let mut all = Vec::new();
        while let Some(range) = find(&text, at) {
            at = range.end;
            all.push(&text[range]);
        }
        prop_assert!(all.iter().any(|part| part.contains(&key)), "{all:?} in {text}");
    }
}

#[test]
fn every_key_begins_with_a_letter_that_is_looked_at() {
    for (prefix, least) in KEYS {
        let key = format!("{prefix}{}", "0".repeat(least));
        assert_eq!(found(&key), Some(key.as_str()));
    }
}
