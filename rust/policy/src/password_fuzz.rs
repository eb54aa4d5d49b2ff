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
            // Without parameters there, those of the library apply, which are within the bound.
            let parameters = field.split(',').filter_map(|each| each.split_once('='));
            for (name, value) in parameters {
                let value: u32 = value.parse().unwrap_or(0);
                match name {
                    "m" => assert!(value <= MAX_MEMORY),
                    "t" => assert!(value <= MAX_PASSES),
                    "p" => assert!(value <= MAX_LANES),
                    _ => {}
                }
            }
        });
}
