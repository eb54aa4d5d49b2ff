use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::*;

/// `open sesame` at the least cost.
const HASH: &str =
    "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0$q4TBruxdV2eUmbk/ZluQKwoYTKpoHTpBXhIM57ZcC5E";
const POLICY: &str = "{ id: password, kind: basic_auth, realm: orders }";

fn gateway(policies: &[&str]) -> String {
    let shop = format!("shop: {{ passwords: [{{ username: ali, argon2: \"{HASH}\" }}], plan");
    with(policies).replace("shop: { plan", &shop)
}

fn basic(credential: &str) -> String {
    format!("Basic {}", STANDARD.encode(credential))
}

fn ask(gateway: &str, authorization: &str) -> lockgate_policy::Trace {
    trace(
        gateway,
        &call("GET", "/orders/7", &[("Authorization", authorization)]),
    )
}

#[test]
fn a_right_password_identifies_and_is_taken_out() {
    let gateway = gateway(&[
        POLICY,
        "{ id: may, kind: require, plans: [gold], scopes: [orders:read] }",
    ]);
    for authorization in [
        basic("ali:open sesame"),
        basic("ali:open sesame").replace("Basic", "bAsIc"),
    ] {
        let trace = ask(&gateway, &authorization);
        assert_eq!(trace.decision, "forward", "{:?}", trace.detail);
        assert_eq!(
            trace.forwarded.unwrap().headers,
            [("authorization".to_owned(), None)]
        );
    }
}

#[test]
fn a_kept_password_is_forwarded() {
    let gateway = gateway(&["{ id: password, kind: basic_auth, forward: true }"]);
    let trace = ask(&gateway, &basic("ali:open sesame"));
    assert!(trace.forwarded.unwrap().headers.is_empty());
}

#[test]
fn an_unknown_user_and_a_wrong_password_get_the_same_answer() {
    let gateway = gateway(&[POLICY]);
    let answers: Vec<String> = [
        "ali:open barley",
        "eve:open sesame",
        "ali:",
        ":open sesame",
        "ALI:open sesame",
    ]
    .iter()
    .map(|credential| serde_json::to_string(&ask(&gateway, &basic(credential))).unwrap())
    .collect();
    assert!(
        answers[0].contains("\"code\":\"basic_auth.invalid\""),
        "{}",
        answers[0]
    );
    assert!(
        answers[0].contains("Basic realm=\\\"orders\\\", charset=\\\"UTF-8\\\""),
        "{}",
        answers[0]
    );
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

#[test]
fn a_suspended_application_is_refused() {
    let gateway = gateway(&[POLICY]).replace("plan: gold", "suspended: true, plan: gold");
    assert_eq!(
        code(&ask(&gateway, &basic("ali:open sesame"))),
        "basic_auth.invalid"
    );
}

#[test]
fn what_cannot_be_read_is_refused_and_another_scheme_is_none() {
    let gateway = gateway(&[POLICY]);
    for (authorization, expected) in [
        ("Bearer abc".to_owned(), "basic_auth.missing"),
        ("Basic".into(), "basic_auth.invalid"),
        ("Basic !!!".into(), "basic_auth.invalid"),
        (basic("nocolon"), "basic_auth.invalid"),
        (basic("ali:open sesame\0"), "basic_auth.invalid"),
        (basic("ali\n:open sesame"), "basic_auth.invalid"),
        (
            basic(&format!("ali:{}", "x".repeat(2_000))),
            "basic_auth.invalid",
        ),
        (
            format!("Basic {}", STANDARD.encode([0xff, b':', 0xff])),
            "basic_auth.invalid",
        ),
    ] {
        let trace = ask(&gateway, &authorization);
        assert_eq!(
            (trace.status, code(&trace)),
            (Some(401), expected),
            "{authorization}"
        );
    }
    let right = basic("ali:open sesame");
    let twice = [
        ("Authorization", right.as_str()),
        ("Authorization", right.as_str()),
    ];
    assert_eq!(
        code(&trace(&gateway, &call("GET", "/orders", &twice))),
        "basic_auth.invalid"
    );
}

#[test]
fn bad_settings_and_hashes_say_what_to_write() {
    for (policy, expected) in [
        (
            "{ id: password, kind: basic_auth, realm: \"\" }",
            "the text is empty",
        ),
        (
            "{ id: password, kind: basic_auth, realm: 'a\"b' }",
            "cannot be a realm; write a name in ASCII",
        ),
        (
            "{ id: password, kind: basic_auth, relm: a }",
            "did you mean `realm`?",
        ),
    ] {
        assert!(messages(&gateway(&[policy])).contains(expected), "{policy}");
    }
    let costly = gateway(&[POLICY]).replace("m=8,", "m=9999999,");
    assert!(messages(&costly).contains("needs more than 256MiB"));
    let none = gateway(&[POLICY]).replace(HASH, "$argon2id$oops");
    assert!(messages(&none).contains("this is not an argon2id hash; write the PHC form"));
}
