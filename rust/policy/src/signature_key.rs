//! Keys for HTTP message signatures, as documents name them.

use std::sync::Arc;

use lockgate_config::{Problem, SignatureKey, Spanned};
use ring::hmac;

use crate::keys::{Algorithm, VerifyingKey, decode_base64};
use crate::policy::Compiling;

/// The algorithms by their names in RFC 9421 §6.2.2; the last is the one with a shared secret.
const ALGORITHMS: &[(&str, Option<Algorithm>)] = &[
    ("ed25519", Some(Algorithm::EdDSA)),
    ("ecdsa-p256-sha256", Some(Algorithm::ES256)),
    ("ecdsa-p384-sha384", Some(Algorithm::ES384)),
    ("rsa-pss-sha512", Some(Algorithm::PS512)),
    ("rsa-v1_5-sha256", Some(Algorithm::RS256)),
    ("hmac-sha256", None),
];
/// The shortest shared secret, in bytes: the length of the hash (RFC 2104 §3).
const MIN_SECRET: usize = 32;

/// A key that can check signatures.
#[derive(Debug)]
pub struct CheckingKey {
    /// The name of its algorithm.
    pub algorithm: &'static str,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Public(VerifyingKey),
    /// Its `Debug` form names the algorithm only.
    Shared(hmac::Key),
    /// A check reads no secret.
    NotRead,
}

impl CheckingKey {
    /// Reads a key and its file or secret.
    ///
    /// # Errors
    /// What is wrong with it, at its place.
    pub fn compile(key: &SignatureKey, compiling: &Compiling<'_>) -> Result<Self, Problem> {
        let named = ALGORITHMS
            .iter()
            .find(|(name, _)| *name == key.algorithm.as_str());
        let Some((name, algorithm)) = named else {
            let names: Vec<&str> = ALGORITHMS.iter().map(|(name, _)| *name).collect();
            return Err(Problem::unknown(
                &key.algorithm.span,
                "algorithm",
                &key.algorithm,
                &names,
            ));
        };
        let material = match (algorithm, &key.public_key, &key.secret) {
            (Some(algorithm), Some(file), None) => {
                let public = read_public(file, *algorithm, name, compiling)?;
                Material::Public(VerifyingKey {
                    id: None,
                    algorithm: *algorithm,
                    public,
                    thumbprint: Arc::default(),
                })
            }
            (None, None, Some(secret)) => match compiling.secret(secret, &key.id.span)? {
                None => Material::NotRead,
                Some(secret) if secret.len() < MIN_SECRET => {
                    return Err(Problem::new(
                        &key.id.span,
                        format!("the secret has fewer than {MIN_SECRET} bytes"),
                    )
                    .help("make a longer one, for example with `openssl rand -hex 32`"));
                }
                Some(secret) => Material::Shared(hmac::Key::new(hmac::HMAC_SHA256, &secret)),
            },
            (Some(_), _, _) => {
                let message = format!("a key for `{name}` needs `public_key` alone");
                return Err(Problem::new(&key.id.span, message).help("write `public_key: key.pem`"));
            }
            (None, _, _) => {
                let message = format!("a key for `{name}` needs `secret` alone");
                return Err(Problem::new(&key.id.span, message).help("write `secret: ${env:NAME}`"));
            }
        };
        Ok(Self {
            algorithm: name,
            material,
        })
    }

    /// Whether this key made the signature; `None` when its secret was not read.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> Option<bool> {
        match &self.material {
            Material::Public(key) => Some(key.verifies(message, signature)),
            Material::Shared(key) => Some(hmac::verify(key, message, signature).is_ok()),
            Material::NotRead => None,
        }
    }
}

/// A public key that stands in a PEM file, or in the document itself.
fn read_public(
    file: &Spanned<String>,
    algorithm: Algorithm,
    name: &str,
    compiling: &Compiling<'_>,
) -> Result<Vec<u8>, Problem> {
    let (pem, place) = if file.contains("-----BEGIN") {
        (file.value.clone().into_bytes(), "the text".to_owned())
    } else {
        let place = format!("the file `{}`", file.value);
        (compiling.read_file(file)?, place)
    };
    read_pem(&pem, algorithm).ok_or_else(|| {
        let message = format!("{place} has no public key for `{name}`");
        Problem::new(&file.span, message)
            .help("write the key in PEM form, `-----BEGIN PUBLIC KEY-----`")
    })
}

/// The starts of `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7) for keys of one length (RFC 8410 §4, RFC 5480 §2).
const ED25519: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
const P256: &[u8] =
    b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
const P384: &[u8] =
    b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00";
/// `rsaEncryption` with its empty parameters (RFC 3279 §2.3.1).
const RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";

/// The key of a PEM text (RFC 7468 §13) in the form that verification takes.
fn read_pem(pem: &[u8], algorithm: Algorithm) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(pem).ok()?;
    let (_, rest) = text.split_once("-----BEGIN PUBLIC KEY-----")?;
    let (body, _) = rest.split_once("-----END PUBLIC KEY-----")?;
    let der = decode_base64(&body.split_ascii_whitespace().collect::<String>())?;
    let of_length = |start: &[u8], length: usize| {
        let key = der.strip_prefix(start)?;
        (key.len() == length).then(|| key.to_vec())
    };
    match algorithm {
        Algorithm::EdDSA => of_length(ED25519, 32),
        Algorithm::ES256 => of_length(P256, 65),
        Algorithm::ES384 => of_length(P384, 97),
        _ => {
            let inner = contents(&der, 0x30)?.strip_prefix(RSA)?;
            let key = contents(inner, 0x03)?.strip_prefix(&[0])?;
            // 2048 to 8192 bits and the lengths around them.
            (256..=1_100).contains(&key.len()).then(|| key.to_vec())
        }
    }
}

/// The contents of a DER value that fills `der`, with a length of two bytes (X.690 §8.1.3.5), as those of RSA keys have.
fn contents(der: &[u8], tag: u8) -> Option<&[u8]> {
    match der {
        [first, 0x82, high, low, rest @ ..]
            if *first == tag && rest.len() == usize::from(u16::from_be_bytes([*high, *low])) =>
        {
            Some(rest)
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "signature_key_fuzz.rs"]
mod fuzz;
