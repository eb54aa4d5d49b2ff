use std::collections::HashMap;

use lockgate_fuzzing::near;

use super::*;

const SEEDS: &[&str] = &[
    "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g",
    "$argon2id$v=16$m=1,t=1,p=1$c2FsdHNhbHQ$aGFzaA",
    "$argon2i$v=19$m=4194304,t=99,p=99$c2FsdHNhbHQ$aGFzaA",
];
const WORDS: &[&str] = &[
    "$",
    ",",
    "=",
    "m=4294967295",
    "t=17",
    "p=17",
    "m=262144",
    "v=19",
    "argon2id",
    "9",
    "0",
    "keyid=AA",
];

#[test]
fn a_hash_that_passes_the_check_costs_no_more_than_the_bound() {
    bolero::check!()
        .with_iterations(4_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let text = input.text();
            if check_hash(&text).is_err() {
                return;
            }
            let field = text.split('$').nth(3).unwrap();
            // Without parameters, those of the library apply, which are within the bound; of a repeated one the last counts.
            let parameters: HashMap<&str, u32> = field
                .split(',')
                .filter_map(|each| each.split_once('='))
                .filter_map(|(name, value)| Some((name, value.parse().ok()?)))
                .collect();
            for (name, most) in [("m", MAX_MEMORY), ("t", MAX_PASSES), ("p", MAX_LANES)] {
                assert!(
                    parameters.get(name).is_none_or(|value| *value <= most),
                    "{name}"
                );
            }
        });
}
