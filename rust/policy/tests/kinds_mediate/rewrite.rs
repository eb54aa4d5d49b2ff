use lockgate_policy::Trace;

use crate::support::*;

fn route(path: &str, policy: &str) -> String {
    let line = format!("{{ match: {{ path: \"{path}\" }}, policies: [{policy}] }}");
    document("", &section("routes", &[&line]))
}

fn forwarded(gateway: &str, url: &str) -> (String, String) {
    let Trace {
        forwarded, detail, ..
    } = trace(gateway, &call("GET", url, &[]));
    let forwarded = forwarded.unwrap_or_else(|| panic!("{detail:?}"));
    (forwarded.path, forwarded.query.unwrap_or_default())
}

#[test]
fn a_path_takes_variables_as_they_were_sent() {
    let gateway = route(
        "/{id}/lines/{line}",
        "{ id: to, kind: rewrite, path: \"/v2/{line}/of-{id}\" }",
    );
    for (url, expected) in [
        ("/orders/7/lines/8", "/v2/8/of-7"),
        ("/orders/a%20b/lines/%7e", "/v2/~/of-a%20b"),
    ] {
        assert_eq!(forwarded(&gateway, url).0, expected);
    }
    let rest = route(
        "/files/{*rest}",
        "{ id: to, kind: rewrite, path: \"/store/{*rest}\" }",
    );
    assert_eq!(
        forwarded(&rest, "/orders/files/a/b?c=d"),
        ("/store/a/b".into(), "c=d".into())
    );
    assert_eq!(forwarded(&rest, "/orders/files/").0, "/store/");
}

#[test]
fn values_that_make_another_path_are_refused() {
    for (template, url) in [
        ("/a/.{rest}", "/orders/"),
        ("/a/.{rest}/b", "/orders/."),
        ("/{rest}/b", "/orders/"),
        ("/a/%25{rest}", "/orders/41"),
    ] {
        let gateway = route(
            "/{*rest}",
            &format!("{{ id: to, kind: rewrite, path: \"{template}\" }}"),
        );
        let trace = trace(&gateway, &call("GET", url, &[]));
        let expected = if url.ends_with('.') {
            "request.bad_path"
        } else {
            "rewrite.bad_path"
        };
        assert_eq!(
            (trace.status, code(&trace)),
            (Some(400), expected),
            "{template} {url}"
        );
    }
}

#[test]
fn a_prefix_is_replaced_in_whole_segments() {
    let gateway = |from: &str, to: &str| {
        with(&[&format!(
            "{{ id: to, kind: rewrite, prefix: {{ from: {from}, to: {to} }} }}"
        )])
    };
    for (from, to, url, expected) in [
        ("/old", "/new", "/orders/old/7", "/new/7"),
        ("/old", "/new", "/orders/old", "/new"),
        ("/old", "/new", "/orders/older", "/older"),
        ("/old", "/", "/orders/old/7", "/7"),
        ("/old", "/", "/orders/old", "/"),
        ("/", "/api", "/orders/7", "/api/7"),
        ("/", "/api", "/orders", "/api/"),
        ("/a/b", "/c", "/orders/a/b/d", "/c/d"),
    ] {
        assert_eq!(
            forwarded(&gateway(from, to), url).0,
            expected,
            "{from} {to} {url}"
        );
    }
    let kept = gateway("/orders", "/v1")
        .replace("base: /orders", "base: /orders\n        strip_base: false");
    assert_eq!(forwarded(&kept, "/orders/7").0, "/v1/7");
}

#[test]
fn a_query_is_changed_and_its_rest_stays() {
    let gateway = route(
        "/{id}",
        "{ id: to, kind: rewrite, query: { set: { order: \"{id}\" }, add: { tag: \"a&b\" }, remove: [debug] } }",
    );
    assert_eq!(
        forwarded(&gateway, "/orders/a%26b%20c?x=%7e&order=1&debug&%64ebug=2"),
        ("/a%26b%20c".into(), "x=%7e&order=a%26b+c&tag=a%26b".into())
    );
}

#[test]
fn a_shadow_policy_changes_nothing() {
    let gateway =
        with(&["{ id: to, kind: rewrite, mode: shadow, path: /v2, query: { set: { a: b } } }"]);
    assert_eq!(
        forwarded(&gateway, "/orders/7?c"),
        ("/7".into(), "c".into())
    );
}

#[test]
fn a_route_that_is_aggregated_has_nothing_to_rewrite() {
    let line = "{ match: { path: /all }, aggregate: { one: { upstream: orders, path: /one } }, policies: [{ id: to, kind: rewrite, path: /a }] }";
    let found = messages(&document("", &section("routes", &[line])));
    assert!(
        found.contains("the policy `to` rewrites what an aggregated route does not forward; write the paths of the parts"),
        "{found}"
    );
}

#[test]
fn bad_settings_say_what_to_write() {
    for (settings, expected) in [
        (
            "path: \"/v2/{ident}\"",
            "unknown variable `ident`; did you mean `idents`?",
        ),
        (
            "path: \"/v2/{nothing}\"",
            "unknown variable `nothing`; expected one of `idents`",
        ),
        (
            "path: \"/v2/{idents\"",
            "has a brace without its partner; write a variable as `{name}`",
        ),
        ("path: \"/v2/idents}\"", "has a brace without its partner"),
        (
            "path: v2",
            "`v2` is not a canonical path: the path does not start with `/`; start it with `/`",
        ),
        ("path: \"//evil.example/\"", "holds an empty segment"),
        ("path: /a/../b", "holds a dot segment"),
        ("path: /a?b=c", "is not a canonical path"),
        (
            "path: /a, prefix: { from: /a, to: /b }",
            "write only one of `path` and `prefix`",
        ),
        (
            "prefix: { from: a, to: /b }",
            "`a` is not the start of a path; write whole segments",
        ),
        (
            "prefix: { from: /a, to: \"/b?c\" }",
            "`/b?c` is not the start of a path",
        ),
        (
            "prefix: { from: \"/{id}\", to: /b }",
            "is not the start of a path",
        ),
        ("query: {}", "changes nothing"),
        ("query: { set: { a: \"{no}\" } }", "unknown variable `no`"),
        ("pth: /a", "did you mean `path`?"),
    ] {
        let found = messages(&route(
            "/{idents}",
            &format!("{{ id: to, kind: rewrite, {settings} }}"),
        ));
        assert!(found.contains(expected), "{settings}: {found}");
    }
    let outside = messages(&with(&["{ id: to, kind: rewrite, path: \"/v2/{id}\" }"]));
    assert!(
        outside.contains(
            "only a route whose path has variables gives some; write the policy at a route"
        ),
        "{outside}"
    );
    let gateway =
        with(&[]) + "policies: [{ id: to, kind: rewrite, prefix: { from: /a, to: /b } }]\n";
    let outside = messages(&gateway);
    assert!(outside.contains("outside a version nobody can say where a forwarded path starts; write the policy at a version"), "{outside}");
}
