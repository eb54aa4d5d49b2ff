use super::{post, told};
use crate::support::*;

fn gateway(settings: &str) -> String {
    with(&[&format!("{{ id: shape, kind: xml_limits{settings} }}")])
}

fn ask(settings: &str, content_type: &str, body: &str) -> (u16, String) {
    let trace = trace(&gateway(settings), &post("/orders/7", content_type, body));
    let (status, _) = told(&trace);
    (status, trace.detail.unwrap_or_default())
}

#[test]
fn each_limit_refuses_what_is_one_over_it_and_says_where() {
    for (settings, within, over, why) in [
        (
            ", depth: 2",
            "<a><b/></a>",
            "<a><b><c/></b></a>",
            "nesting depth",
        ),
        (
            ", elements: 2",
            "<a><b/></a>",
            "<a><b/><b/></a>",
            "number of elements",
        ),
        (
            ", attributes: 1",
            "<a x='1'/>",
            "<a x='1' y='2'/>",
            "number of attributes",
        ),
        (", name: 2B", "<ab/>", "<abc/>", "length of a name"),
        (
            ", attribute: 2B",
            "<a x='12'/>",
            "<a x='123'/>",
            "length of an attribute value",
        ),
        (", text: 2B", "<a>12</a>", "<a>123</a>", "length of a text"),
        (
            ", text: 2B",
            "<a><![CDATA[12]]></a>",
            "<a>12<![CDATA[3]]></a>",
            "length of a text",
        ),
        (
            ", comment: 2B",
            "<a><!--12--></a>",
            "<a><!--123--></a>",
            "length of a comment",
        ),
    ] {
        assert_eq!(ask(settings, "application/xml", within).0, 0, "{within}");
        let (status, detail) = ask(settings, "application/xml", over);
        assert_eq!(status, 400, "{over}");
        assert!(
            detail.contains(why) && detail.contains("element `/"),
            "{detail}"
        );
    }
}

#[test]
fn document_types_and_entities_are_refused_whatever_the_content_type_claims() {
    for body in [
        "<!DOCTYPE a SYSTEM \"http://inside.example/x\"><a/>",
        "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>",
        "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
        "<a>&undeclared;</a>",
        "<?php echo 1 ?><a/>",
        "\u{feff}<!DOCTYPE a><a/>",
    ] {
        for content_type in [
            "application/xml",
            "application/soap+xml",
            "text/plain",
            "application/json",
        ] {
            assert_eq!(ask("", content_type, body).0, 400, "{content_type}: {body}");
        }
    }
}

#[test]
fn a_body_that_says_it_is_xml_must_be() {
    for body in ["plain", "{}", "<a>", "<a/><b/>"] {
        assert_eq!(ask("", "application/xml", body).0, 400, "{body}");
    }
}

#[test]
fn other_bodies_pass() {
    for (content_type, body) in [
        ("application/json", "{\"a\": \"<a>\"}"),
        ("text/plain", "1 < 2"),
        ("application/xml", ""),
        (
            "application/xml",
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><a>&lt;&#65;</a>",
        ),
    ] {
        assert_eq!(ask("", content_type, body).0, 0, "{body}");
    }
}

#[test]
fn a_body_that_cannot_be_looked_at_is_refused() {
    let mut request = post("/orders/7", "application/xml", "<a/>");
    request
        .headers
        .push(("Content-Encoding".into(), "gzip".into()));
    assert_eq!(
        told(&trace(&gateway(""), &request)),
        (415, "payload.encoded")
    );
    let long = format!("<a>{}</a>", "x".repeat(100));
    let request = post("/orders/7", "application/xml", long);
    let gateway = gateway(", up_to: 100B");
    assert_eq!(
        told(&trace(&gateway, &request)),
        (413, "request.body_too_large")
    );
}

#[test]
fn bad_settings_say_what_to_write() {
    for (settings, expected) in [
        (
            ", depth: 0",
            "expected a whole number above zero, found `0`",
        ),
        (", text: 5", "`5` has no unit"),
        (", atributes: 5", "did you mean `attributes`?"),
    ] {
        let found = messages(&gateway(settings));
        assert!(found.contains(expected), "{settings}: {found}");
    }
}
