//! Ed25519 keys of publishers (RFC 8032), in the files that other tools read: PKCS #8 and SubjectPublicKeyInfo in PEM (RFC 8410).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lockgate_config::sha256_hex;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

/// What stands before the seed and before the public key (RFC 8410 §7, §4).
const PRIVATE_HEAD: &[u8] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
const PUBLIC_HEAD: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

/// Why a key cannot be used. Never carries the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Another file.
    #[error(
        "this is not an Ed25519 {0} key in PEM; `lockgate keys signing` makes a private key and its public half"
    )]
    Form(&'static str),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

/// The private half.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    seed: [u8; 32],
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey")
            .field(&self.public().id())
            .finish()
    }
}

impl SigningKey {
    /// A new key.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn generate() -> Result<Self, KeyError> {
        let mut seed = [0; 32];
        SystemRandom::new()
            .fill(&mut seed)
            .map_err(|_| KeyError::Random)?;
        Self::of(seed)
    }

    fn of(seed: [u8; 32]) -> Result<Self, KeyError> {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| KeyError::Form("private"))?;
        Ok(Self { pair, seed })
    }

    /// Reads a PEM file.
    ///
    /// # Errors
    /// It holds no such key.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let der = unarmour(text, "PRIVATE KEY").ok_or(KeyError::Form("private"))?;
        let seed = der
            .strip_prefix(PRIVATE_HEAD)
            .and_then(|seed| seed.try_into().ok())
            .ok_or(KeyError::Form("private"))?;
        Self::of(seed)
    }

    /// As a PEM file.
    pub fn to_pem(&self) -> String {
        armour("PRIVATE KEY", &[PRIVATE_HEAD, &self.seed].concat())
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        let mut key = [0; 32];
        for (to, from) in key.iter_mut().zip(self.pair.public_key().as_ref()) {
            *to = *from;
        }
        PublicKey(key)
    }

    /// Signs.
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.pair.sign(bytes).as_ref().to_vec()
    }
}

/// The public half: what a node trusts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads a PEM file.
    ///
    /// # Errors
    /// It holds no such key.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let der = unarmour(text, "PUBLIC KEY").ok_or(KeyError::Form("public"))?;
        der.strip_prefix(PUBLIC_HEAD)
            .and_then(|key| key.try_into().ok())
            .map(Self)
            .ok_or(KeyError::Form("public"))
    }

    /// As a PEM file.
    pub fn to_pem(&self) -> String {
        armour("PUBLIC KEY", &[PUBLIC_HEAD, &self.0].concat())
    }

    /// The first 16 digits of its SHA-256.
    pub fn id(&self) -> String {
        sha256_hex(&self.0).chars().take(16).collect()
    }

    /// Whether the signature is of these bytes.
    pub fn verifies(&self, bytes: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0)
            .verify(bytes, signature)
            .is_ok()
    }
}

fn armour(label: &str, der: &[u8]) -> String {
    // Both keys fit in one line of 64 characters (RFC 7468 §2).
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        STANDARD.encode(der)
    )
}

fn unarmour(text: &str, label: &str) -> Option<Vec<u8>> {
    let body = text
        .trim()
        .strip_prefix(&format!("-----BEGIN {label}-----"))?
        .strip_suffix(&format!("-----END {label}-----"))?;
    let body: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_from_their_files_and_say_nothing_when_printed() {
        let key = SigningKey::generate().unwrap();
        let again = SigningKey::from_pem(&key.to_pem()).unwrap();
        let public = PublicKey::from_pem(&key.public().to_pem()).unwrap();
        assert!(public.verifies(b"text", &again.sign(b"text")));
        assert!(!public.verifies(b"texts", &again.sign(b"text")));
        assert_eq!(format!("{key:?}"), format!("SigningKey({:?})", public.id()));
    }

    #[test]
    fn the_example_of_rfc_8410_is_read() {
        let key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
        let public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
        let key = SigningKey::from_pem(key).unwrap();
        assert_eq!(key.public().to_pem(), public);
    }

    #[test]
    fn the_halves_are_not_taken_for_one_another() {
        let key = SigningKey::generate().unwrap();
        assert_eq!(
            PublicKey::from_pem(&key.to_pem()),
            Err(KeyError::Form("public"))
        );
        let found = SigningKey::from_pem(&key.public().to_pem()).unwrap_err();
        assert!(found.to_string().contains("not an Ed25519 private key"));
    }
}
