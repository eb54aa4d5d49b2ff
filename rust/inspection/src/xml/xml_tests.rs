use super::*;

fn problem(body: &str) -> XmlProblem {
    check(body.as_bytes(), &XmlLimits::default())
        .unwrap_err()
        .problem
}

fn problem_with(body: &str, limits: &XmlLimits) -> XmlProblem {
    check(body.as_bytes(), limits).unwrap_err().problem
}

#[test]
fn well_formed_documents_pass() {
    for body in [
        "<a/>",
        "<a></a>\n",
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a b=\"1\" c='2'>x &amp; &#65;&#x42; <b/></a>",
        "<!-- note --><s:Envelope xmlns:s=\"urn:x\"><s:Body><![CDATA[1 < 2]]></s:Body></s:Envelope>",
        "<日本>語</日本>",
        "\u{feff}<a/>",
    ] {
        assert_eq!(
            check(body.as_bytes(), &XmlLimits::default()),
            Ok(()),
            "{body}"
        );
    }
}

#[test]
fn document_types_entities_and_instructions_are_refused() {
    assert_eq!(
        problem("<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>"),
        XmlProblem::DocumentType
    );
    assert_eq!(
        problem("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>"),
        XmlProblem::DocumentType
    );
    assert_eq!(problem("<a>&xxe;</a>"), XmlProblem::Entity);
    assert_eq!(problem("<a b=\"&xxe;\"/>"), XmlProblem::Entity);
    assert_eq!(problem("<a>&#0;</a>"), XmlProblem::Entity);
    assert_eq!(problem("<a>&#x1;</a>"), XmlProblem::Entity);
    assert_eq!(problem("<a>&nbsp;</a>"), XmlProblem::Entity);
    assert_eq!(
        problem("<?xml-stylesheet href=\"x\"?><a/>"),
        XmlProblem::ProcessingInstruction
    );
    assert_eq!(
        problem("<a><?php x ?></a>"),
        XmlProblem::ProcessingInstruction
    );
}

#[test]
fn encodings_other_than_utf8_are_refused() {
    assert_eq!(
        problem("<?xml version=\"1.0\" encoding=\"UTF-7\"?><a/>"),
        XmlProblem::Encoding
    );
    assert_eq!(
        check(b"<a>\xff</a>", &XmlLimits::default())
            .unwrap_err()
            .problem,
        XmlProblem::Encoding
    );
    assert_eq!(problem("<a>\u{1}</a>"), XmlProblem::ControlCharacter);
}

#[test]
fn documents_that_are_not_well_formed_are_refused() {
    use XmlSyntax::*;
    for (body, reason) in [
        ("", NoRoot),
        ("  ", NoRoot),
        ("<!-- x -->", NoRoot),
        ("<a>", UnmatchedTag),
        ("<a></b>", UnmatchedTag),
        ("</a>", UnmatchedTag),
        ("<a/><b/>", SecondRoot),
        ("x<a/>", TextOutsideRoot),
        ("<a/>x", TextOutsideRoot),
        ("<a/>&amp;", TextOutsideRoot),
        ("<![CDATA[x]]><a/>", TextOutsideRoot),
        (" <?xml version=\"1.0\"?><a/>", MisplacedDeclaration),
        ("<?xml?><a/>", MalformedMarkup),
        ("<?xml version=\"1.1\"?><a/>", MalformedMarkup),
        ("<?xml version=\"<!DOCTYPE a>\"?><a/>", MalformedMarkup),
        (
            "<?xml version=\"1.0\" ENCODING=\"UTF-7\"?><a/>",
            MalformedMarkup,
        ),
        (
            "<?xml encoding=\"utf-8\" version=\"1.0\"?><a/>",
            MalformedMarkup,
        ),
        (
            "<?xml version=\"1.0\" standalone=\"maybe\"?><a/>",
            MalformedMarkup,
        ),
        ("<a b=c/>", MalformedAttribute),
        ("<a b/>", MalformedAttribute),
        ("<a b=\"<\"/>", MalformedAttribute),
        ("<1a/>", MalformedName),
        ("<a 1=\"x\"/>", MalformedName),
        ("<a", MalformedMarkup),
        ("<a><!-- x -- y --></a>", MalformedMarkup),
    ] {
        assert_eq!(problem(body), XmlProblem::Syntax(reason), "{body}");
    }
    assert_eq!(
        problem("<a b=\"1\" b=\"2\"/>"),
        XmlProblem::DuplicateAttribute
    );
}

#[test]
fn each_limit_passes_at_the_limit_and_refuses_one_more() {
    let limits = XmlLimits {
        depth: 2,
        elements: 3,
        attributes: 2,
        name_bytes: 3,
        attribute_bytes: 3,
        text_bytes: 4,
        comment_bytes: 3,
    };
    for body in [
        "<a><b/></a>",
        "<a><b/><c/></a>",
        "<a b='1' c='2'/>",
        "<abc/>",
        "<a b='&amp;12'/>",
        "<a>&lt;123</a>",
        "<a><!--123--></a>",
    ] {
        assert_eq!(check(body.as_bytes(), &limits), Ok(()), "{body}");
    }
    for (body, bound, limit, seen) in [
        ("<a><b><c/></b></a>", XmlBound::Depth, 2, 3),
        ("<a><b/><b/><b/></a>", XmlBound::Elements, 3, 4),
        ("<a b='' c='' d=''/>", XmlBound::Attributes, 2, 3),
        ("<abcd/>", XmlBound::NameBytes, 3, 4),
        ("<a abcd=''/>", XmlBound::NameBytes, 3, 4),
        ("<a b='1234'/>", XmlBound::AttributeBytes, 3, 4),
        ("<a>12<![CDATA[345]]></a>", XmlBound::TextBytes, 4, 5),
        ("<a><!--1234--></a>", XmlBound::CommentBytes, 3, 4),
    ] {
        assert_eq!(
            problem_with(body, &limits),
            XmlProblem::Limit { bound, limit, seen },
            "{body}"
        );
    }
}

#[test]
fn a_violation_names_offset_and_path() {
    let violation = check(b"<a><b>&x;</b></a>", &XmlLimits::default()).unwrap_err();
    assert_eq!((violation.offset, violation.path.as_str()), (9, "/a/b"));
}

#[test]
fn the_walk_joins_text_and_shows_attributes() {
    let mut seen = Vec::new();
    walk_values(
        b"<a x='O&apos;Brien'>1 &lt; 2 <![CDATA[& 3]]><b>t</b> tail</a>",
        |each| {
            seen.push(format!(
                "{} {} {}",
                each.path,
                each.attribute.unwrap_or("-"),
                each.text
            ));
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    assert_eq!(
        seen,
        ["/a x O'Brien", "/a - 1 < 2 & 3", "/a/b - t", "/a - tail"]
    );
}

#[test]
fn the_walk_stops_when_told() {
    let mut seen = 0;
    walk_values(b"<a x='1'>t<b/></a>", |_| {
        seen += 1;
        ControlFlow::Break(())
    })
    .unwrap();
    assert_eq!(seen, 1);
}

#[test]
fn bodies_that_open_like_xml_are_recognised() {
    for body in ["<a/>", "<:a/>", " <?xml", "<!DOCTYPE", "\u{feff}<a", "<\0a"] {
        assert!(looks_like_xml(body.as_bytes()), "{body:?}");
    }
    for body in ["", "< 3", "<3", "{}", "a<b", "<-"] {
        assert!(!looks_like_xml(body.as_bytes()), "{body:?}");
    }
}
