use super::*;

fn last(value: &str) -> String {
    let views = views(Location::JsonValue, value.as_bytes());
    String::from_utf8_lossy(&views.last().unwrap().1).into_owned()
}

#[test]
fn plain_values_have_one_borrowed_view() {
    for value in [
        "", "hello", "O'Brien", "100%", "R&D", "a\\b", "%zz", "&x;", "\\u12",
    ] {
        let views = views(Location::JsonValue, value.as_bytes());
        assert!(
            matches!(views.as_slice(), [(0, Cow::Borrowed(_))]),
            "{value}"
        );
    }
}

#[test]
fn every_known_escape_is_undone() {
    for (value, plain) in [
        ("%3Cscript%3e", "<script>"),
        ("%253c", "<"),
        ("%25253c", "<"),
        ("%u003c", "<"),
        ("%uff1c", "<"),
        ("..%c0%af", "../"),
        ("%c0%ae", "."),
        ("%c1%9c", "\\"),
        ("%e0%80%af", "/"),
        ("%f0%80%80%ae", "."),
        ("%fc%80%80%80%80%af", "/"),
        ("..%c1%1cboot.ini", "..\\boot.ini"),
        ("%c0%27", "'"),
        ("%u2215", "/"),
        ("&lt;", "<"),
        ("&ltx", "<x"),
        ("&amp;lt;", "<"),
        ("&#60;", "<"),
        ("&#x3c", "<"),
        ("&#0000060;", "<"),
        ("&colon;", ":"),
        ("\\u003c", "<"),
        ("\\u{3c}", "<"),
        ("\\x3c", "<"),
        ("%5cu003c", "<"),
        ("%%33%63", "<"),
    ] {
        assert_eq!(last(value), plain, "{value}");
    }
}

#[test]
fn passes_are_bounded_and_views_cannot_grow() {
    assert_eq!(
        views(Location::JsonValue, b"%25252525253c").len(),
        1 + DECODING_PASSES_MAX
    );
    assert_eq!(last("%2525253c"), "%3c");
}

#[test]
fn plus_is_a_space_in_queries_and_forms_only() {
    let spaced = views(Location::QueryValue, b"a+b%2Bc");
    assert_eq!(spaced.last().unwrap().1.as_ref(), b"a b+c");
    assert_eq!(views(Location::JsonValue, b"a+b").len(), 1);
}

#[test]
fn a_byte_that_begins_a_long_form_hides_nothing_behind_it() {
    for value in [
        "%F8%31%27%20%4F",
        "%e0%20%27",
        "%c1%27",
        "%f0%27%27%27",
        "%c0%7c%27",
    ] {
        assert!(last(value).contains('\''), "{value}");
    }
}
