use super::*;

fn refused(path: &str) -> PathError {
    canonical_path(path).expect_err(path)
}

#[test]
fn plain_paths_are_borrowed_unchanged() {
    for path in [
        "/",
        "/orders/7",
        "/orders/",
        "/a.b/c~d/@x:y",
        "/.well-known/x",
        "/a/..b",
    ] {
        assert!(
            matches!(canonical_path(path), Ok(Cow::Borrowed(same)) if same == path),
            "{path}"
        );
    }
}

#[test]
fn escapes_of_unreserved_characters_are_decoded_and_others_are_upper_cased() {
    assert_eq!(
        canonical_path("/%61dmin/%7euser/%c3%a9").unwrap(),
        "/admin/~user/%C3%A9"
    );
    assert_eq!(canonical_path("/100%25").unwrap(), "/100%25");
}

#[test]
fn every_ambiguous_path_is_refused_by_its_rule() {
    assert_eq!(refused("orders"), PathError::Relative);
    assert_eq!(refused("/a//b"), PathError::EmptySegment);
    assert_eq!(refused("//"), PathError::EmptySegment);
    for dots in ["/a/../b", "/..", "/./a", "/a/.", "/%2e%2e/a", "/.%2E/a"] {
        assert_eq!(refused(dots), PathError::DotSegment, "{dots}");
    }
    for slash in ["/a%2fb", "/a%2Fb", "/a%5cb"] {
        assert_eq!(refused(slash), PathError::EncodedSlash, "{slash}");
    }
    for semicolon in ["/a;b", "/a%3bb"] {
        assert_eq!(refused(semicolon), PathError::Parameter, "{semicolon}");
    }
    for control in ["/a%00", "/a%0d%0ab", "/a\\b", "/a b", "/a\u{e9}", "/a#b"] {
        assert_eq!(refused(control), PathError::Character, "{control}");
    }
    for escape in ["/%", "/%4", "/%zz"] {
        assert_eq!(refused(escape), PathError::Escape, "{escape}");
    }
    for twice in [
        "/%252e%252e",
        "/%25%32%65%25%32%65/admin",
        "/%252%65",
        "/%25%32f",
    ] {
        assert_eq!(refused(twice), PathError::DoubleEscape, "{twice}");
    }
    for long in [
        "/%c0%ae%c0%ae/a",
        "/%c0%c0%ae",
        "/%C1%9c",
        "/%e0%80%af",
        "/%F0%80%80%ae",
    ] {
        assert_eq!(refused(long), PathError::Overlong, "{long}");
    }
    for other in ["/%E0%A4%85", "/%F0%9F%98%80", "/%C0", "/%C0%41"] {
        assert!(canonical_path(other).is_ok(), "{other}");
    }
    assert_eq!(canonical_path("/50%25%2Aoff").unwrap(), "/50%25%2Aoff");
}

proptest::proptest! {
    #[test]
    fn the_canonical_form_is_its_own_canonical_form(path in "/[a-z./%;0-9A-F]{0,40}") {
        if let Ok(once) = canonical_path(&path) {
            proptest::prop_assert_eq!(canonical_path(&once).unwrap(), once.as_ref());
        }
    }

    #[test]
    fn any_text_is_answered(path in "\\PC{0,80}") {
        let _ = canonical_path(&path);
    }
}
