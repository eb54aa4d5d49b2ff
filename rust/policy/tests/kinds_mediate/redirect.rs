use super::values;
use crate::support::*;

fn gateway(path: &str, settings: &str) -> String {
    let line = format!(
        "{{ match: {{ path: \"{path}\" }}, policies: [{{ id: moved, kind: redirect, {settings} }}] }}"
    );
    document("", &section("routes", &[&line]))
}

fn location(gateway: &str, url: &str) -> (Option<u16>, String) {
    let trace = trace(gateway, &call("GET", url, &[("Host", "evil.example")]));
    let location = values(&trace, "location");
    (
        trace.status,
        location.first().copied().unwrap_or_default().to_owned(),
    )
}

#[test]
fn callers_are_sent_to_a_path_or_a_url_with_variables() {
    for (settings, url, status, expected) in [
        ("to: \"/v2/{id}\"", "/orders/7?a=b", 307, "/v2/7?a=b"),
        (
            "to: \"/v2/{id}\", status: 301, keep_query: false",
            "/orders/7?a=b",
            301,
            "/v2/7",
        ),
        (
            "to: \"https://new.example.com/v2/{id}?x=1\", status: 308",
            "/orders/a%20b?key=secret",
            308,
            "https://new.example.com/v2/a%20b?x=1",
        ),
        (
            "to: \"https://new.example.com\", keep_query: true, status: 303",
            "/orders/7?a",
            303,
            "https://new.example.com/?a",
        ),
        (
            "to: \"http://new.example.com:8080/?x=1\", keep_query: true, status: 302",
            "/orders/7?a",
            302,
            "http://new.example.com:8080/?x=1&a",
        ),
    ] {
        let found = location(&gateway("/{id}", settings), url);
        assert_eq!(found, (Some(status), expected.to_owned()), "{settings}");
    }
}

#[test]
fn no_value_changes_the_host() {
    let gateway = gateway("/go/{*rest}", "to: \"/{*rest}\"");
    for url in [
        "/orders/go//evil.example",
        "/orders/go/%2Fevil.example",
        "/orders/go/%5Cevil.example",
        "/orders/go/\\\\evil.example",
        "/orders/go/..//evil.example",
    ] {
        let trace = trace(&gateway, &call("GET", url, &[]));
        assert_eq!(trace.status, Some(400), "{url}");
        assert!(values(&trace, "location").is_empty());
    }
    for (url, expected) in [
        ("/orders/go/evil.example", "/evil.example"),
        ("/orders/go/https:evil.example", "/https:evil.example"),
        ("/orders/go/", "/"),
        (
            "/orders/go/@evil.example?//evil.example",
            "/@evil.example?//evil.example",
        ),
    ] {
        assert_eq!(location(&gateway, url).1, expected);
    }
}

#[test]
fn a_request_that_is_already_there_passes() {
    let gateway = gateway("/{id}", "to: /orders/home");
    assert_eq!(location(&gateway, "/orders/7").1, "/orders/home");
    assert_eq!(
        trace(&gateway, &call("GET", "/orders/home", &[])).decision,
        "forward"
    );
}

#[test]
fn a_path_that_services_read_differently_is_refused() {
    let gateway = gateway("/{id}", "to: \"/a/{id}.\"");
    assert_eq!(location(&gateway, "/orders/x").1, "/a/x.");
    let odd = gateway.replace("/a/{id}.", "/a/%25{id}");
    let trace = trace(&odd, &call("GET", "/orders/41", &[]));
    assert_eq!(
        (trace.status, code(&trace)),
        (Some(400), "redirect.bad_path")
    );
}

#[test]
fn bad_settings_say_what_to_write() {
    for (settings, expected) in [
        (
            "to: /a, status: 304",
            "`304` is not a redirect; write 301, 302, 303, 307 or 308",
        ),
        ("to: /a, status: 70000", "expected"),
        (
            "to: \"https://{id}.example.com/\"",
            "a variable cannot stand in the host of `to`: callers would choose it",
        ),
        (
            "to: \"{id}://a.example/\"",
            "a variable cannot stand in the host",
        ),
        ("to: \"{id}\"", "does not start with `/`"),
        ("to: \"//evil.example\"", "holds an empty segment"),
        (
            "to: \"javascript://a.example/\"",
            "`javascript` is not a scheme for a redirect; write `https://…`",
        ),
        ("to: \"https:///a\"", "`` is not a host; write a URL"),
        ("to: \"https://u@a.example/\"", "is not a host"),
        ("to: \"/a?b={id}\"", "the query of `to` is fixed text"),
        (
            "to: \"/a/{idd}\"",
            "unknown variable `idd`; did you mean `id`?",
        ),
        ("status: 301", "the field `to` is missing"),
    ] {
        let found = messages(&gateway("/{id}", settings));
        assert!(found.contains(expected), "{settings}: {found}");
    }
}
