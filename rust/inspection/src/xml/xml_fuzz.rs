use lockgate_fuzzing::near;

use super::*;

const SEEDS: &[&str] = &[
    "<?xml version=\"1.0\"?><a b=\"c\"><d>text &amp; more</d><!-- x --><![CDATA[<e>]]></a>",
    "<s:a xmlns:s=\"urn:x\"><s:b/>&#65;&#x42;</s:a>",
    "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
];
const WORDS: &[&str] = &[
    "<",
    ">",
    "</a>",
    "<a>",
    "/>",
    "=",
    "\"",
    "'",
    "&",
    "&amp;",
    "&x;",
    "&#0;",
    "&#x110000;",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<!DOCTYPE a>",
    "<?x?>",
    "<?xml version=\"1.1\"?>",
    "<!ENTITY",
    "\0",
    "\u{feff}",
    " b=\"1\"",
    "xmlns=\"\"",
    "\u{e9}",
];

#[test]
fn nothing_expands_and_nothing_is_declared_in_what_passes() {
    bolero::check!()
        .with_iterations(4_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let mut bytes = 0;
            let walked = walk_values(input, |each| {
                bytes += each.text.len();
                ControlFlow::Continue(())
            });
            assert!(
                bytes <= input.len(),
                "the values are longer than the document"
            );
            if check(input, &XmlLimits::default()).is_err() {
                return;
            }
            assert_eq!(walked, Ok(()));
            assert!(looks_like_xml(input));
            let text = input.text();
            // Outside comments and CDATA nothing declares anything.
            let mut rest = text.as_str();
            while let Some(at) = rest.find("<!") {
                let (_, declaration) = rest.split_at(at);
                let comment = declaration.strip_prefix("<!--").map(|rest| (rest, "-->"));
                let text = declaration
                    .strip_prefix("<![CDATA[")
                    .map(|rest| (rest, "]]>"));
                let (inside, end) = comment.or(text).expect(declaration);
                let (_, after) = inside.split_once(end).unwrap();
                rest = after;
            }
        });
}
