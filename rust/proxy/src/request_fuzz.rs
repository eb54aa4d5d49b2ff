use std::sync::Arc;

use lockgate_fuzzing::near;

use super::*;

/// A request target and, on further lines, values of `Host`.
const HEADS: &[&str] = &[
    "/orders/7?x=1\nshop.example.com:8443",
    "http://Shop.example.com/a%2Db\nshop.example.com",
    "/\n[::1]:80",
    "*\nexample.com",
    "/a/../b\na\na",
];
const HOST_WORDS: &[&str] = &[
    "\n",
    ":",
    "@",
    "/",
    "//",
    "[",
    "]",
    "[::1]",
    ":80",
    ":99999",
    ":x",
    "%2e%2e",
    "%2F",
    ";",
    "?",
    "#",
    "http://",
    "user:pass@",
    "localhost",
    "..",
    " ",
    "\t",
    "A",
    "xn--",
    "%",
    ",",
];

#[test]
fn a_request_that_is_read_is_for_one_host_and_one_path() {
    bolero::check!()
        .with_iterations(4_000)
        .with_generator(near(HEADS, HOST_WORDS))
        .for_each(|input| {
            let text = input.text();
            let mut lines = text.split('\n');
            let Ok(uri) = lines.next().unwrap().parse::<Uri>() else {
                return;
            };
            let (mut head, ()) = http::Request::new(()).into_parts();
            head.uri = uri;
            let mut hosts = 0;
            for line in lines {
                if let Ok(value) = http::HeaderValue::from_str(line) {
                    head.headers.append(HOST, value);
                    hosts += 1;
                }
            }
            let Ok(arrived) = read(&head) else {
                return;
            };
            assert!(hosts <= 1);
            assert_eq!(canonical_path(&arrived.path).unwrap(), arrived.path);
            let Arrived {
                host, authority, ..
            } = &arrived;
            assert!(!host.is_empty() && *host == host.to_ascii_lowercase());
            // Behind the host stands a port or nothing: whoever splits at a colon finds the same host.
            let rest = authority.to_ascii_lowercase();
            let port = rest.strip_prefix(host.as_str()).unwrap();
            assert!(
                port.strip_prefix(':')
                    .is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()))
                    || port.is_empty(),
                "{authority}"
            );
            let is_address = host.starts_with('[') && host.ends_with(']');
            assert!(
                is_address || !host.contains([':', '[', ']', '@', '/', '%']),
                "{host}"
            );
        });
}

const QUERIES: &[&str] = &[
    "a=1&api_key=k&b=2",
    "api%5Fkey=k&api_key=2",
    "&&=&a",
    "api+key=1&api%20key=2",
];
const QUERY_WORDS: &[&str] = &[
    "&",
    "=",
    "api_key",
    "api%5fkey",
    "%61",
    "+",
    "%",
    "%zz",
    "%00",
    ";",
    "api key",
    "%ff",
    "é",
];

#[test]
fn a_parameter_that_was_taken_out_is_gone_for_every_reader_and_the_others_stay() {
    bolero::check!()
        .with_iterations(4_000)
        .with_generator(near(QUERIES, QUERY_WORDS))
        .for_each(|input| {
            let query = input.text();
            let names = ["api_key", "api key"].map(Arc::from);
            let left = query_without(&query, &names);
            let pairs = |text: &str| -> Vec<(String, String)> {
                form_urlencoded::parse(text.as_bytes())
                    .into_owned()
                    .collect()
            };
            let mut expected = pairs(&query);
            expected.retain(|(name, _)| names.iter().all(|taken| **taken != **name));
            assert_eq!(pairs(&left), expected);
            assert_eq!(query_without(&left, &names), left);
        });
}
