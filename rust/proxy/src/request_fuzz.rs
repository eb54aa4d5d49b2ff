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
            let (host, authority) = (arrived.host(), arrived.authority.as_ref().unwrap());
            assert!(!host.is_empty() && *host == host.to_ascii_lowercase());
            // Behind the host stands a port or nothing: whoever splits at a colon finds the same host.
            let port = authority.as_str().strip_prefix(host).unwrap();
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
