use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lockgate_fuzzing::near;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::*;

const WORDS: &[&str] = &[
    ".",
    "..",
    "=",
    "-",
    "_",
    "+",
    "/",
    "e30",
    "eyJhbGciOiJub25lIn0",
    "eyJhbGciOiJFZERTQSJ9",
    "\0",
    "\n",
    "A",
    "\u{e9}",
];

fn token(pair: &Ed25519KeyPair, header: &str, claims: &str) -> String {
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let signature = pair.sign(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn one_token_has_one_spelling_and_none_is_believed_that_was_not_signed() {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let x = URL_SAFE_NO_PAD.encode(pair.public_key());
    let set = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"k","x":"{x}"}}]}}"#);
    let keys = KeySet::read(set.as_bytes()).unwrap();
    let issued = [
        token(
            &pair,
            r#"{"alg":"EdDSA","kid":"k"}"#,
            r#"{"iss":"a","exp":1}"#,
        ),
        token(&pair, r#"{"typ":"at+jwt","alg":"EdDSA"}"#, "{}"),
    ];
    bolero::check!()
        .with_iterations(3_000)
        .with_generator(near(&issued, WORDS))
        .for_each(|input| {
            let text = input.text();
            let Ok(read) = Unverified::read(&text) else {
                return;
            };
            let parts: Vec<&str> = text.split('.').collect();
            assert_eq!(parts.len(), 3);
            assert_eq!(
                URL_SAFE_NO_PAD.encode(decode_base64url(parts[0]).unwrap()),
                parts[0]
            );
            let Proof::Signature { signature, .. } = &read.proof else {
                panic!("a token that was sent has a signature")
            };
            assert_eq!(URL_SAFE_NO_PAD.encode(signature), parts[2]);
            let signer = read
                .algorithm(&[Algorithm::EdDSA])
                .and_then(|algorithm| read.signer(&keys, algorithm));
            let believed = signer.and_then(|_| read.claims()).is_ok();
            assert_eq!(believed, issued.contains(&text));
        });
}

const TEXTS: &[&str] = &[
    r#"{"a":1,"b":{"c":[1,2.5,null,true,"x"]}}"#,
    r#"{"a":1,"a":2}"#,
    r#"{"a":{"b":1,"\u0062":2}}"#,
];
const JSON: &[&str] = &[
    "{", "}", "[", "]", ":", ",", "\"", "\\u0061", "\"a\":", "\"b\":1,", "1e999", "-0", "null",
    "\u{ff}",
];

#[test]
fn claims_are_json_in_which_no_member_stands_twice() {
    bolero::check!()
        .with_iterations(4_000)
        .with_generator(near(TEXTS, JSON))
        .for_each(|input| {
            let strict = object(&URL_SAFE_NO_PAD.encode(&**input));
            let lenient = serde_json::from_slice::<Value>(input);
            if let Ok(members) = strict {
                let lenient = lenient.unwrap();
                assert_eq!(Value::Object(members), lenient);
                // Nothing was dropped: written again without spaces, it has as many members as the text has colons outside texts.
                assert_eq!(colons(&lenient.to_string()), colons(&input.text()));
            }
        });
}

fn colons(json: &str) -> usize {
    let (mut count, mut within, mut escaped) = (0, false, false);
    for letter in json.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if within => escaped = true,
            '"' => within = !within,
            ':' if !within => count += 1,
            _ => {}
        }
    }
    count
}
