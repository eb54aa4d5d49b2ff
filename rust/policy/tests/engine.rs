//! The engine from outside: a document is compiled, requests are decided and explained.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod support;

use std::sync::Arc;

use lockgate_policy::diff;
use support::*;

const API_KEY: &str = "{ id: key, kind: api_key }";

#[test]
fn a_live_key_passes_and_is_not_forwarded() {
    let trace = trace(
        &with(&[API_KEY]),
        &call("GET", "/orders/7", &[("X-Api-Key", KEY)]),
    );
    assert_eq!(trace.decision, "forward");
    let forwarded = trace.forwarded.unwrap();
    assert_eq!(forwarded.path, "/7");
    assert_eq!(forwarded.headers, [("x-api-key".to_owned(), None)]);
}

#[test]
fn a_missing_wrong_old_or_repeated_key_is_refused() {
    let gateway = with(&[API_KEY]);
    for (headers, expected) in [
        (vec![], "api_key.missing"),
        (vec![("X-Api-Key", "")], "api_key.missing"),
        (vec![("X-Api-Key", "guess")], "api_key.invalid"),
        (vec![("X-Api-Key", "' OR 1=1 --")], "api_key.invalid"),
        (vec![("X-Api-Key", "lg_old")], "api_key.expired"),
        (
            vec![("X-Api-Key", KEY), ("X-Api-Key", "guess")],
            "api_key.invalid",
        ),
    ] {
        let trace = trace(&gateway, &call("GET", "/orders/7", &headers));
        assert_eq!(
            (trace.decision, trace.status, code(&trace)),
            ("refuse", Some(401), expected),
            "{headers:?}"
        );
        assert!(
            trace
                .headers
                .iter()
                .any(|(name, _)| name == "www-authenticate")
        );
    }
}

#[test]
fn a_key_in_query_or_cookie_is_taken_out_of_there() {
    let query = with(&["{ id: key, kind: api_key, in: { query: api_key } }"]);
    assert_eq!(
        trace(&query, &call("GET", &format!("/orders?api_key={KEY}"), &[])).decision,
        "forward"
    );
    assert_eq!(
        code(&trace(
            &query,
            &call("GET", &format!("/orders?api_key={KEY}&api%5Fkey=x"), &[])
        )),
        "api_key.invalid"
    );
    let cookie = with(&["{ id: key, kind: api_key, in: { cookie: session } }"]);
    let header = format!("a=b; session={KEY}");
    assert_eq!(
        trace(&cookie, &call("GET", "/orders", &[("Cookie", &header)])).decision,
        "forward"
    );
}

#[test]
fn require_names_what_is_missing() {
    for (demand, expected) in [
        ("scopes: [orders:read]", ""),
        ("scopes: [orders:write]", "require.scope"),
        ("roles: [admin]", "require.role"),
        ("plans: [silver]", "require.plan"),
        ("claims: { department: support }", "require.claim"),
        ("any_of: [{ roles: [admin] }, { plans: [gold] }]", ""),
        (
            "all_of: [{ plans: [gold] }, { roles: [admin] }]",
            "require.role",
        ),
    ] {
        let gateway = with(&[API_KEY, &format!("{{ id: may, kind: require, {demand} }}")]);
        assert_eq!(
            code(&trace(
                &gateway,
                &call("GET", "/orders", &[("X-Api-Key", KEY)])
            )),
            expected,
            "{demand}"
        );
    }
}

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
fn a_requirement_of_nothing_or_of_nobody_does_not_compile() {
    assert!(
        messages(&with(&[API_KEY, "{ id: may, kind: require }"]))
            .contains("the policy `may` requires nothing")
    );
    let empty = messages(&with(&[
        API_KEY,
        "{ id: may, kind: require, any_of: [{}] }",
    ]));
    assert!(
        empty.contains("an empty demand would let everybody pass"),
        "{empty}"
    );
    let nobody = messages(&with(&["{ id: may, kind: require, plans: [gold] }"]));
    assert!(
        nobody
            .contains("the policy `may` needs to know who calls, and nothing before it finds out"),
        "{nobody}"
    );
    let list = messages(&with(&[API_KEY, "{ id: may, kind: require, scopes: [] }"]));
    assert!(list.contains("the list is empty"), "{list}");
}

#[test]
fn two_ways_to_identify_without_a_condition_are_ambiguous() {
    let found = messages(&with(&[
        API_KEY,
        "{ id: cookie, kind: api_key, in: { cookie: key } }",
    ]));
    assert!(found.contains("both identify callers"), "{found}");
    let gateway = with(&[
        "{ id: any, kind: any_of, of: [{ id: key, kind: api_key }, { id: cookie, kind: api_key, in: { cookie: key } }] }",
    ]);
    let cookie = format!("key={KEY}");
    assert_eq!(
        trace(&gateway, &call("GET", "/orders", &[("Cookie", &cookie)])).decision,
        "forward"
    );
    let nothing = trace(&gateway, &call("GET", "/orders", &[]));
    assert_eq!(
        nothing
            .headers
            .iter()
            .filter(|(name, _)| name == "www-authenticate")
            .count(),
        2
    );
    assert_eq!(
        code(&trace(
            &gateway,
            &call(
                "GET",
                "/orders",
                &[("Cookie", &cookie), ("X-Api-Key", "bad")]
            )
        )),
        "api_key.invalid"
    );
    let limit = "{ id: any, kind: any_of, of: [{ id: x, kind: rate_limit, limit: 1, per: 1s }] }";
    assert!(messages(&with(&[limit])).contains("`rate_limit` does not identify callers"));
}

#[test]
fn rate_limit_refuses_the_call_after_the_last_and_says_when_to_come_back() {
    let revision = compile(&with(&[
        "{ id: fair, kind: rate_limit, limit: 3, per: 1m }",
    ]));
    let codes = send(&revision, &Arc::default(), (0..5).map(|n| NOW.0 + n));
    assert_eq!(
        codes,
        [
            "",
            "",
            "",
            "rate_limit.exceeded 60",
            "rate_limit.exceeded 60"
        ]
    );
    // A call counts for exactly as long as the window is, wherever windows of the clock would turn.
    let counters = Arc::default();
    send(
        &revision,
        &counters,
        [0, 20, 40].map(|second| NOW.0 + second * 1_000_000),
    );
    let later = send(
        &revision,
        &counters,
        [59_999_999, 60_000_000, 60_000_001, 79_999_999, 80_000_000].map(|after| NOW.0 + after),
    );
    assert_eq!(
        later,
        [
            "rate_limit.exceeded 1",
            "",
            "rate_limit.exceeded 20",
            "rate_limit.exceeded 1",
            ""
        ]
    );
}

#[test]
fn a_limit_of_one_waits_one_window_and_no_longer() {
    let revision = compile(&with(&[
        "{ id: fair, kind: rate_limit, limit: 1, per: 10s }",
    ]));
    let times = [0, 9_999_999, 10_000_000, 19_999_999, 20_000_000].map(|after| NOW.0 + after);
    let second = "rate_limit.exceeded 1";
    assert_eq!(
        send(&revision, &Arc::default(), times),
        ["", second, "", second, ""]
    );
}

#[test]
fn a_refusal_by_the_burst_does_not_use_up_the_limit() {
    let revision = compile(&with(&[
        "{ id: fair, kind: rate_limit, limit: 4, per: 1h, burst: 2 }",
    ]));
    let counters = Arc::default();
    let first = send(&revision, &counters, [NOW.0; 4]);
    assert_eq!(first.iter().filter(|code| code.is_empty()).count(), 2);
    let later = send(
        &revision,
        &counters,
        [NOW.0 + 10_000_000, NOW.0 + 20_000_000, NOW.0 + 30_000_000],
    );
    assert_eq!(later.iter().filter(|code| code.is_empty()).count(), 2);
}

#[test]
fn a_changed_limit_keeps_what_was_counted() {
    let counters = Arc::default();
    send(
        &compile(&with(&[
            "{ id: fair, kind: rate_limit, limit: 3, per: 1m }",
        ])),
        &counters,
        [NOW.0; 3],
    );
    let raised = compile(&with(&[
        "{ id: fair, kind: rate_limit, limit: 4, per: 1m }",
    ]));
    assert_eq!(
        send(&raised, &counters, [NOW.0; 2])
            .iter()
            .filter(|code| code.is_empty())
            .count(),
        1
    );
}

#[test]
fn a_shadow_limit_never_refuses() {
    let revision = compile(&with(&[
        "{ id: fair, kind: rate_limit, limit: 1, per: 1m, mode: shadow }",
    ]));
    assert_eq!(
        send(&revision, &Arc::default(), [NOW.0; 4]),
        ["", "", "", ""]
    );
}

#[test]
fn bad_limits_say_what_to_write() {
    for (settings, expected) in [
        (
            "limit: 0, per: 1m",
            "a limit of 0 refuses every call; write `deny_all: true` beside it",
        ),
        (
            "limit: 5, per: 1m, deny_all: true",
            "`deny_all` stands beside limits that let calls pass; write `limit: 0` beside it",
        ),
        (
            "limit: -1, per: 1m",
            "expected a whole number, not negative",
        ),
        ("limit: 9223372036854775808, per: 1m", "gateway.yaml:17"),
        ("limit: 5, per: 10ms", "shorter than one second"),
        (
            "limit: 5, per: 1m, burst: 6",
            "the burst 6 is larger than the limit 5",
        ),
        (
            "limit: 5, per: 1m, by: aplication",
            "did you mean `application`?",
        ),
        ("limit: 5, per: 1 fortnight", "gateway.yaml:"),
        (
            "limit: 5, per: 1m, by: 'cel:requst.path'",
            "did you mean `request`?",
        ),
        ("limit: 5", "per"),
        ("limit: 5, per: 1m, brust: 2", "did you mean `burst`?"),
    ] {
        let found = messages(&with(&[&format!(
            "{{ id: fair, kind: rate_limit, {settings} }}"
        )]));
        assert!(found.contains(expected), "{settings}: {found}");
    }
}

#[test]
fn json_is_checked_whatever_the_content_type_says() {
    let gateway = with(&["{ id: shape, kind: json_limits, depth: 3 }"]);
    for (body, kind, encoding, expected) in [
        ("{\"a\":[1]}", "application/json", "identity", ""),
        ("[[[[1]]]]", "text/plain", "identity", "json_limits.refused"),
        (
            "{\"role\":1,\"Role\":2}",
            "application/json",
            "identity",
            "json_limits.refused",
        ),
        (
            "{\"a\":",
            "application/problem+json",
            "identity",
            "json_limits.refused",
        ),
        ("plain words", "text/plain", "identity", ""),
        ("{}", "application/json", "gzip", "payload.encoded"),
    ] {
        let mut request = call(
            "POST",
            "/orders",
            &[("Content-Type", kind), ("Content-Encoding", encoding)],
        );
        request.body = Some(body.into());
        assert_eq!(code(&trace(&gateway, &request)), expected, "{body}");
    }
    let mut large = call("POST", "/orders", &[]);
    large.body = Some(" ".repeat(1024 * 1024 + 1));
    let trace = trace(&gateway, &large);
    assert_eq!(
        (trace.status, code(&trace)),
        (Some(413), "request.body_too_large")
    );
}

#[test]
fn addresses_are_filtered_and_networks_must_be_clear() {
    let gateway = with(&[
        "{ id: net, kind: ip_filter, allow: [192.0.2.0/24, '2001:db8::/32'], deny: [192.0.2.9] }",
    ]);
    for (client, expected) in [
        ("192.0.2.1", ""),
        ("::ffff:192.0.2.1", ""),
        ("2001:db8::1", ""),
        ("192.0.2.9", "ip_filter.refused"),
        ("198.51.100.1", "ip_filter.refused"),
    ] {
        let mut request = call("GET", "/orders", &[("X-Forwarded-For", "192.0.2.1")]);
        request.client = client.parse().ok();
        assert_eq!(code(&trace(&gateway, &request)), expected, "{client}");
    }
    for (settings, expected) in [
        (
            "allow: [192.0.2.7/24]",
            "write `192.0.2.0/24` for the network or `192.0.2.7` for the address",
        ),
        ("deny: [office]", "`office` is not a network"),
        ("allow: []", "the list is empty"),
        ("mode: enforce", "the policy `net` filters nothing"),
    ] {
        let found = messages(&with(&[&format!(
            "{{ id: net, kind: ip_filter, {settings} }}"
        )]));
        assert!(found.contains(expected), "{settings}: {found}");
    }
}

#[test]
fn attacks_are_refused_wherever_they_stand_and_never_repeated_to_the_caller() {
    let gateway = with(&["{ id: guard, kind: payload_guard }"]);
    let send = |url: &str, headers: &[(&str, &str)], body: Option<&str>| {
        let mut request = call("POST", url, headers);
        request.body = body.map(str::to_owned);
        trace(&gateway, &request)
    };
    let (json, form) = (
        ("Content-Type", "application/json"),
        ("Content-Type", "application/x-www-form-urlencoded"),
    );
    let sql = "x' OR 1=1 --";
    for found in [
        send("/orders?name=x%27%20OR%201%3D1%20--", &[], None),
        send(
            "/orders",
            &[("User-Agent", "${jndi:ldap://evil.example/a}")],
            None,
        ),
        send(
            "/orders",
            &[("Cookie", "a=<script>alert(1)</script>")],
            None,
        ),
        send("/orders", &[form], Some("note=..%2f..%2f..%2fetc%2fpasswd")),
        send("/orders", &[json], Some(&format!("{{\"note\":\"{sql}\"}}"))),
        send(
            "/orders",
            &[("Content-Type", "text/plain")],
            Some(&format!("{{\"note\":\"{sql}\"}}")),
        ),
    ] {
        assert_eq!(
            (found.status, code(&found)),
            (Some(403), "payload_guard.attack")
        );
        assert!(!found.detail.unwrap().contains("1=1"));
    }
    assert_eq!(
        code(&send("/orders", &[json], Some("{not json"))),
        "payload_guard.unreadable"
    );
    let plain = send(
        "/orders?name=O%27Brien&q=select+a+seat",
        &[json],
        Some("{\"note\":\"drop by at 5 -- thanks\"}"),
    );
    assert_eq!(plain.decision, "forward");
    let narrow = with(&["{ id: guard, kind: payload_guard, classes: [log4shell] }"]);
    assert_eq!(
        trace(
            &narrow,
            &call("GET", "/orders?name=x%27%20OR%201%3D1%20--", &[])
        )
        .decision,
        "forward"
    );
    assert!(
        messages(&with(&[
            "{ id: guard, kind: payload_guard, classes: [sqli] }"
        ]))
        .contains("sql_injection")
    );
}

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
