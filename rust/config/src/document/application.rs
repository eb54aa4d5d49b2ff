use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decode::Spanned;
use crate::secret::Secret;

/// A program that calls APIs. Its credentials are hashes or public keys: a document never holds a secret.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Application {
    /// Its name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The team that answers for it; budgets may be counted by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The plan it is on; quotas and `require` may ask for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// What it may do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// What it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Its API keys. Two live at a time allow rotation without a gap.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<ApiKey>,
    /// Its user names and password hashes, for `basic_auth`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passwords: Vec<Password>,
    /// Its client certificates, for `mtls`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<Certificate>,
    /// Its keys for `http_signature`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signature_keys: Vec<SignatureKey>,
    /// The client ids under which token issuers know it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub client_ids: Vec<String>,
    /// All its credentials are refused while this is true.
    pub suspended: bool,
}

/// The hash of an API key.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// SHA-256 of the key, 64 hexadecimal digits; `lockgate keys new` prints a key and its hash.
    pub sha256: Spanned<String>,
    /// The date (`2027-01-31`) or time (RFC 3339) from which the key is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Spanned<String>>,
}

/// A user name and its password hash.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Password {
    /// The user name (RFC 7617).
    pub username: Spanned<String>,
    /// An argon2id hash in PHC form, `$argon2id$v=19$…`.
    pub argon2: Spanned<String>,
}

/// How a client certificate is recognised: exactly one of the two.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// SHA-256 of the certificate (DER), 64 hexadecimal digits.
    pub sha256: Option<Spanned<String>>,
    /// A subject alternative name: `dns:host`, `uri:spiffe://…` or `email:…`.
    pub san: Option<Spanned<String>>,
}

/// A key for HTTP message signatures (RFC 9421).
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignatureKey {
    /// The `keyid` that signatures name.
    pub id: Spanned<String>,
    /// `ed25519`, `ecdsa-p256-sha256`, `ecdsa-p384-sha384`, `rsa-pss-sha512`, `rsa-v1_5-sha256` or `hmac-sha256`.
    pub algorithm: Spanned<String>,
    /// The public key (SubjectPublicKeyInfo) as a PEM file, or as PEM text; not for `hmac-sha256`.
    pub public_key: Option<Spanned<String>>,
    /// The shared secret of `hmac-sha256`, as a reference.
    pub secret: Option<Secret>,
}
