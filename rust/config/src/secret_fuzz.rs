use lockgate_fuzzing::near;

use super::*;

const SEEDS: &[&str] = &[
    "${env:TOKEN}",
    "${file:secrets/key.pem}",
    "hunter2-hunter2-hunter2",
];
const WORDS: &[&str] = &[
    "${", "}", ":", "env", "file", "$", "..", "/", "\n", "\0", " ",
];

#[test]
fn a_reference_reads_back_and_what_is_none_is_not_repeated() {
    bolero::check!()
        .with_iterations(4_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let text = input.text();
            match Secret::parse(&text) {
                Ok(secret) => {
                    assert_eq!(secret.to_string(), text);
                    assert_eq!(Secret::parse(&secret.to_string()).as_ref(), Ok(&secret));
                }
                Err(message) => assert_eq!(Some(message), Secret::parse("").err()),
            }
        });
}
