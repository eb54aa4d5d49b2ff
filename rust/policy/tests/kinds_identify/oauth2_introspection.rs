use lockgate_config::{Source, load_document};
use lockgate_policy::{FactRequest, Need, Revision, Secrets};
use serde_json::{Value, json};

use crate::support::*;

const AT: u64 = NOW.seconds();
const POLICY: &str = "{ id: token, kind: oauth2_introspection, endpoint: https://id.example.com/introspect, client_id: gateway, \
    client_secret: \"${env:CARGO_PKG_NAME}\", audience: orders }";

fn ask(gateway: &str, token: &str, answer: Option<&Value>) -> lockgate_policy::Trace {
    let bearer = format!("Bearer {token}");
    let mut request = call("GET", "/orders/7", &[("Authorization", &bearer)]);
    request.facts.extend(answer.cloned());
    trace(gateway, &request)
}

#[test]
fn an_active_token_identifies_and_is_taken_out() {
    let gateway = with(&[
        POLICY,
        "{ id: may, kind: require, scopes: [orders:write], plans: [gold] }",
    ]);
    let answer = json!({ "active": true, "aud": "orders", "client_id": "shop", "scope": "a orders:write", "exp": AT + 1 });
    let trace = ask(&gateway, "opaque", Some(&answer));
    assert_eq!(trace.decision, "forward", "{:?}", trace.detail);
    assert_eq!(
        trace.forwarded.unwrap().headers,
        [("authorization".to_owned(), None)]
    );
}

#[test]
fn what_the_server_says_decides() {
    let gateway = with(&[POLICY]);
    for (answer, expected) in [
        (json!({ "active": true, "aud": ["stock", "orders"] }), ""),
        (json!({ "active": false }), "oauth2_introspection.inactive"),
        (
            json!({ "active": true, "aud": "orders", "exp": AT }),
            "oauth2_introspection.inactive",
        ),
        (
            json!({ "active": true, "aud": "orders", "nbf": AT + 1 }),
            "oauth2_introspection.inactive",
        ),
        (json!({ "active": true, "aud": "orders", "nbf": AT }), ""),
        (
            json!({ "active": true, "aud": "stock" }),
            "oauth2_introspection.wrong_audience",
        ),
        (
            json!({ "active": true }),
            "oauth2_introspection.wrong_audience",
        ),
        // An answer that does not follow RFC 7662 is no permission.
        (
            json!({ "active": "true", "aud": "orders" }),
            "policy.undecided",
        ),
        (json!({ "active": 1, "aud": "orders" }), "policy.undecided"),
        (json!({}), "policy.undecided"),
        (
            json!({ "active": true, "aud": "orders", "exp": "later" }),
            "policy.undecided",
        ),
    ] {
        let trace = ask(&gateway, "opaque", Some(&answer));
        assert_eq!(code(&trace), expected, "{answer}");
    }
}

#[test]
fn a_token_of_a_suspended_application_is_refused() {
    let gateway = with(&[POLICY]).replace("shop: { plan", "shop: { suspended: true, plan");
    let answer = json!({ "active": true, "aud": "orders", "client_id": "shop" });
    assert_eq!(
        code(&ask(&gateway, "opaque", Some(&answer))),
        "oauth2_introspection.inactive"
    );
}

#[test]
fn only_tokens_are_looked_up() {
    let gateway = with(&[POLICY]);
    assert_eq!(ask(&gateway, "opaque", None).decision, "need");
    let long = "x".repeat(9_000);
    for token in ["a b", "a\"b", "a,b", "", &long] {
        assert_eq!(
            code(&ask(&gateway, token, None)),
            "oauth2_introspection.malformed",
            "{token}"
        );
    }
    let none = trace(&gateway, &call("GET", "/orders", &[]));
    assert_eq!(
        (none.status, code(&none)),
        (Some(401), "oauth2_introspection.missing")
    );
    let headers = [("www-authenticate".to_owned(), "Bearer".to_owned())];
    assert_eq!(none.headers, headers);
}

#[test]
fn a_server_that_cannot_be_asked_refuses_in_doubt() {
    let request = call("GET", "/orders", &[("Authorization", "Bearer opaque")]);
    assert_eq!(
        without_facts(&with(&[POLICY]), &request),
        "policy.undecided"
    );
    let lenient = POLICY.replace("id: token", "id: token, on_error: allow");
    assert_eq!(without_facts(&with(&[&lenient]), &request), "");
}

#[test]
fn the_driver_learns_where_to_ask_and_nothing_prints_the_secret_or_the_token() {
    let source = Source::text("gateway.yaml", with(&[POLICY]));
    let (revision, _) = Revision::compile(load_document(&source).unwrap(), Secrets::Read).unwrap();
    let request = call(
        "GET",
        "/orders",
        &[("Authorization", "Bearer opaque-token")],
    );
    let seen = std::cell::RefCell::new(None);
    judged(&revision, &request, None, |wanted| {
        seen.replace(Some(wanted.clone()));
        lockgate_policy::Fact::Unavailable("no".into())
    });
    let wanted = seen.take().unwrap();
    let FactRequest::Introspection { endpoint, token } = &wanted else {
        panic!("{wanted:?}")
    };
    assert_eq!(&**token, "opaque-token");
    assert_eq!(&*endpoint.url, "https://id.example.com/introspect");
    let client = endpoint.client.as_ref().unwrap();
    assert_eq!(&*client.id, "gateway");
    assert_eq!(client.secret.as_deref(), Some(&b"lockgate-policy"[..]));
    assert_eq!(
        (endpoint.keep.as_secs(), endpoint.keep_negative.as_secs()),
        (60, 5)
    );
    let route = revision
        .route(
            "localhost",
            "/orders",
            &http::Method::GET,
            &http::HeaderMap::new(),
        )
        .unwrap();
    assert_eq!(
        route.chain.policies()[0].policy.endpoints(),
        std::slice::from_ref(endpoint)
    );
    let printed = format!(
        "{:?} {:?} {revision:?}",
        Need::Fact(wanted.clone()),
        endpoint
    );
    assert!(!printed.contains("lockgate-policy\"") && !printed.contains("opaque-token"));
    let bytes = format!("{:?}", b"lockgate-policy");
    assert!(!printed.contains(bytes.trim_matches(['[', ']'])));
}

#[test]
fn bad_settings_say_what_to_write() {
    for (from, to, expected) in [
        (
            "https://id.example.com",
            "http://id.example.com",
            "is not encrypted",
        ),
        (
            "https://id.example.com",
            "https://192.168.0.1",
            "is a private address",
        ),
        (
            "\"${env:CARGO_PKG_NAME}\"",
            "hunter2",
            "a secret is never written in a document",
        ),
        ("client_id: gateway", "client_id: \"\"", "the text is empty"),
        ("audience: orders", "audience: []", "`audience` is empty"),
        (
            "audience: orders",
            "cache: 2h",
            "`2h` is longer than 1h; write at most `1h`",
        ),
        (
            "audience: orders",
            "negative_cache: 5m",
            "`5m` is longer than 1m",
        ),
        ("audience: orders", "cache: 0s", "`0s` is no time at all"),
        ("audience: orders", "cach: 1m", "did you mean `cache`?"),
        (
            "endpoint: https://id.example.com/introspect,",
            "",
            "the field `endpoint` is missing",
        ),
    ] {
        let found = messages(&with(&[&POLICY.replace(from, to)]));
        assert!(found.contains(expected), "{to}: {found}");
        assert!(!found.contains("hunter2"));
    }
}
