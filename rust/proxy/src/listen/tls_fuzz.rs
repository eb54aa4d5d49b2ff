use lockgate_fuzzing::near;

use super::*;

const CERTIFICATE: &[u8] = include_bytes!("../../../fuzzing/seeds/client.der");
const WORDS: &[&str] = &[
    "\0",
    "\x30\u{82}",
    "\x06\x03\x55\x1d\x11",
    "\u{80}",
    "\n",
    "\x7f",
    "\u{e9}",
];

#[test]
fn a_certificate_gives_names_that_are_one_printable_word_each() {
    bolero::check!()
        .with_iterations(4_000)
        .with_generator(near(&[CERTIFICATE], WORDS))
        .for_each(|input| {
            let der = CertificateDer::from(input.to_vec());
            let seen = client_certificate(&[der]).unwrap();
            assert_eq!(seen.sha256[..], Sha256::digest(&**input)[..]);
            for name in &seen.names {
                let (sort, value) = name.split_once(':').unwrap();
                assert!(matches!(sort, "dns" | "uri" | "email"));
                assert!(
                    value.bytes().all(|byte| byte.is_ascii_graphic()),
                    "{name:?}"
                );
            }
        });
}

#[test]
fn a_name_with_a_control_byte_is_left_out() {
    let at = CERTIFICATE
        .windows(13)
        .position(|window| window == b"a.example.com")
        .unwrap();
    for byte in [0, b'\n', 0x7f, b' '] {
        let mut der = CERTIFICATE.to_vec();
        der[at + 4] = byte;
        let names = client_certificate(&[CertificateDer::from(der)])
            .unwrap()
            .names;
        assert_eq!(names, ["uri:spiffe://example.com/a", "email:a@example.com"]);
    }
}
