use lockgate_config::Span;
use lockgate_fuzzing::near;

use super::*;

const SEEDS: &[&str] = &[
    "https://id.example.com/keys",
    "https://8.8.8.8:8443/keys",
    "https://[2606:4700::1111]/keys",
    "http://localhost:9000/keys",
];
const WORDS: &[&str] = &[
    "https://",
    "http://",
    "@",
    ":",
    "/",
    "[",
    "]",
    "127.0.0.1",
    "10.0.0.1",
    "169.254.169.254",
    "0x7f.1",
    "2130706433",
    "127.1",
    "::1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "localhost",
    ".",
    ".internal",
    "%2e",
    "\\",
    "#",
    "?",
    "\u{3002}",
    "0177.0.0.1",
];

#[test]
fn a_url_leads_to_no_private_address_in_any_reading() {
    bolero::check!()
        .with_iterations(6_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let text = Spanned {
                span: Span::default(),
                value: input.text(),
            };
            let Ok(url) = read_url(&text, false) else {
                return;
            };
            assert!(url.to_ascii_lowercase().starts_with("https://"), "{url}");
            let authority = url[8..].split(['/', '?', '#']).next().unwrap();
            assert!(!authority.contains(['@', '\\']), "{url}");
            // As the system reads a host: `inet_aton` takes one to four numbers in three bases.
            let host = authority
                .rsplit_once(':')
                .map_or(authority, |(host, _)| host);
            if let Ok(address) = authority.trim_matches(['[', ']']).parse::<IpAddr>() {
                assert!(!is_private(address), "{url}");
            }
            let last = host.trim_end_matches('.').rsplit('.').next().unwrap();
            let number = last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit());
            assert!(
                !number || host.parse::<IpAddr>().is_ok_and(|ip| !is_private(ip)),
                "{url}"
            );
            assert!(!matches!(
                last.to_ascii_lowercase().as_str(),
                "localhost" | "internal" | "local"
            ));
        });
}
