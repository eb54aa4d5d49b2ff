use lockgate_fuzzing::near;

use super::*;

const SEEDS: &[&str] = &[
    "a=b; session=secret; c=d",
    "session=1\nsession=2; x=y",
    " session =1;;session= 2;session;=;x",
];
const WORDS: &[&str] = &[
    "\n", "session", "=", ";", "; ", " ", "\t", "\"", ",", "\u{e9}", "%3d", "Session=",
];

fn pairs(headers: &HeaderMap) -> Vec<(Vec<u8>, Vec<u8>)> {
    let lines = headers.get_all(header::COOKIE).iter();
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
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let mut headers = HeaderMap::new();
            for line in input.split(|byte| *byte == b'\n') {
                if let Ok(value) = HeaderValue::from_bytes(line) {
                    headers.append(header::COOKIE, value);
                }
            }
            let mut expected = pairs(&headers);
            expected.retain(|(name, _)| name != b"session");
            remove_cookie(&mut headers, "session");
            assert_eq!(pairs(&headers), expected);
        });
}
