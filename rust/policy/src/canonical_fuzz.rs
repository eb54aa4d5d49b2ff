use lockgate_fuzzing::near;

use super::*;

const SEEDS: &[&str] = &[
    "/orders/7",
    "/%61dmin/%7euser/%c3%a9",
    "/100%25",
    "/a/../b",
    "/a/%2e%2e/b",
    "/.well-known/..b",
];
const WORDS: &[&str] = &[
    "/", "//", ".", "..", "%2e", "%2E", "%", "%25", "%34", "%31", "%2f", "%5c", "%3b", "%00",
    "%c3%a9", "\\", ";", "#", "?", " ", "\u{e9}", "41", "%32%35", "%32%66", "%c0%ae", "%e0",
    "%80%af", "%f0",
];

/// What a service makes of a path: one pass of percent-decoding.
fn decoded(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = path;
    while let Some((byte, after)) = rest.split_first() {
        let pair = after
            .get(..2)
            .and_then(|pair| std::str::from_utf8(pair).ok());
        let value = pair
            .filter(|pair| *byte == b'%' && pair.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        out.push(value.unwrap_or(*byte));
        rest = if value.is_some() { &after[2..] } else { after };
    }
    out
}

#[test]
fn a_canonical_path_means_the_same_to_every_service() {
    bolero::check!()
        .with_iterations(10_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let path = input.text();
            let Ok(canonical) = canonical_path(&path) else {
                return;
            };
            assert_eq!(canonical_path(&canonical).as_deref(), Ok(&*canonical));
            let once = decoded(canonical.as_bytes());
            assert_eq!(once, decoded(path.as_bytes()), "the meaning is kept");
            let long = |pair: &[u8]| {
                matches!(
                    pair,
                    [0xc0 | 0xc1, 0x80..0xc0] | [0xe0, 0x80..0xa0] | [0xf0, 0x80..0x90]
                )
            };
            assert!(
                !once.windows(2).any(long),
                "a character in more bytes than it has"
            );
            // A service may decode twice, drop parameters and fold backslashes: there is nothing to find.
            for form in [&once, &decoded(&once)] {
                let text = String::from_utf8_lossy(form);
                assert!(!text.contains(['\\', ';', '\0', '\n', '\r']), "{text:?}");
                assert_eq!(text.split('/').count(), canonical.split('/').count());
                assert!(
                    !text.split('/').any(|segment| matches!(segment, "." | "..")),
                    "{text:?}"
                );
            }
        });
}
