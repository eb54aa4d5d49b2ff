use proptest::prelude::*;

use super::*;

#[test]
fn percent_encoding_is_undone_once() {
    for (text, wanted) in [
        ("a%20b+c", "a b c"),
        ("%2541", "%41"),
        ("%", "%"),
        ("%4", "%4"),
        ("%zz%41", "%zzA"),
        ("%ff", "\u{fffd}"),
        ("plain", "plain"),
    ] {
        assert_eq!(decode(text), wanted, "{text}");
    }
}

#[test]
fn deeply_nested_json_is_no_json_and_hashed_when_it_speaks_of_credentials() {
    let mask = Mask::new([1; 32], Names::default());
    let deep = format!("{}\"token\"{}", "[".repeat(500), "]".repeat(500));
    assert!(matches!(mask.json_text(&deep, 0), JsonText::Not));
    assert_eq!(mask.text(&deep, Place::Other), Some(mask.hash(&deep)));
}

proptest! {
    #[test]
    fn decoding_gives_back_what_was_encoded(text in "\\PC{0,30}") {
        let encoded: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        prop_assert_eq!(decode(&encoded).into_owned(), text);
    }
}

#[test]
fn a_name_that_is_encoded_too_often_counts_as_a_credential() {
    let mask = Mask::new([1; 32], Names::default());
    for (name, is_credential) in [("%2541", false), ("t%6Fken", true), ("a%2525252541", true)] {
        assert_eq!(mask.names_credential(name), is_credential, "{name}");
    }
}
