use std::sync::Arc;

use lockgate_fuzzing::near;

use super::*;

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

const COOKIES: &[&str] = &[
    "a=b; session=secret; c=d",
    "session=1\nsession=2; x=y",
    " session =1;;session= 2;session;=;x",
];
const COOKIE_WORDS: &[&str] = &[
    "\n", "session", "=", ";", "; ", " ", "\t", "\"", ",", "\u{e9}", "%3d", "Session=",
];

fn pairs(headers: &HeaderMap) -> Vec<(Vec<u8>, Vec<u8>)> {
    let lines = headers.get_all(COOKIE).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
        .map(<[u8]>::trim_ascii)
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let equals = pair.iter().position(|byte| *byte == b'=');
            let name = pair[..equals.unwrap_or(pair.len())].trim_ascii();
            (name.to_vec(), pair.to_vec())
        })
        .collect()
}

#[test]
fn a_cookie_that_was_taken_out_is_gone_and_the_others_stay() {
    bolero::check!()
        .with_iterations(4_000)
        .with_generator(near(COOKIES, COOKIE_WORDS))
        .for_each(|input| {
            let mut headers = HeaderMap::new();
            for line in input.split(|byte| *byte == b'\n') {
                if let Ok(value) = HeaderValue::from_bytes(line) {
                    headers.append(COOKIE, value);
                }
            }
            let mut expected = pairs(&headers);
            expected.retain(|(name, _)| name != b"session");
            remove_cookie(&mut headers, "session");
            assert_eq!(pairs(&headers), expected);
        });
}
