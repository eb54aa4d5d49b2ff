use super::*;

fn sample() -> Headers {
    [("Host", "a.example"), ("Accept", "*/*"), ("accept", "")]
        .into_iter()
        .collect()
}

#[test]
fn fields_keep_their_order_and_repeated_names() {
    let fields: Vec<_> = sample().iter().map(|(n, v)| format!("{n}={v}")).collect();
    assert_eq!(fields, ["Host=a.example", "Accept=*/*", "accept="]);
    assert_eq!(sample().len(), 3);
    assert!(!sample().is_empty());
}

#[test]
fn a_name_is_found_in_any_case_and_gives_its_first_value() {
    assert_eq!(sample().get("ACCEPT"), Some("*/*"));
    assert_eq!(sample().get("cookie"), None);
}

#[test]
fn bytes_that_are_not_utf8_are_kept_as_replacement_characters() {
    let mut headers = Headers::with_capacity(1, 8);
    headers.push_bytes("x", b"a\xffb");
    assert_eq!(headers.get("x"), Some("a\u{fffd}b"));
}

#[test]
fn the_wire_form_is_a_list_of_pairs_and_comes_back_equal() {
    let text = serde_json::to_string(&sample()).unwrap();
    assert_eq!(
        text,
        r#"[["Host","a.example"],["Accept","*/*"],["accept",""]]"#
    );
    assert_eq!(serde_json::from_str::<Headers>(&text).unwrap(), sample());
}

#[test]
fn a_wire_form_that_is_no_list_of_pairs_is_refused() {
    for bad in [r#"{"a":"b"}"#, r#"[["a"]]"#, r#"["ab"]"#, r#"[["a",1]]"#] {
        assert!(serde_json::from_str::<Headers>(bad).is_err(), "{bad}");
    }
}
