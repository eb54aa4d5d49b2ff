//! Signed tokens (RFC 7515) read strictly: what two readers could understand in two ways is refused.

use std::borrow::Cow;
use std::sync::Arc;

use ring::signature as verify;
use serde::Deserialize;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::finding::TokenEvidence;
use crate::keys::{Algorithm, KeySet, VerifyingKey, decode_base64url};

/// The largest token, in bytes.
pub const MAX_TOKEN: usize = 8 * 1024;
/// The most keys that a token without `kid` is tried on.
const MAX_TRIES: usize = 8;
/// Members of a token's header by which its sender would choose the key or the rules (RFC 8725 §3.10, RFC 7515 §4.1.11).
const REFUSED_MEMBERS: &[&str] = &["crit", "jwk", "jku", "x5u", "x5c", "b64", "zip"];

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distrust {
    /// It is no signed token.
    Malformed,
    /// Its algorithm, its header or its signature is not accepted. Which of them is not told: it would guide a forger.
    Invalid,
    /// It was recorded, and nobody knows whether a key that is now accepted made its signature.
    NotRecorded,
}

/// A token whose form is right and whose signature nobody has looked at.
#[derive(Debug)]
pub struct Unverified<'a> {
    header: Cow<'a, Map<String, Value>>,
    proof: Proof<'a>,
}

#[derive(Debug)]
enum Proof<'a> {
    Signature {
        signed: &'a str,
        payload: &'a str,
        signature: Vec<u8>,
    },
    /// What was found out when the token was recorded.
    Recorded(&'a TokenEvidence),
}

impl<'a> Unverified<'a> {
    /// Reads a compact token.
    ///
    /// # Errors
    /// It is none.
    pub fn read(token: &'a str) -> Result<Self, Distrust> {
        if token.len() > MAX_TOKEN {
            return Err(Distrust::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Distrust::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Distrust::Malformed)?;
        if payload.contains('.') {
            return Err(Distrust::Malformed);
        }
        let header = object(header)?;
        let signature = decode_base64url(signature).ok_or(Distrust::Malformed)?;
        Ok(Self {
            header: Cow::Owned(header),
            proof: Proof::Signature {
                signed,
                payload,
                signature,
            },
        })
    }

    /// A token that was recorded.
    ///
    /// # Errors
    /// It was none.
    pub fn recorded(token: &'a TokenEvidence) -> Result<Self, Distrust> {
        let header = token.header.as_ref().ok_or(Distrust::Malformed)?;
        Ok(Self {
            header: Cow::Borrowed(header),
            proof: Proof::Recorded(token),
        })
    }

    /// Its header.
    pub fn header(&self) -> &Map<String, Value> {
        &self.header
    }

    /// The algorithm, unless the header has what no key could repair.
    ///
    /// # Errors
    /// It is not accepted.
    pub fn algorithm(&self, allowed: &[Algorithm]) -> Result<Algorithm, Distrust> {
        if REFUSED_MEMBERS
            .iter()
            .any(|name| self.header.contains_key(*name))
            || self.header.get("kid").is_some_and(|id| !id.is_string())
        {
            return Err(Distrust::Invalid);
        }
        self.header
            .get("alg")
            .and_then(Value::as_str)
            .and_then(Algorithm::named)
            .filter(|algorithm| allowed.contains(algorithm))
            .ok_or(Distrust::Invalid)
    }

    /// The media type that the header names, without `application/` (RFC 7515 §4.1.9).
    pub fn media_type(&self) -> Option<String> {
        Some(media_type(self.header.get("typ")?.as_str()?))
    }

    /// The keys of a set that may have signed it.
    pub fn candidates<'k>(
        &self,
        keys: &'k KeySet,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &'k VerifyingKey> {
        let id = self.header.get("kid").and_then(Value::as_str);
        keys.candidates(id, algorithm).take(MAX_TRIES)
    }

    /// The key of a set that has signed it.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn signer<'k>(
        &self,
        keys: &'k KeySet,
        algorithm: Algorithm,
    ) -> Result<&'k VerifyingKey, Distrust> {
        let mut candidates = self.candidates(keys, algorithm);
        match &self.proof {
            Proof::Signature {
                signed, signature, ..
            } => candidates
                .find(|key| key.verifies(signed.as_bytes(), signature))
                .ok_or(Distrust::Invalid),
            // A signature is of one key: another one of the set did not make it.
            Proof::Recorded(TokenEvidence {
                signed_by: Some(signer),
                ..
            }) => candidates
                .find(|key| key.thumbprint == *signer)
                .ok_or(Distrust::Invalid),
            Proof::Recorded(token) => {
                if candidates.all(|key| token.tried.contains(&key.thumbprint)) {
                    Err(Distrust::Invalid)
                } else {
                    Err(Distrust::NotRecorded)
                }
            }
        }
    }

    /// The claims of a token whose signer is known: a JSON object.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn claims(&self) -> Result<Arc<Value>, Distrust> {
        match &self.proof {
            Proof::Signature { payload, .. } => Ok(Arc::new(Value::Object(object(payload)?))),
            Proof::Recorded(token) => token.claims.clone().ok_or(Distrust::Malformed),
        }
    }
}

/// A media type in lower case, without the `application/` that may be left out (RFC 7515 §4.1.9).
pub fn media_type(text: &str) -> String {
    let text = text.to_ascii_lowercase();
    match text.strip_prefix("application/") {
        Some(rest) => rest.to_owned(),
        None => text,
    }
}

fn object(part: &str) -> Result<Map<String, Value>, Distrust> {
    let bytes = decode_base64url(part).ok_or(Distrust::Malformed)?;
    match serde_json::from_slice(&bytes) {
        Ok(Strict(Value::Object(members))) => Ok(members),
        _ => Err(Distrust::Malformed),
    }
}

impl VerifyingKey {
    /// Whether this key made `signature` over `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let algorithm: &dyn verify::VerificationAlgorithm = match self.algorithm {
            Algorithm::ES256 => &verify::ECDSA_P256_SHA256_FIXED,
            Algorithm::ES384 => &verify::ECDSA_P384_SHA384_FIXED,
            Algorithm::RS256 => &verify::RSA_PKCS1_2048_8192_SHA256,
            Algorithm::RS384 => &verify::RSA_PKCS1_2048_8192_SHA384,
            Algorithm::RS512 => &verify::RSA_PKCS1_2048_8192_SHA512,
            Algorithm::PS256 => &verify::RSA_PSS_2048_8192_SHA256,
            Algorithm::PS384 => &verify::RSA_PSS_2048_8192_SHA384,
            Algorithm::PS512 => &verify::RSA_PSS_2048_8192_SHA512,
            Algorithm::EdDSA => &verify::ED25519,
        };
        verify::UnparsedPublicKey::new(algorithm, &self.public)
            .verify(message, signature)
            .is_ok()
    }
}

/// JSON in which no object has two members of one name (RFC 8725 §2.4, RFC 7519 §4).
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Value;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON without repeated members")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(value.into())
            }
            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(value.into())
            }
            fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
                Ok(value.into())
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
                Number::from_f64(value)
                    .map(Value::Number)
                    .ok_or_else(|| E::custom("not a number"))
            }
            fn visit_str<E>(self, value: &str) -> Result<Value, E> {
                Ok(value.into())
            }
            fn visit_string<E>(self, value: String) -> Result<Value, E> {
                Ok(value.into())
            }
            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
                let mut list = Vec::new();
                while let Some(Strict(item)) = items.next_element()? {
                    list.push(item);
                }
                Ok(list.into())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
                let mut object = Map::new();
                while let Some((name, Strict(value))) = members.next_entry::<String, _>()? {
                    if object.insert(name, value).is_some() {
                        return Err(de::Error::custom("repeated member"));
                    }
                }
                Ok(object.into())
            }
        }
        deserializer.deserialize_any(Reader).map(Self)
    }
}

#[cfg(test)]
#[path = "jose_fuzz.rs"]
mod fuzz;
