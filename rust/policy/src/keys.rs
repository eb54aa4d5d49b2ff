//! JSON Web Key Sets (RFC 7517), read once and held in the form that verification needs.

use std::sync::Arc;

use serde::Deserialize;
use sha2::{Digest, Sha256};

/// The most keys of a set.
const MAX_KEYS: usize = 64;

/// The keys of a token issuer. Keys that no allowed algorithm uses are left out.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct KeySet {
    keys: Vec<VerifyingKey>,
}

/// A public key and the one algorithm it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    /// Its name within the set; an opaque look-up key.
    pub id: Option<String>,
    /// The JWS algorithm (RFC 7518 §3.1, RFC 8037).
    pub algorithm: Algorithm,
    /// The key in the form that the algorithm takes: an uncompressed point, the 32 bytes of Ed25519, or a DER `RSAPublicKey`.
    pub public: Vec<u8>,
    /// The SHA-256 thumbprint of the key (RFC 7638) as hexadecimal digits.
    pub thumbprint: Arc<str>,
}

/// A JWS algorithm with a public key.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, serde::Serialize, schemars::JsonSchema,
)]
#[expect(missing_docs, reason = "the names of RFC 7518 §3.1 and RFC 8037")]
pub enum Algorithm {
    ES256,
    ES384,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    EdDSA,
}

impl Algorithm {
    /// All names, for messages.
    pub const NAMES: &[&str] = &[
        "ES256", "ES384", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA",
    ];

    /// The algorithm that a token header names.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "ES256" => Self::ES256,
            "ES384" => Self::ES384,
            "RS256" => Self::RS256,
            "RS384" => Self::RS384,
            "RS512" => Self::RS512,
            "PS256" => Self::PS256,
            "PS384" => Self::PS384,
            "PS512" => Self::PS512,
            "EdDSA" => Self::EdDSA,
            _ => return None,
        })
    }

    const fn is_rsa(self) -> bool {
        !matches!(self, Self::ES256 | Self::ES384 | Self::EdDSA)
    }
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl KeySet {
    /// Reads a key set. Symmetric keys and keys for encryption are left out; an RSA key without `alg` serves `RS256` only.
    ///
    /// # Errors
    /// Why it is no key set, or that it holds no usable key.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        let jwks: Jwks = serde_json::from_slice(text)
            .map_err(|error| format!("this is not a JSON Web Key Set: {error}"))?;
        if jwks.keys.len() > MAX_KEYS {
            return Err(format!("the key set has more than {MAX_KEYS} keys"));
        }
        let keys: Vec<VerifyingKey> = jwks
            .keys
            .iter()
            .filter(|key| key.usage.as_deref() != Some("enc"))
            .filter_map(Jwk::verifying)
            .collect();
        if keys.is_empty() {
            return Err("the key set has no public key for signatures with ES256, ES384, RS256 to PS512 or EdDSA".into());
        }
        Ok(Self { keys })
    }

    /// All keys.
    pub fn iter(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.keys.iter()
    }

    /// The keys that may have signed a token with this `kid` and algorithm.
    pub fn candidates(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &VerifyingKey> {
        self.keys.iter().filter(move |key| {
            key.algorithm == algorithm && id.is_none_or(|id| key.id.as_deref() == Some(id))
        })
    }
}

impl FromIterator<VerifyingKey> for KeySet {
    fn from_iter<I: IntoIterator<Item = VerifyingKey>>(keys: I) -> Self {
        Self {
            keys: keys.into_iter().take(MAX_KEYS).collect(),
        }
    }
}

impl Jwk {
    /// The members that the thumbprint covers (RFC 7638 §3.2, RFC 8037 §2), encoded anew: a second spelling is no second key.
    fn thumbprint(&self) -> Option<Arc<str>> {
        let part =
            |text: &Option<String>| Some(encode_base64url(&decode_base64url(text.as_deref()?)?));
        let number = |text: &Option<String>| {
            let bytes = decode_base64url(text.as_deref()?)?;
            let digits: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
            Some(encode_base64url(&digits))
        };
        let curve = self.crv.as_deref().unwrap_or_default();
        let members = match self.kty.as_str() {
            "EC" => format!(
                r#"{{"crv":"{curve}","kty":"EC","x":"{}","y":"{}"}}"#,
                part(&self.x)?,
                part(&self.y)?
            ),
            "OKP" => format!(
                r#"{{"crv":"{curve}","kty":"OKP","x":"{}"}}"#,
                part(&self.x)?
            ),
            _ => format!(
                r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
                number(&self.e)?,
                number(&self.n)?
            ),
        };
        Some(crate::hex::hex(&Sha256::digest(members)).into())
    }

    fn verifying(&self) -> Option<VerifyingKey> {
        let bytes = |text: &Option<String>| decode_base64url(text.as_deref()?);
        let named = self.alg.as_deref().map(Algorithm::named);
        let (algorithm, public) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("EC", Some("P-256")) => (
                Algorithm::ES256,
                point(&bytes(&self.x)?, &bytes(&self.y)?, 32)?,
            ),
            ("EC", Some("P-384")) => (
                Algorithm::ES384,
                point(&bytes(&self.x)?, &bytes(&self.y)?, 48)?,
            ),
            ("OKP", Some("Ed25519")) => (
                Algorithm::EdDSA,
                bytes(&self.x).filter(|key| key.len() == 32)?,
            ),
            ("RSA", _) => {
                let modulus = bytes(&self.n)?;
                // RFC 7518 §3.3: 2048 bits or more. The upper bound keeps the cost of a check small.
                if !(256..=1024).contains(&modulus.len()) {
                    return None;
                }
                (
                    named.flatten().unwrap_or(Algorithm::RS256),
                    rsa_public_key(&modulus, &bytes(&self.e)?),
                )
            }
            _ => return None,
        };
        let fits = match named {
            None => true,
            Some(named) => named == Some(algorithm) && (self.kty == "RSA") == algorithm.is_rsa(),
        };
        let thumbprint = self.thumbprint()?;
        fits.then(|| VerifyingKey {
            id: self.kid.clone(),
            algorithm,
            public,
            thumbprint,
        })
    }
}

/// Base64url without padding (RFC 7515 §2).
pub fn decode_base64url(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(text)
        .ok()
}

fn encode_base64url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// Base64 with padding (RFC 4648 §4).
pub fn decode_base64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

/// An uncompressed point (SEC 1 §2.3.3).
fn point(x: &[u8], y: &[u8], size: usize) -> Option<Vec<u8>> {
    (x.len() == size && y.len() == size).then(|| [&[4], x, y].concat())
}

/// A DER `RSAPublicKey` (RFC 8017 appendix A.1.1).
fn rsa_public_key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let body = [der_integer(modulus), der_integer(exponent)].concat();
    [vec![0x30], der_length(body.len()), body].concat()
}

fn der_integer(big_endian: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = big_endian
        .iter()
        .copied()
        .skip_while(|byte| *byte == 0)
        .collect();
    let sign = if digits.first().is_none_or(|first| *first >= 0x80) {
        vec![0]
    } else {
        Vec::new()
    };
    [
        vec![0x02],
        der_length(sign.len() + digits.len()),
        sign,
        digits,
    ]
    .concat()
}

fn der_length(length: usize) -> Vec<u8> {
    if length < 0x80 {
        return vec![u8::try_from(length).unwrap_or_default()];
    }
    let digits: Vec<u8> = length
        .to_be_bytes()
        .into_iter()
        .skip_while(|byte| *byte == 0)
        .collect();
    let count = u8::try_from(digits.len()).unwrap_or_default();
    [vec![0x80 | count], digits].concat()
}

#[cfg(test)]
#[path = "keys_fuzz.rs"]
mod fuzz;
