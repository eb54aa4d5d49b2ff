use base64::Engine as _;
use lockgate_fuzzing::near;

use super::*;

const CERTIFICATE: &[u8] = include_bytes!("../../fuzzing/seeds/client.der");
const WORDS: &[&str] = &[
    "-----BEGIN CERTIFICATE-----\n",
    "-----END CERTIFICATE-----\n",
    "-----BEGIN PRIVATE KEY-----\n",
    "-----END PRIVATE KEY-----\n",
    "-----BEGIN",
    "\n",
    "\r\n",
    "=",
    "\0",
    "\u{feff}",
];

#[test]
fn a_file_gives_certificates_or_a_message_that_names_it_and_does_not_repeat_it() {
    let base64 = base64::engine::general_purpose::STANDARD.encode(CERTIFICATE);
    let pem = format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n");
    let key = format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pem");
    let secret = Secret::File("a.pem".into());
    bolero::check!()
        .with_iterations(1_000)
        .with_generator(near(&[pem, key], WORDS))
        .for_each(|input| {
            std::fs::write(&path, &**input).unwrap();
            match certificates(&Base::folder(folder.path()), "the name") {
                Ok(chain) => {
                    let bytes: usize = chain.iter().map(|each| each.len()).sum();
                    assert!(!chain.is_empty() && bytes <= input.len());
                }
                Err(message) => assert!(message.contains("`the name`"), "{message}"),
            }
            if let Err(message) = private_key(&secret, &Base::folder(folder.path())) {
                assert!(
                    message.contains("a.pem") && message.len() < 120,
                    "{message}"
                );
            }
        });
}
