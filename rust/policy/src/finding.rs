//! What policies find out about credentials.

use std::sync::Arc;

use serde_json::{Map, Value};

/// What a policy found out about one credential.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The credential as it was sent; its mark in a replay.
    pub credential: Arc<str>,
    /// What is known of it.
    pub found: Finding,
}

/// What is known of a credential.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// A signed token.
    Token(TokenEvidence),
    /// A token that only its issuer can read; whether it can be one at all.
    OpaqueToken {
        /// Whether it has the form of a token.
        readable: bool,
    },
    /// A user name and a password; nothing when they cannot be read.
    Password(Option<PasswordEvidence>),
}

/// A signed token without its signature.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenEvidence {
    /// Its header; absent when it is no signed token at all.
    pub header: Option<Map<String, Value>>,
    /// The thumbprint of the key that made its signature, when one is known.
    pub signed_by: Option<Arc<str>>,
    /// The thumbprints of keys that did not.
    pub tried: Vec<Arc<str>>,
    /// Its claims, when a key proved them and they can be read.
    pub claims: Option<Arc<Value>>,
}

/// A user name and whether the password is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordEvidence {
    /// The user name; its mark in a replay.
    pub user: Arc<str>,
    /// The hash that the password was compared with, as a hash of it; none for an unknown user.
    pub compared: Option<Arc<str>>,
    /// Whether it was right.
    pub right: bool,
}

/// Evidence for a credential, as a policy meets it.
#[derive(Debug)]
pub enum Known<'a, T: ?Sized> {
    /// The credential itself is there: look at it.
    Sent,
    /// It was recorded, with this.
    Recorded(&'a T),
    /// It was recorded, and what the policy must know of it was not.
    Nothing,
}
