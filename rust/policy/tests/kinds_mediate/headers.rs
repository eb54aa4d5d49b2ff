use crate::support::*;

#[test]
fn headers_are_changed_but_not_those_of_the_framing() {
    let gateway = with(&[
        "{ id: tidy, kind: headers, request: { set: { X-Tenant: shop }, remove: [X-Debug] } }",
    ]);
    let forwarded = trace(&gateway, &call("GET", "/orders", &[]))
        .forwarded
        .unwrap()
        .headers;
    assert_eq!(
        forwarded,
        [
            ("x-tenant".into(), Some("shop".into())),
            ("x-debug".into(), None)
        ]
    );
    for (settings, expected) in [
        (
            "request: { set: { Transfer-Encoding: chunked } }",
            "`Transfer-Encoding` is written by the gateway alone",
        ),
        (
            "response: { remove: [Content-Length] }",
            "`Content-Length` is written by the gateway alone",
        ),
        (
            "request: { add: { 'a b': c } }",
            "`a b` is not a field name",
        ),
        (
            "request: { add: { a: \"x\\r\\ny: z\" } }",
            "holds a character that fields cannot hold",
        ),
        ("mode: enforce", "the policy `tidy` changes nothing"),
    ] {
        let found = messages(&with(&[&format!(
            "{{ id: tidy, kind: headers, {settings} }}"
        )]));
        assert!(found.contains(expected), "{settings}: {found}");
    }
}
