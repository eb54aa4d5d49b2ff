use lockgate_fuzzing::near;

use super::*;

const SEEDS: &[&str] = &[
    "203.0.113.9, 10.0.0.2",
    "2001:db8::1\n10.0.0.2,10.0.0.3",
    "::ffff:10.0.0.2",
    "203.0.113.9:4711, \"[2001:db8::1]:80\"",
];
const WORDS: &[&str] = &[
    ",",
    ", ",
    "\n",
    "10.0.0.2",
    "203.0.113.9",
    "::1",
    "unknown",
    "_hidden",
    "\u{ff}",
    " ",
    "\"",
    "[",
    "]",
    ":80",
    "127.0.0.1",
    "010.0.0.1",
    "0x7f.1",
    "fe80::1%eth0",
    "for=",
];

fn headers(lines: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines.split('\n') {
        if let Ok(value) = http::HeaderValue::from_bytes(line.as_bytes()) {
            headers.append("x-forwarded-for", value);
        }
    }
    headers
}

#[test]
fn what_a_caller_writes_in_front_of_a_hop_changes_nothing() {
    let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
    let (proxy, stranger) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([192, 0, 2, 1]));
    bolero::check!()
        .with_iterations(4_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let said = input.text();
            assert_eq!(
                client_address(stranger, &headers(&said), &trusted),
                stranger
            );
            // A proxy appends the address it saw, as a line of its own or to the last one.
            for end in ["203.0.113.77", "10.0.0.9, 203.0.113.77"] {
                for glue in ["\n", ", ", ","] {
                    let seen = headers(&format!("{said}{glue}{end}"));
                    if seen
                        .iter()
                        .any(|(_, value)| value.as_bytes().ends_with(end.as_bytes()))
                    {
                        let client = client_address(proxy, &seen, &trusted);
                        assert_eq!(client, IpAddr::from([203, 0, 113, 77]), "{glue:?}");
                    }
                }
            }
        });
}
