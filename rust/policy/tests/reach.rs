//! What a document names and nobody would miss.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod support;

use support::*;

/// What is said of APIs, in the order of the document.
fn said(apis: &str) -> String {
    messages(&format!(
        "lockgate: 1\npurposes: optional\nupstreams: {{ s: {{ targets: ['http://127.0.0.1:1'] }} }}\napis:\n{apis}\n"
    ))
}

fn routes(routes: &str) -> String {
    said(&format!(
        "  a: {{ versions: {{ v1: {{ base: /a, upstream: s, routes: [{routes}] }} }} }}"
    ))
}

#[test]
fn a_route_that_another_takes_all_requests_of_is_refused() {
    for (text, expected) in [
        (
            "{ match: { path: '/{a}' } }, { match: { path: '/{b}' } }",
            "no request reaches the route `* /{b}`: the route `* /{a}` of `a/v1` at line 5 takes them first; change its `match`",
        ),
        (
            "{ match: { methods: [GET, PUT], path: /x } }, { match: { methods: [PUT], path: /x } }",
            "no request reaches the route `PUT /x`",
        ),
        (
            "{ id: one, match: { path: '/{*a}' } }, { id: two, match: { path: '/{*b}' } }",
            "no request reaches the route `two`",
        ),
        (
            "{ id: one, match: { headers: { X-A: '1' } } }, { id: two, match: { headers: { x-a: '1' } } }",
            "no request reaches the route `two`",
        ),
        (
            "{ match: { path: x } }",
            "`x` does not start with `/`; write `/x`",
        ),
    ] {
        assert!(routes(text).contains(expected), "{text}: {}", routes(text));
    }
    for sound in [
        "{ match: { path: '/{a}' } }, { match: { methods: [GET], path: '/{b}' } }",
        "{ match: { methods: [GET], path: /x } }, { match: { methods: [PUT], path: /x } }",
        "{ match: { path: /x } }, { match: { path: /x, headers: { X-A: '1' } } }",
        "{ match: { path: /x, headers: { X-A: '1' } } }, { match: { path: /x, headers: { X-A: '2' } } }",
        "{ match: { path: '/{a}' } }, { match: { path: '/{a}/{b}' } }, { match: { path: '/{*all}' } }",
        "{ match: { path: '/{*all}' } }, { match: { path: / } }",
    ] {
        assert_eq!(routes(sound), "", "{sound}");
    }
}

#[test]
fn a_version_or_api_that_stands_where_another_does_is_refused() {
    let expected = "no request reaches `a/v2`: the version `a/v1` at line 7 takes them first; give it a `base` of its own";
    let two = "  a:\n    versions:\n      v1: { base: /a, upstream: s }\n      v2: { base: /a, upstream: s }";
    assert!(said(two).contains(expected), "{}", said(two));
    let one = |name: &str, more: &str| {
        format!("  {name}: {{ {more}versions: {{ v1: {{ base: /a, upstream: s }} }} }}")
    };
    let both = |hosts: [&str; 2]| said(&format!("{}\n{}", one("a", hosts[0]), one("b", hosts[1])));
    assert!(both(["", ""]).contains("no request reaches `b/v1`: the version `a/v1`"));
    let shared = both(["hosts: [A.example], ", "hosts: [b.example, a.example], "]);
    assert!(shared.contains("no request reaches `b/v1`"), "{shared}");
    assert_eq!(both(["hosts: [a.example], ", "hosts: [b.example], "]), "");
    assert_eq!(both(["hosts: [a.example], ", ""]), "");
    let beside = "  a:\n    versions:\n      v1: { base: /a, upstream: s }\n      v2: { base: /a, upstream: s, unlisted: refuse, routes: [{ match: { headers: { X-V: '2' } } }] }";
    assert_eq!(said(beside), "");
}

#[test]
fn a_host_that_no_request_has_is_refused() {
    for (host, sound) in [
        ("api.example.com", true),
        ("'*.example.com'", true),
        ("127.0.0.1", true),
        ("'[::1]'", true),
        ("api.example.com:80", false),
        ("https://api.example.com", false),
        ("api.example.com/", false),
        ("api.*.com", false),
        ("'*'", false),
        ("'::1'", false),
    ] {
        let said = said(&format!(
            "  a: {{ hosts: [{host}], versions: {{ v1: {{ base: /a, upstream: s }} }} }}"
        ));
        assert_eq!(said.is_empty(), sound, "{host}: {said}");
        assert!(
            sound || said.contains("is not a host name; write it without scheme, port and path")
        );
    }
}

#[test]
fn an_aggregation_says_nothing_that_it_does_not_do() {
    let part = |more: &str| format!("aggregate: {{ one: {{ upstream: s, path: /one{more} }} }}");
    let posted = routes(&format!(
        "{{ match: {{ methods: [GET, POST], path: /x }}, {} }}",
        part("")
    ));
    assert!(
        posted.contains(
            "an aggregation is asked by `GET`, and not by `POST`; write `methods: [GET]`"
        ),
        "{posted}"
    );
    let needed = routes(&format!(
        "{{ match: {{ path: /x }}, {} }}",
        part(", default: {}")
    ));
    assert!(
        needed
            .contains("the part `one` has a `default` and is not optional; write `optional: true`"),
        "{needed}"
    );
    let sound = format!(
        "{{ match: {{ methods: [GET, HEAD], path: /x }}, {} }}",
        part(", optional: true, default: {}")
    );
    assert_eq!(routes(&sound), "");
}

#[test]
fn who_calls_is_not_said_to_be_unknown_where_the_policy_that_finds_out_is_wrong() {
    let may = "{ id: may, kind: require, scopes: [a] }";
    for identifies in [
        "{ id: key, kind: api_kay }",
        "{ id: key, kind: api_key, when: '1 + 1' }",
        "{ id: key, kind: any_of, of: [{ id: token, kind: jwt }] }",
    ] {
        let said = messages(&with(&[identifies, may]));
        assert!(
            !said.is_empty() && !said.contains("needs to know who calls"),
            "{said}"
        );
    }
    assert!(messages(&with(&[may])).contains("the policy `may` needs to know who calls"));
}
