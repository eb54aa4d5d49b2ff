use lockgate_policy::Trace;

use super::values;
use crate::support::*;

const PAGES: &str = "{ id: pages, kind: cors, origins: [\"https://shop.example.com\", \"https://*.example.org\", \"http://localhost:*\"], headers: [X-Api-Key], expose: [X-Total], max_age: 1h }";
const KEY: &str = "{ id: key, kind: api_key }";
const SHOP: &str = "https://shop.example.com";

fn preflight(gateway: &str, url: &str, origin: &str, method: &str, headers: &str) -> Trace {
    let mut fields = vec![
        ("Origin", origin),
        ("Access-Control-Request-Method", method),
    ];
    if !headers.is_empty() {
        fields.push(("Access-Control-Request-Headers", headers));
    }
    trace(gateway, &call("OPTIONS", url, &fields))
}

fn allowed_origin(trace: &Trace) -> Vec<&str> {
    values(trace, "access-control-allow-origin")
}

#[test]
fn a_preflight_is_answered_before_anyone_is_identified() {
    let trace = preflight(&with(&[KEY, PAGES]), "/orders/7", SHOP, "PUT", "x-api-key");
    assert_eq!(
        (trace.decision, trace.status, code(&trace)),
        ("respond", Some(204), "cors.preflight")
    );
    let fields: Vec<(&str, &str)> = trace
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        fields,
        [
            ("access-control-allow-origin", SHOP),
            ("access-control-allow-methods", "PUT"),
            ("access-control-allow-headers", "x-api-key"),
            ("access-control-max-age", "3600"),
            (
                "vary",
                "origin, access-control-request-method, access-control-request-headers"
            ),
        ]
    );
}

#[test]
fn only_a_genuine_preflight_passes_identification() {
    let gateway = with(&[KEY, PAGES]);
    let asks = ("Access-Control-Request-Method", "GET");
    for (method, fields) in [
        ("OPTIONS", vec![("Origin", SHOP)]),
        ("OPTIONS", vec![asks]),
        ("OPTIONS", vec![("Origin", SHOP), asks, asks]),
        ("OPTIONS", vec![("Origin", SHOP), ("Origin", SHOP), asks]),
        (
            "OPTIONS",
            vec![
                ("Origin", SHOP),
                ("Access-Control-Request-Method", "no method"),
            ],
        ),
        ("GET", vec![("Origin", SHOP), asks]),
    ] {
        let trace = trace(&gateway, &call(method, "/orders/7", &fields));
        assert_eq!(code(&trace), "api_key.missing", "{method} {fields:?}");
    }
}

#[test]
fn refusals_can_be_read_by_pages_of_allowed_origins_alone() {
    let gateway = with(&[KEY, PAGES]);
    let refused = trace(&gateway, &call("GET", "/orders/7", &[("Origin", SHOP)]));
    assert_eq!(refused.status, Some(401));
    assert_eq!(allowed_origin(&refused), [SHOP]);
    assert_eq!(
        values(&refused, "access-control-expose-headers"),
        ["x-total"]
    );
    assert_eq!(values(&refused, "vary"), ["origin"]);
    let stranger = call("GET", "/orders/7", &[("Origin", "https://evil.example")]);
    let stranger = trace(&gateway, &stranger);
    assert_eq!(allowed_origin(&stranger), [""; 0]);
    assert_eq!(values(&stranger, "vary"), ["origin"]);
}

#[test]
fn a_refused_preflight_says_what_is_not_allowed_and_has_no_cors_fields() {
    let listed = PAGES.replace("expose", "methods: [GET, PUT], expose");
    let gateway = with(&[&listed]);
    for (origin, method, headers, expected, detail) in [
        (
            "https://evil.example",
            "GET",
            "",
            "cors.origin_not_allowed",
            "pages of `https://evil.example`",
        ),
        (
            "null",
            "GET",
            "",
            "cors.origin_not_allowed",
            "pages of `null`",
        ),
        (
            SHOP,
            "DELETE",
            "",
            "cors.method_not_allowed",
            "`GET`, `PUT` here, not `DELETE`",
        ),
        (
            SHOP,
            "GET",
            "Accept, X-Other",
            "cors.header_not_allowed",
            "the field `x-other`",
        ),
        (
            SHOP,
            "GET",
            "content-type",
            "cors.header_not_allowed",
            "`content-type`",
        ),
    ] {
        let trace = preflight(&gateway, "/orders/7", origin, method, headers);
        assert_eq!((trace.status, code(&trace)), (Some(403), expected));
        assert!(
            trace.detail.as_ref().unwrap().contains(detail),
            "{:?}",
            trace.detail
        );
        assert!(!trace.remedy.as_ref().unwrap().is_empty());
        assert!(
            trace
                .headers
                .iter()
                .all(|(name, _)| !name.starts_with("access-control")),
            "{:?}",
            trace.headers
        );
    }
    let head = preflight(&gateway, "/orders/7", SHOP, "HEAD", "range, X-API-KEY");
    assert_eq!(head.status, Some(204), "{:?}", head.detail);
}

#[test]
fn patterns_stand_for_one_label_and_for_ports() {
    let gateway = with(&[PAGES]);
    for (origin, expected) in [
        ("https://shop.example.com", true),
        ("https://a.example.org", true),
        ("http://localhost:3000", true),
        ("http://localhost", true),
        ("https://example.org", false),
        ("https://a.b.example.org", false),
        ("https://evilexample.org", false),
        ("https://a.example.org.evil.example", false),
        ("https://a.example.org:8443", false),
        ("http://a.example.org", false),
        ("https://evil.example/.example.org", false),
        ("https://shop.example.com.evil.example", false),
        ("https://SHOP.example.com", false),
        ("http://localhost:3000.evil.example", false),
        ("http://localhost:", true),
        ("null", false),
        ("", false),
    ] {
        let trace = trace(&gateway, &call("GET", "/orders", &[("Origin", origin)]));
        assert_eq!(!allowed_origin(&trace).is_empty(), expected, "{origin}");
    }
}

#[test]
fn every_origin_is_said_with_a_star_and_then_answers_do_not_vary() {
    let gateway = with(&["{ id: pages, kind: cors, origins: [\"*\"], headers: [\"*\"] }"]);
    let answer = trace(
        &gateway,
        &call("GET", "/orders", &[("Origin", "https://any.example")]),
    );
    assert_eq!(allowed_origin(&answer), ["*"]);
    assert!(values(&answer, "vary").is_empty());
    assert!(values(&answer, "access-control-expose-headers")[0].contains("retry-after"));
    let asked = preflight(
        &gateway,
        "/orders",
        "https://any.example",
        "GET",
        "X-One,x-two",
    );
    assert_eq!(
        values(&asked, "access-control-allow-headers"),
        ["x-one, x-two"]
    );
    let odd = preflight(&gateway, "/orders", "https://any.example", "GET", "a b");
    assert_eq!(code(&odd), "cors.header_not_allowed");
}

#[test]
fn credentials_and_private_networks_are_allowed_when_the_document_says_so() {
    let gateway = |more: &str| {
        with(&[&format!(
            "{{ id: pages, kind: cors, origins: [\"{SHOP}\"]{more} }}"
        )])
    };
    let ask = |gateway: &str| {
        let fields = [
            ("Origin", SHOP),
            ("Access-Control-Request-Method", "GET"),
            ("Access-Control-Request-Private-Network", "true"),
        ];
        trace(gateway, &call("OPTIONS", "/orders", &fields))
    };
    let plain = ask(&gateway(""));
    assert!(values(&plain, "access-control-allow-credentials").is_empty());
    assert!(values(&plain, "access-control-allow-private-network").is_empty());
    let both = ask(&gateway(", credentials: true, private_network: true"));
    assert_eq!(values(&both, "access-control-allow-credentials"), ["true"]);
    assert_eq!(
        values(&both, "access-control-allow-private-network"),
        ["true"]
    );
    let answer = trace(
        &gateway(", credentials: true"),
        &call("GET", "/orders", &[("Origin", SHOP)]),
    );
    assert_eq!(
        values(&answer, "access-control-allow-credentials"),
        ["true"]
    );
}

#[test]
fn a_preflight_belongs_to_the_route_of_the_method_it_asks_for() {
    let route = |methods: &str, policies: &str| {
        format!(
            "{{ match: {{ methods: [{methods}], path: \"/{{id}}\" }}, policies: [{policies}] }}"
        )
    };
    let routes = section(
        "routes",
        &[&route("DELETE", PAGES), &route("GET, OPTIONS", KEY)],
    );
    let gateway = document("", &format!("        unlisted: refuse\n{routes}"));
    let delete = preflight(&gateway, "/orders/7", SHOP, "DELETE", "");
    assert_eq!(code(&delete), "cors.preflight");
    assert_eq!(delete.route.unwrap().id.to_string(), "DELETE /{id}");
    // The route of `GET` has no such policy: its preflight is an `OPTIONS` like others.
    let get = preflight(&gateway, "/orders/7", SHOP, "GET", "");
    assert_eq!(code(&get), "api_key.missing");
    // Nobody takes `PUT`.
    let put = preflight(&gateway, "/orders/7", SHOP, "PUT", "");
    assert_eq!(code(&put), "api_key.missing");
}

#[test]
fn no_preflight_is_answered_for_a_method_that_no_route_takes() {
    let routes = section(
        "routes",
        &["{ match: { methods: [GET, OPTIONS], path: \"/{id}\" } }"],
    );
    let gateway = document(
        &section("policies", &[PAGES]),
        &format!("        unlisted: refuse\n{routes}"),
    );
    assert_eq!(
        preflight(&gateway, "/orders/7", SHOP, "GET", "").status,
        Some(204)
    );
    let refused = preflight(&gateway, "/orders/7", SHOP, "PUT", "");
    assert_eq!(refused.status, Some(405));
    assert_eq!(values(&refused, "allow"), ["GET, OPTIONS, HEAD"]);
    assert_eq!(
        preflight(&gateway, "/orders/7/8", SHOP, "GET", "").status,
        Some(404)
    );
}

#[test]
fn a_route_whose_policy_is_off_is_not_answered_for_by_another() {
    let routes = section(
        "routes",
        &[
            "{ match: { methods: [GET], path: \"/{id}\" }, policies: [{ id: pages, kind: cors, mode: off, origins: [\"*\"] }] }",
        ],
    );
    let gateway = document(&section("policies", &[PAGES]), &routes);
    let refused = preflight(&gateway, "/orders/7", SHOP, "GET", "");
    assert_eq!(refused.status, Some(405));
    assert_eq!(values(&refused, "allow"), ["GET, HEAD"]);
}

#[test]
fn a_preflight_that_the_policy_leaves_alone_does_not_reach_a_route_without_options() {
    let policy = PAGES.replace(
        "kind: cors",
        "kind: cors, when: 'request.host == \"other\"'",
    );
    let routes = section(
        "routes",
        &["{ match: { methods: [GET], path: \"/{id}\" } }"],
    );
    let gateway = document(
        &section("policies", &[&policy]),
        &format!("        unlisted: refuse\n{routes}"),
    );
    assert_eq!(
        preflight(&gateway, "/orders/7", SHOP, "GET", "").status,
        Some(405)
    );
}

#[test]
fn a_shadow_policy_answers_nothing() {
    let shadow = PAGES.replace("kind: cors", "kind: cors, mode: shadow");
    let gateway = with(&[KEY, &shadow]);
    let asked = preflight(&gateway, "/orders/7", SHOP, "GET", "");
    assert_eq!(code(&asked), "api_key.missing");
    assert_eq!(asked.policies[0].code, Some("cors.preflight"));
    assert!(allowed_origin(&asked).is_empty());
}

#[test]
fn bad_settings_say_what_to_write() {
    for (settings, expected) in [
        ("origins: []", "the list is empty"),
        (
            "origins: [\"*\"], credentials: true",
            "could act as its visitor: `*` with `credentials`; list the origins",
        ),
        ("origins: [\"null\"]", "any page can make its origin `null`"),
        (
            "origins: [\"*\", \"https://a.example\"]",
            "`*` already allows `https://a.example`; write `*` alone",
        ),
        (
            "origins: [\"https://*.com\"]",
            "would allow hosts of strangers; write at least two labels",
        ),
        (
            "origins: [\"https://*\"]",
            "`https://*` is not an origin; write scheme and host",
        ),
        ("origins: [\"https://a*.example.com\"]", "is not an origin"),
        ("origins: [\"https://a.example/\"]", "is not an origin"),
        ("origins: [\"https://u@a.example\"]", "is not an origin"),
        ("origins: [\"https://A.example\"]", "is not an origin"),
        ("origins: [\"https://a.example:\"]", "is not an origin"),
        ("origins: [a.example]", "is not an origin"),
        (
            "origins: [\"https://a.example:443\"]",
            "browsers leave the port out of `https://a.example:443`; write `https://a.example`",
        ),
        (
            "origins: [\"https://a.example\"], methods: [get]",
            "`get` is not a method; write methods in capitals",
        ),
        (
            "origins: [\"https://a.example\"], headers: [\"a b\"]",
            "`a b` is not a field name",
        ),
        (
            "origins: [\"https://a.example\"], headers: [\"*\", X-A]",
            "`*` is not a field name; write names such as `X-Api-Key`, or `*` alone",
        ),
        (
            "origins: [\"https://a.example\"], expose: [\"*\"], credentials: true",
            "browsers read `*` as the name of a field; list the fields",
        ),
        ("origin: [\"https://a.example\"]", "did you mean `origins`?"),
        (
            "origins: [\"https://a.example\"], when: 'application.plan == \"gold\"'",
            "evaluated before anyone is identified; write a condition over `request`, `route` or `client`",
        ),
    ] {
        let messages = messages(&with(&[&format!(
            "{{ id: pages, kind: cors, {settings} }}"
        )]));
        assert!(messages.contains(expected), "{settings}: {messages}");
    }
}

#[test]
fn two_policies_for_the_same_preflights_do_not_compile() {
    let other = PAGES.replace("id: pages", "id: others");
    let found = messages(&with(&[PAGES, &other]));
    assert!(
        found.contains("the policies `pages` and `others` both answer preflights; give the inner one the `id` of the outer"),
        "{found}"
    );
}
