//! The engine from outside: a document is compiled, requests are decided and explained.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod support;

use lockgate_policy::diff;
use support::*;

const API_KEY: &str = "{ id: key, kind: api_key }";

#[test]
fn a_match_that_names_nothing_does_not_take_everything() {
    let routes = section("routes", &["{ match: {} }"]);
    let found = messages(&document("", &routes));
    assert!(
        found.contains("the match names nothing; write `path: \"/{*rest}\"` for every request"),
        "{found}"
    );
    let named = section("routes", &["{ match: { path: \"/{*rest}\" } }"]);
    assert_eq!(messages(&document("", &named)), "");
}

#[test]
fn what_opens_every_chain_holds_for_requests_that_no_route_takes() {
    let text = with(&["{ id: key, kind: api_key }"]);
    let text = format!(
        "{text}policies:\n  - {{ id: harden, kind: response_headers }}\n  - {{ id: watched, kind: response_headers, mode: shadow, referrer_policy: origin }}\n"
    );
    for (method, url, expected) in [
        ("GET", "/nowhere", "route.not_found"),
        ("GET", "/orders/%2e%2e/x", "request.bad_path"),
        ("GET", "/orders/7", "api_key.missing"),
    ] {
        let trace = trace(&text, &call(method, url, &[]));
        assert_eq!(code(&trace), expected);
        let field = |name: &str| {
            let found = trace.headers.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(field("x-content-type-options"), Some("nosniff"), "{url}");
        assert_eq!(field("referrer-policy"), Some("no-referrer"), "{url}");
    }
    let only_there = text.replace(
        "kind: response_headers }",
        "kind: response_headers, when: \"request.path == '/nowhere'\" }",
    );
    let fields = |url: &str| trace(&only_there, &call("GET", url, &[])).headers.len();
    assert!(fields("/nowhere") > 0);
    assert_eq!(fields("/elsewhere"), 0);
}

#[test]
fn a_route_that_asks_for_a_field_sees_all_its_values() {
    let text = document(
        "",
        &section(
            "routes",
            &["{ match: { path: /7, headers: { X-Release: next } }, upstream: other }"],
        ),
    );
    let target = |fields: &[(&str, &str)]| {
        let trace = trace(&text, &call("GET", "/orders/7", fields));
        trace.target.unwrap_or_default()
    };
    let release = |value: &'static str| ("X-Release", value);
    assert_eq!(target(&[release("next")]), "other");
    assert_eq!(target(&[release("stable"), release("next")]), "other");
    assert_eq!(target(&[release("stable, next")]), "other");
    assert_eq!(target(&[release("next ,stable")]), "other");
    assert_eq!(target(&[release("next-but-one")]), "orders");
    assert_eq!(target(&[]), "orders");
}

#[test]
fn a_member_that_does_not_exist_is_named_with_the_nearest() {
    let said = |text: &str| {
        messages(&with(&[&format!(
            "{{ id: key, kind: api_key, when: \"{text}\" }}"
        )]))
    };
    for (text, expected) in [
        (
            "request.header['x-a'] == 'b'",
            "`request` has no member `header`; did you mean `request.headers`?",
        ),
        (
            "request.foo == 'b'",
            "`request` has no member `foo`; it has `method`, `scheme`, `host`, `path`, `query`, `headers`",
        ),
        (
            "request['paht'] == '/'",
            "`request` has no member `paht`; did you mean `request.path`?",
        ),
        (
            "has(client.adress)",
            "`client` has no member `adress`; did you mean `client.address`?",
        ),
        (
            "request.path.length > 3",
            "`request.path` is a text and has no member `length`",
        ),
        (
            "['a'].exists(one, route.name == one)",
            "`route` has no member `name`; it has `id`",
        ),
    ] {
        assert!(said(text).contains(expected), "{text}: {}", said(text));
    }
    for sound in [
        "request.headers['x-a'] == 'b'",
        "request.query.a == 'b'",
        "['a'].exists(route, route.startsWith('b'))",
        "'a' in [request.path, route.id, client.address]",
    ] {
        assert_eq!(said(sound), "", "{sound}");
    }
    assert!(
        messages(&with(&[
            "{ id: key, kind: api_key }",
            "{ id: few, kind: rate_limit, limit: 1, per: 1m, by: \"cel: application.name\" }",
        ]))
        .contains("`application` has no member `name`; it has `id`, `plan`, `scopes`, `roles`")
    );
}

#[test]
fn conditions_are_checked_and_without_a_value_refuse() {
    let when = |text: &str| with(&[&format!("{{ id: key, kind: api_key, when: \"{text}\" }}")]);
    assert_eq!(
        trace(
            &when("request.method == 'POST'"),
            &call("GET", "/orders", &[])
        )
        .decision,
        "forward"
    );
    assert_eq!(
        code(&trace(
            &when("request.method == 'GET'"),
            &call("GET", "/orders", &[])
        )),
        "api_key.missing"
    );
    assert_eq!(
        code(&trace(
            &when("request.headers['x-missing'] == 'a'"),
            &call("GET", "/orders", &[])
        )),
        "policy.undecided"
    );
    assert!(messages(&when("request.method ==")).contains("this is not a CEL expression"));
}

#[test]
fn a_route_finds_its_way_and_says_what_else_there_is() {
    let routes = section(
        "routes",
        &["{ match: { methods: [GET], path: \"/{id}\" }, upstream: other }"],
    );
    let open = document("", &routes);
    let found = trace(&open, &call("GET", "/orders/7", &[]));
    assert_eq!(
        (found.route.unwrap().id.to_string(), found.target.as_deref()),
        ("GET /{id}".into(), Some("other"))
    );
    assert_eq!(
        trace(&open, &call("DELETE", "/orders/7", &[]))
            .target
            .as_deref(),
        Some("orders")
    );
    assert_eq!(
        code(&trace(&open, &call("GET", "/elsewhere", &[]))),
        "route.not_found"
    );
    assert_eq!(
        code(&trace(&open, &call("GET", "/orders/%2e%2e/admin", &[]))),
        "request.bad_path"
    );
    let closed = document("        unlisted: refuse\n", &routes);
    let other = trace(&closed, &call("DELETE", "/orders/7", &[]));
    assert_eq!(
        (code(&other), other.detail.as_deref()),
        (
            "route.method_not_allowed",
            Some("this path takes `GET`, `HEAD`")
        )
    );
}

#[test]
fn head_takes_the_route_of_get_unless_one_names_it() {
    let routes = section(
        "routes",
        &[
            "{ id: read, match: { methods: [GET], path: /a }, policies: [{ id: no, kind: ip_filter, allow: [192.0.2.0/24] }] }",
            "{ id: both, match: { methods: [GET], path: /b } }",
            "{ id: own, match: { methods: [HEAD], path: /b } }",
            "{ id: write, match: { methods: [POST], path: /c } }",
        ],
    );
    let text = document("", &routes);
    let route = |method: &str, path: &str| {
        let found = trace(&text, &call(method, path, &[]));
        found.route.map(|route| route.id.to_string())
    };
    assert_eq!(route("HEAD", "/orders/a").as_deref(), Some("read"));
    assert_eq!(route("HEAD", "/orders/b").as_deref(), Some("own"));
    assert_eq!(route("GET", "/orders/b").as_deref(), Some("both"));
    assert_eq!(route("HEAD", "/orders/c").as_deref(), Some("*"));
    assert_eq!(route("DELETE", "/orders/a").as_deref(), Some("*"));
}

#[test]
fn an_inner_policy_takes_the_place_of_an_outer_one_unless_that_is_final() {
    let routes = |extra: &str| {
        let outer = format!("        policies: [{{ id: key, kind: api_key{extra} }}]\n");
        document(
            &outer,
            &section(
                "routes",
                &["{ match: { path: /open }, policies: [{ id: key, kind: api_key, mode: off }] }"],
            ),
        )
    };
    assert_eq!(
        trace(&routes(""), &call("GET", "/orders/open", &[])).decision,
        "forward"
    );
    assert_eq!(
        code(&trace(&routes(""), &call("GET", "/orders/7", &[]))),
        "api_key.missing"
    );
    assert!(
        messages(&routes(", final: true"))
            .contains("the policy `key` of the version orders/v1 is final")
    );
}

#[test]
fn dangling_names_and_duplicates_are_found_together() {
    let routes = section(
        "routes",
        &[
            "{ match: { path: /a }, upstream: ordrs }",
            "{ match: { path: /b } }",
            "{ match: { path: /b } }",
        ],
    );
    let found = messages(&document(
        &section("policies", &["{ id: a, kind: api_kee }", API_KEY, API_KEY]),
        &routes,
    ));
    for expected in [
        "did you mean `orders`?",
        "did you mean `api_key`?",
        "the policy `key` exists twice in this scope",
        "the route `* /b` exists twice",
    ] {
        assert!(found.contains(expected), "{expected}: {found}");
    }
}

#[test]
fn diff_names_routes_and_policies() {
    let base = compile(&with(&[
        API_KEY,
        "{ id: fair, kind: rate_limit, limit: 3, per: 1m }",
    ]));
    assert!(diff(&base, &base).is_empty());
    let candidate = compile(&with(&[
        API_KEY,
        "{ id: fair, kind: rate_limit, limit: 9, per: 1m }",
        "{ id: shape, kind: json_limits }",
    ]));
    let found = serde_json::to_value(diff(&base, &candidate)).unwrap();
    assert_eq!(found[0]["change"], "changed");
    let policies: Vec<(&str, &str)> = found[0]["policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (p["id"].as_str().unwrap(), p["change"].as_str().unwrap()))
        .collect();
    assert!(
        policies.contains(&("fair", "changed")) && policies.contains(&("shape", "added")),
        "{policies:?}"
    );
    let routes = section("routes", &["{ match: { path: /new } }"]);
    let found = serde_json::to_value(diff(
        &compile(&document("", "")),
        &compile(&document("", &routes)),
    ))
    .unwrap();
    assert_eq!(
        (&found[0]["route"], &found[0]["change"]),
        (&"* /new".into(), &"added".into())
    );
}

#[test]
fn the_catalogue_has_a_remedy_for_every_reason_and_one_code_means_one_thing() {
    let mut codes: std::collections::HashMap<&str, &lockgate_policy::Reason> =
        std::collections::HashMap::new();
    for reason in lockgate_policy::reasons() {
        assert!(
            !reason.remedy.is_empty() && (400..600).contains(&reason.status),
            "{reason:?}"
        );
        if let Some(other) = codes.insert(reason.code, reason) {
            assert_eq!(other, reason);
        }
    }
    let schema = lockgate_policy::document_schema().to_string();
    for kind in lockgate_policy::KINDS {
        assert!(
            schema.contains(&format!("\"const\":\"{}\"", kind.name)),
            "{}",
            kind.name
        );
    }
}
