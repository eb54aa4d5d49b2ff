//! Signed tokens and key sets, made with the library that verifies them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use serde_json::{Value, json};

/// A key that signs tokens.
pub enum Signer {
    Es256(EcdsaKeyPair),
    Es384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    /// With the JWS name of its padding and hash.
    Rsa(RsaKeyPair, &'static str),
}

pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A DER key that was made for these tests and is used nowhere else.
const RSA: &[u8] = include_bytes!("rsa-2048-for-tests.pk8");

impl Signer {
    /// A new key for an algorithm; RSA keys and Ed25519 keys are always the same.
    pub fn new(algorithm: &'static str) -> Self {
        let random = SystemRandom::new();
        let ecdsa = |algorithm| {
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
            EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap()
        };
        match algorithm {
            "ES256" => Self::Es256(ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING)),
            "ES384" => Self::Es384(ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING)),
            "EdDSA" => Self::Ed25519(Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()),
            rsa => Self::Rsa(RsaKeyPair::from_pkcs8(RSA).unwrap(), rsa),
        }
    }

    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Es256(_) => "ES256",
            Self::Es384(_) => "ES384",
            Self::Ed25519(_) => "EdDSA",
            Self::Rsa(_, name) => name,
        }
    }

    /// The public key as a JSON Web Key called `kid`.
    pub fn jwk(&self, kid: &str) -> Value {
        let point = |pair: &EcdsaKeyPair, curve: &str| {
            let (x, y) = pair.public_key().as_ref()[1..]
                .split_at((pair.public_key().as_ref().len() - 1) / 2);
            json!({ "kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y) })
        };
        let mut key = match self {
            Self::Es256(pair) => point(pair, "P-256"),
            Self::Es384(pair) => point(pair, "P-384"),
            Self::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": base64url(pair.public_key().as_ref()) })
            }
            Self::Rsa(pair, _) => {
                let public: signature::RsaPublicKeyComponents<Vec<u8>> = pair.public_key().into();
                json!({ "kty": "RSA", "n": base64url(&public.n), "e": base64url(&public.e) })
            }
        };
        key["kid"] = kid.into();
        key["alg"] = self.algorithm().into();
        key
    }

    /// A key set with this key alone.
    pub fn jwks(&self, kid: &str) -> String {
        json!({ "keys": [self.jwk(kid)] }).to_string()
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Es256(pair) | Self::Es384(pair) => {
                pair.sign(&random, message).unwrap().as_ref().to_vec()
            }
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Rsa(pair, name) => {
                let padding: &dyn signature::RsaEncoding = match *name {
                    "RS256" => &signature::RSA_PKCS1_SHA256,
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    _ => &signature::RSA_PSS_SHA512,
                };
                let mut made = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, message, &mut made).unwrap();
                made
            }
        }
    }

    /// A token with this header and these claims, as texts: a forger is not bound to JSON.
    pub fn token_of(&self, header: &str, claims: &str) -> String {
        let signed = format!(
            "{}.{}",
            base64url(header.as_bytes()),
            base64url(claims.as_bytes())
        );
        let signature = base64url(&self.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// A token of the key `kid`.
    pub fn token(&self, kid: &str, claims: &Value) -> String {
        let header = json!({ "alg": self.algorithm(), "kid": kid });
        self.token_of(&header.to_string(), &claims.to_string())
    }
}

impl Signer {
    /// The public key as a PEM file (SubjectPublicKeyInfo); gives its path.
    pub fn pem(&self) -> String {
        let start: &[u8] = match self {
            Self::Es256(_) => b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00",
            Self::Es384(_) => b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00",
            Self::Ed25519(_) => b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00",
            Self::Rsa(..) => b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00",
        };
        let public = match self {
            Self::Es256(pair) | Self::Es384(pair) => pair.public_key().as_ref(),
            Self::Ed25519(pair) => pair.public_key().as_ref(),
            Self::Rsa(pair, _) => pair.public_key().as_ref(),
        };
        let long = |tag: u8, contents: &[u8]| {
            let [high, low] = u16::try_from(contents.len()).unwrap().to_be_bytes();
            [&[tag, 0x82, high, low], contents].concat()
        };
        let der = match self {
            Self::Rsa(..) => {
                let bits = long(0x03, &[&[0], public].concat());
                long(0x30, &[start, &bits].concat())
            }
            _ => [start, public].concat(),
        };
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        kept(&format!(
            "-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n"
        ))
    }
}

/// A file with this text, for as long as the tests are built; gives its path.
pub fn kept(text: &str) -> String {
    let name = lockgate_config::sha256_hex(text.as_bytes());
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // Tests run side by side: the file appears under its name only when it is whole.
    let part = path.with_extension(format!("{:?}", std::thread::current().id()));
    std::fs::write(&part, text).unwrap();
    std::fs::rename(&part, &path).unwrap();
    path.display().to_string()
}
