use lockgate_fuzzing::near;

use super::*;

const SEEDS: &[&str] = &[
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n-----END PUBLIC KEY-----\n",
    "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D7gS2XpJFbZiItSs3m9+9Ue6GnvHw/GW2ZZaVtszggXIw==\n-----END PUBLIC KEY-----",
];
const WORDS: &[&str] = &[
    "-----BEGIN PUBLIC KEY-----",
    "-----END PUBLIC KEY-----",
    "\n",
    "=",
    "A",
    "MII",
    "\u{feff}",
    " ",
];

#[test]
fn a_key_has_the_length_that_its_algorithm_takes() {
    let algorithms = ALGORITHMS.iter().filter_map(|(_, algorithm)| *algorithm);
    let algorithms: Vec<Algorithm> = algorithms.collect();
    bolero::check!()
        .with_iterations(4_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            for algorithm in &algorithms {
                let Some(key) = read_pem(input, *algorithm) else {
                    continue;
                };
                let lengths = match algorithm {
                    Algorithm::EdDSA => 32..=32,
                    Algorithm::ES256 => 65..=65,
                    Algorithm::ES384 => 97..=97,
                    _ => 256..=1_100,
                };
                assert!(lengths.contains(&key.len()), "{algorithm:?}");
            }
        });
}
