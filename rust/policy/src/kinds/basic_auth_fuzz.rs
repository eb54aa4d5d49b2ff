use lockgate_fuzzing::near;

use crate::request::fuzz::{fields, view};

use super::*;

const SEEDS: &[&str] = &[
    "authorization: Basic YWxpY2U6c2VjcmV0",
    "authorization: basic   YTpiOmM=  ",
    "authorization: Basic w6k6w6k=\nauthorization: Basic YTpi",
];
const WORDS: &[&str] = &[
    "\n",
    "authorization: ",
    "Basic ",
    "=",
    " ",
    "YTpi",
    "Og==",
    "AA",
    "\u{ff}",
    "-",
    "_",
];

#[test]
fn a_credential_has_one_spelling() {
    bolero::check!()
        .with_iterations(4_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let headers = fields(input);
            let Ok(Some(encoded)) = find(&view(&headers, None)) else {
                return;
            };
            let Some(found) = read(encoded) else {
                return;
            };
            let lines: Vec<_> = headers.get_all(AUTHORIZATION).iter().collect();
            assert_eq!(lines.len(), 1);
            assert!(!found.user.contains(':'));
            let text = format!("{}:{}", found.user, found.password);
            assert!(!text.contains(char::is_control));
            let encoded = base64::engine::general_purpose::STANDARD.encode(text);
            assert!(
                lines[0]
                    .to_str()
                    .unwrap()
                    .trim_end_matches(' ')
                    .ends_with(&encoded)
            );
        });
}
