use super::*;

fn address(socket: &str, forwarded: &[&str]) -> String {
    let trusted: Vec<IpNet> = ["10.0.0.0/8"]
        .iter()
        .filter_map(|text| text.parse().ok())
        .collect();
    let mut headers = HeaderMap::new();
    for line in forwarded {
        headers.append(
            "x-forwarded-for",
            http::HeaderValue::from_bytes(line.as_bytes())
                .unwrap_or_else(|_| http::HeaderValue::from_static("")),
        );
    }
    let Ok(socket) = socket.parse() else {
        return "bad test".into();
    };
    client_address(socket, &headers, &trusted).to_string()
}

#[test]
fn a_caller_cannot_name_its_own_address() {
    assert_eq!(address("192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
}

#[test]
fn a_listed_proxy_names_the_caller_and_what_the_caller_wrote_before_it_is_ignored() {
    assert_eq!(
        address("10.0.0.1", &["198.51.100.7, 203.0.113.9"]),
        "203.0.113.9"
    );
    assert_eq!(
        address("10.0.0.1", &["198.51.100.7", "203.0.113.9, 10.0.0.2"]),
        "203.0.113.9"
    );
    assert_eq!(address("::ffff:10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
}

#[test]
fn what_is_no_address_ends_the_walk_at_the_last_known_hop() {
    assert_eq!(address("10.0.0.1", &["203.0.113.9, unknown"]), "10.0.0.1");
    assert_eq!(address("10.0.0.1", &[]), "10.0.0.1");
}

#[test]
fn bytes_that_are_no_text_hide_no_hop() {
    assert_eq!(address("10.0.0.1", &["\u{e9}, 203.0.113.9"]), "203.0.113.9");
    assert_eq!(
        address("10.0.0.1", &["198.51.100.7", "\u{e9}, 203.0.113.9"]),
        "203.0.113.9"
    );
    assert_eq!(address("10.0.0.1", &["203.0.113.9", "\u{e9}"]), "10.0.0.1");
}
