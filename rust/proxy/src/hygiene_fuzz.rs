use lockgate_fuzzing::near;

use super::*;

const SEEDS: &[&str] = &[
    "connection: close, x-forwarded-for\nx_forwarded_for: 6.6.6.6\nauthorization: Bearer a\ncookie: a=b\nhost: a",
    "connection: keep-alive\nConnection: x-lockgate-application,authorization, \nx-custom: 1",
    "te: trailers\ntrailer: x\nupgrade: h2c\nhttp2-settings: AA\nproxy-connection: close",
];
const WORDS: &[&str] = &[
    "\n",
    ": ",
    ",",
    "_",
    "-",
    "connection: ",
    "authorization",
    "cookie",
    "host",
    "content-length",
    "x-real-ip",
    "X_REAL_IP",
    "x-lockgate_subject",
    "transfer_encoding: chunked\n",
    "x-custom",
    "forwarded: for=1\n",
    "\u{ff}",
    " ",
];
const STAYS: &[&str] = &["authorization", "cookie", "host", "content-length"];

#[test]
fn what_a_caller_sends_neither_says_who_it_is_nor_removes_what_was_judged() {
    bolero::check!()
        .with_iterations(4_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let mut headers = HeaderMap::new();
            for line in input.split(|byte| *byte == b'\n') {
                let Some(colon) = memchr::memchr(b':', line) else {
                    continue;
                };
                let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
                if let (Ok(name), Ok(value)) =
                    (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
                {
                    headers.append(name, value);
                }
            }
            let before = headers;
            let (headers, has_aliases) = clean_request(&before);
            assert_eq!(has_aliases, headers.keys().any(is_alias));
            for name in headers.keys() {
                let folded = name.as_str().replace('_', "-");
                assert!(!is_written_by_the_gateway(&folded), "{name}");
                assert!(!is_hop_by_hop(&folded), "{name}");
            }
            for name in STAYS {
                let values =
                    |map: &HeaderMap| map.get_all(*name).iter().cloned().collect::<Vec<_>>();
                assert_eq!(values(&headers), values(&before), "{name}");
            }
            assert_eq!(clean_request(&headers).0, headers);
        });
}
