use proptest::prelude::*;

use super::*;

#[test]
fn names_of_credentials_are_known_in_any_case_and_punctuation() {
    let names = Names::default();
    for name in [
        "Authorization",
        "proxy-authorization",
        "X-Forwarded-Authorization",
        "Cookie",
        "SET-COOKIE",
        "X-Api-Key",
        "apiKey",
        "api_key",
        "api.key",
        "X-Amz-Security-Token",
        "client_secret",
        "newPassword",
        "passwd",
        "X-Hub-Signature-256",
        "JSESSIONID",
        "session",
        "filter[token]",
    ] {
        assert!(names.is_credential(name), "{name}");
    }
}

#[test]
fn other_names_are_not_credentials() {
    let names = Names::default();
    for name in [
        "Host",
        "accept",
        "User-Agent",
        "page",
        "author",
        "key",
        "to-kin",
        "api",
        "sessio",
        "tok",
        "",
    ] {
        assert!(!names.is_credential(name), "{name}");
    }
}

#[test]
fn configured_names_are_credentials_too() {
    let names = Names::new(["X-Partner-Pin", "", "--"]);
    for name in ["x-partner-pin", "xPartnerPin", "X_PARTNER_PIN"] {
        assert!(names.is_credential(name), "{name}");
    }
    assert!(!names.is_credential("x-partner") && !names.is_credential("-"));
    assert!(names.is_mentioned("the X partner PIN: 4711") && !names.is_mentioned("the partner"));
}

#[test]
fn a_name_too_long_to_look_at_counts_as_a_credential() {
    let names = Names::default();
    assert!(!names.is_credential(&"a".repeat(MAX_NAME_BYTES)));
    assert!(names.is_credential(&"a".repeat(MAX_NAME_BYTES + 1)));
}

proptest! {
    #[test]
    fn a_credential_word_within_any_short_name_is_found(before in "[a-z-]{0,20}", after in ".{0,20}") {
        let name = format!("{before}ToKen{after}");
        prop_assert!(Names::default().is_credential(&name));
    }
}
