use lockgate_fuzzing::near;

use super::*;

const SEEDS: &[&str] = &[
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
    r#"{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"sig"}]}"#,
    r#"{"keys":[{"kty":"oct","k":"AAAA","kid":"x"},{"kty":"RSA","n":"AQAB","e":"AQAB","alg":"RS256"}]}"#,
];
const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    "\"",
    "\"kty\":\"RSA\"",
    "\"alg\":\"ES256\"",
    "\"alg\":\"HS256\"",
    "\"use\":\"enc\"",
    "null",
    "\"kid\":1,",
    "\"x\":\"\",",
    "=",
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},",
];
const ALL: [Algorithm; 9] = [
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::EdDSA,
];

#[test]
fn a_key_set_holds_few_keys_each_for_one_algorithm_with_a_public_key_of_its_size() {
    bolero::check!()
        .with_iterations(4_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let Ok(set) = KeySet::read(input) else {
                return;
            };
            assert!((1..=MAX_KEYS).contains(&set.keys.len()));
            let found: usize = ALL
                .iter()
                .map(|each| set.candidates(None, *each).count())
                .sum();
            assert_eq!(found, set.keys.len());
            for key in &set.keys {
                let sound = match key.algorithm {
                    Algorithm::ES256 => key.public.len() == 65 && key.public[0] == 4,
                    Algorithm::ES384 => key.public.len() == 97 && key.public[0] == 4,
                    Algorithm::EdDSA => key.public.len() == 32,
                    _ => key.public.len() > 256 && key.public[0] == 0x30,
                };
                assert!(sound, "{key:?}");
                assert!(!key.verifies(b"message", b"no signature"));
            }
        });
}

#[test]
fn a_der_integer_is_positive_and_has_no_needless_zeros() {
    bolero::check!()
        .with_iterations(2_000)
        .with_generator(near(
            &["\0\0\u{1}", "\u{7f}", "\u{ff}\u{ff}"],
            &["\0", "\u{ff}", "a"],
        ))
        .for_each(|input| {
            let der = der_integer(input);
            let header = if der[1] < 0x80 {
                2
            } else {
                2 + usize::from(der[1] & 0x7f)
            };
            let content = &der[header..];
            assert!(content[0] < 0x80);
            assert!(content.len() == 1 || content[0] != 0 || content[1] >= 0x80);
        });
}
