use super::*;

fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    fields
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect()
}

#[test]
fn identity_and_forwarding_fields_of_callers_are_removed_in_every_spelling() {
    let mut sent = headers(&[
        ("x-forwarded-for", "1.2.3.4"),
        ("x_real_ip", "1.2.3.4"),
        ("x_lockgate_application", "admin"),
        ("x-lockgate_application", "admin"),
        ("forwarded", "for=1.2.3.4"),
        ("transfer_encoding", "chunked"),
        ("accept", "text/html"),
    ]);
    clean_request(&mut sent);
    assert_eq!(sent, headers(&[("accept", "text/html")]));
}

#[test]
fn connection_cannot_remove_credentials_or_what_the_gateway_writes() {
    let mut sent = headers(&[
        (
            "connection",
            "close, x-forwarded-for, X-Lockgate-Application, authorization, x-hop",
        ),
        ("authorization", "Bearer a"),
        ("x-hop", "1"),
    ]);
    clean_request(&mut sent);
    let id = RequestId::read("00112233445566778899aabbccddeeff");
    let caller = Caller {
        address: [192, 0, 2, 1].into(),
        address_field: HeaderValue::from_static("192.0.2.1"),
        host: "a",
        scheme: "http",
        application: Some("shop"),
        request_id: &id,
        trace: &Trace::of(&HeaderMap::new(), &id),
        via: &HeaderValue::from_static("1.1 lockgate"),
    };
    write_caller(&mut sent, &caller);
    let value = |name: &str| sent.get(name).and_then(|value| value.to_str().ok());
    assert_eq!(value("x-forwarded-for"), Some("192.0.2.1"));
    assert_eq!(value("x-lockgate-application"), Some("shop"));
    assert_eq!(value("authorization"), Some("Bearer a"));
    assert_eq!(value("x-hop"), None);
}
