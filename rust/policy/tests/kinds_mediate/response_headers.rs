use super::values;
use crate::support::*;

fn fields(settings: &str, url: &str) -> Vec<(String, String)> {
    let gateway = with(&[&format!(
        "{{ id: harden, kind: response_headers{settings} }}"
    )]);
    trace(&gateway, &call("GET", url, &[])).headers
}

fn pairs(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    let pairs = fields.iter();
    pairs
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

#[test]
fn the_defaults_suit_an_api_and_hsts_is_for_https_alone() {
    let plain = [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("content-security-policy", "frame-ancestors 'none'"),
    ];
    assert_eq!(pairs(&fields("", "/orders")), plain);
    let https = fields("", "https://localhost/orders");
    assert_eq!(
        pairs(&https)[4],
        ("strict-transport-security", "max-age=31536000")
    );
}

#[test]
fn every_field_can_be_changed_or_left_out() {
    let settings = ", strict_transport_security: off, content_type_options: off, referrer_policy: \"origin, same-origin\", frame_options: off, \
                    content_security_policy: \"default-src 'self'\", permissions_policy: \"camera=()\", \
                    cross_origin_opener_policy: same-origin, cross_origin_resource_policy: same-site";
    assert_eq!(
        pairs(&fields(settings, "https://localhost/orders")),
        [
            ("referrer-policy", "origin, same-origin"),
            ("content-security-policy", "default-src 'self'"),
            ("permissions-policy", "camera=()"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-site"),
        ]
    );
}

#[test]
fn refusals_and_fixed_answers_have_the_fields_too() {
    let policy = "{ id: harden, kind: response_headers }";
    let refused = trace(
        &with(&["{ id: key, kind: api_key }", policy]),
        &call("GET", "/orders", &[]),
    );
    assert_eq!(refused.status, Some(401));
    assert_eq!(values(&refused, "x-content-type-options"), ["nosniff"]);
    let fixed = with(&[
        "{ id: robots, kind: respond, text: a, headers: { Server: a, X-Frame-Options: SAMEORIGIN } }",
        policy,
    ]);
    let fixed = trace(&fixed, &call("GET", "/orders", &[]));
    assert_eq!(values(&fixed, "x-frame-options"), ["SAMEORIGIN"]);
    assert!(values(&fixed, "server").is_empty());
}

#[test]
fn preflights_have_the_fields_too() {
    let pages = "{ id: pages, kind: cors, origins: [\"https://a.example\"] }";
    let gateway = with(&[pages, "{ id: harden, kind: response_headers }"]);
    for (origin, status) in [("https://a.example", 204), ("https://b.example", 403)] {
        let asked = [("Origin", origin), ("Access-Control-Request-Method", "GET")];
        let answer = trace(&gateway, &call("OPTIONS", "/orders", &asked));
        assert_eq!(answer.status, Some(status));
        assert_eq!(values(&answer, "x-content-type-options"), ["nosniff"]);
    }
}

#[test]
fn what_is_removed_can_be_changed() {
    let removed = |settings: &str| {
        let gateway = with(&[
            "{ id: robots, kind: respond, text: a, headers: { Server: a, X-Powered-By: b, X-Own: c } }",
            &format!("{{ id: harden, kind: response_headers{settings} }}"),
        ]);
        let trace = trace(&gateway, &call("GET", "/orders", &[]));
        ["server", "x-powered-by", "x-own"].map(|name| values(&trace, name).is_empty())
    };
    assert_eq!(removed(""), [true, true, false]);
    assert_eq!(removed(", remove: [X-Own]"), [false, false, true]);
    assert_eq!(removed(", remove: [off]"), [false, false, false]);
}

#[test]
fn bad_settings_say_what_to_write() {
    for (settings, expected) in [
        (
            "frame_options: ALLOWALL",
            "unknown value of `x-frame-options` `ALLOWALL`",
        ),
        ("content_type_options: sniff", "did you mean `nosniff`?"),
        (
            "referrer_policy: \"origin, never\"",
            "unknown value of `referrer-policy` `never`",
        ),
        (
            "cross_origin_resource_policy: same",
            "unknown value of `cross-origin-resource-policy` `same`",
        ),
        (
            "strict_transport_security: preload",
            "has no `max-age` in seconds; write a value such as `max-age=31536000",
        ),
        ("content_security_policy: \"\"", "the text is empty"),
        (
            "permissions_policy: \"a\\nb\"",
            "is not a value of `permissions-policy`",
        ),
        (
            "remove: [Transfer-Encoding]",
            "is written by the gateway alone",
        ),
        (
            "remove: [off], strict_transport_security: off, content_type_options: off, referrer_policy: off, frame_options: off, content_security_policy: off",
            "changes nothing",
        ),
        (
            "when: 'claims.a == 1'",
            "evaluated before anyone is identified",
        ),
        ("hsts: off", "unknown field `hsts`"),
    ] {
        let found = messages(&with(&[&format!(
            "{{ id: harden, kind: response_headers, {settings} }}"
        )]));
        assert!(found.contains(expected), "{settings}: {found}");
    }
}
