use crate::support::*;

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
