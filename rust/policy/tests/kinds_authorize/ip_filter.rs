use crate::support::*;

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
