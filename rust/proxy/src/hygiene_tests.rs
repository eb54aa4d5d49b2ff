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
    let sent = headers(&[
        ("x-forwarded-for", "1.2.3.4"),
        ("x_real_ip", "1.2.3.4"),
        ("x_lockgate_application", "admin"),
        ("x-lockgate_application", "admin"),
        ("forwarded", "for=1.2.3.4"),
        ("transfer_encoding", "chunked"),
        ("accept", "text/html"),
    ]);
    let (sent, has_aliases) = clean_request(&sent);
    assert!(!has_aliases);
    assert_eq!(sent, headers(&[("accept", "text/html")]));
}

#[test]
fn a_request_goes_in_circles_when_it_has_passed_gateways_of_this_name_eight_times() {
    let via = HeaderValue::from_static("1.1 lockgate");
    let passed = |times: usize| {
        let others = "1.1 proxy, 1.1 lockgates,";
        let own = vec!["1.1 lockgate"; times].join(" , ");
        HeaderMap::from_iter([(header::VIA, format!("{others}{own}").parse().unwrap())])
    };
    assert!(!goes_in_circles(&HeaderMap::new(), &via));
    assert!(!goes_in_circles(&passed(7), &via));
    assert!(goes_in_circles(&passed(8), &via));
    let mut apart = passed(4);
    apart.append(
        header::VIA,
        "1.1 lockgate,1.1 lockgate,1.1 lockgate,1.1 lockgate"
            .parse()
            .unwrap(),
    );
    assert!(goes_in_circles(&apart, &via));
}

#[test]
fn connection_cannot_remove_credentials_or_what_the_gateway_writes() {
    let sent = headers(&[
        (
            "connection",
            "close, x-forwarded-for, X-Lockgate-Application, authorization, x-hop",
        ),
        ("authorization", "Bearer a"),
        ("x-hop", "1"),
    ]);
    let (mut sent, _) = clean_request(&sent);
    let id = RequestId::read("00112233445566778899aabbccddeeff");
    let caller = Caller {
        address: [192, 0, 2, 1].into(),
        address_field: HeaderValue::from_static("192.0.2.1"),
        host: "a",
        scheme: "http",
        application: Some("shop".into()),
        request_id: &id,
        trace: &Trace::of(&HeaderMap::new(), &id, None),
        via: &HeaderValue::from_static("1.1 lockgate"),
    };
    write_caller(&mut sent, &caller);
    let value = |name: &str| sent.get(name).and_then(|value| value.to_str().ok());
    assert_eq!(value("x-forwarded-for"), Some("192.0.2.1"));
    assert_eq!(value("x-lockgate-application"), Some("shop"));
    assert_eq!(value("authorization"), Some("Bearer a"));
    assert_eq!(value("x-hop"), None);
}

#[test]
fn a_removed_field_goes_under_every_name_that_a_service_could_take_for_it() {
    let key = HeaderName::from_static("x-api-key");
    for (sent, left) in [
        (
            vec![("x-api-key", "1"), ("accept", "a")],
            vec![("accept", "a")],
        ),
        (vec![("x_api_key", "1"), ("x-api_key", "2")], vec![]),
        (
            vec![("x_other", "1"), ("x-api-key", "2")],
            vec![("x_other", "1")],
        ),
    ] {
        let (mut fields, has_aliases) = clean_request(&headers(&sent));
        remove(&mut fields, &key, has_aliases);
        assert_eq!(fields, headers(&left), "{sent:?}");
    }
    let mut fields = headers(&[("x-api-key", "1")]);
    remove(&mut fields, &HeaderName::from_static("x_api_key"), false);
    assert!(fields.is_empty());
}
