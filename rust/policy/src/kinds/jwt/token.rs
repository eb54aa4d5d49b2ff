//! A token on its way from its text to its claims, and what of it is kept as evidence.

use std::sync::Arc;

use serde_json::Value;

use crate::bearer;
use crate::env::Env;
use crate::finding::{Finding, Known, TokenEvidence};
use crate::jose::{Distrust, Unverified};
use crate::keys::{Algorithm, KeySet};
use crate::verdict::Verdict;

use super::reasons::{INVALID, MALFORMED};

/// A token that was read: its text, or its mark, and the algorithm that its header names.
pub struct Token<'a> {
    text: &'a str,
    token: Unverified<'a>,
    algorithm: Algorithm,
}

impl<'a> Token<'a> {
    /// Everything that needs no key, so that nobody makes the gateway fetch keys with a token that cannot pass.
    pub fn read(
        text: &'a str,
        algorithms: &[Algorithm],
        media_type: Option<&str>,
        env: &Env<'a>,
    ) -> Result<Self, Verdict> {
        let read = match env.facts.token(text) {
            Known::Sent => Unverified::read(text),
            Known::Recorded(token) => Unverified::recorded(token),
            Known::Nothing => return Err(env.not_recorded("what the token says")),
        };
        let token = read.map_err(|distrust| {
            note(env, text, TokenEvidence::default);
            distrusted(distrust, env)
        })?;
        let allowed = token.algorithm(algorithms).and_then(|algorithm| {
            if media_type.is_some() && token.media_type().as_deref() != media_type {
                return Err(Distrust::Invalid);
            }
            Ok(algorithm)
        });
        match allowed {
            Ok(algorithm) => Ok(Self {
                text,
                token,
                algorithm,
            }),
            Err(distrust) => {
                note(env, text, || header_of(&token));
                Err(distrusted(distrust, env))
            }
        }
    }

    /// The claims, once a key of the set has proved to have signed them.
    pub fn claims(&self, keys: &KeySet, env: &Env<'_>) -> Result<Arc<Value>, Distrust> {
        let signer = self.token.signer(keys, self.algorithm);
        let claims = signer.and_then(|_| self.token.claims());
        note(env, self.text, || {
            let thumbprints = self.token.candidates(keys, self.algorithm);
            TokenEvidence {
                signed_by: signer.ok().map(|key| key.thumbprint.clone()),
                tried: match signer {
                    Ok(_) => Vec::new(),
                    Err(_) => thumbprints.map(|key| key.thumbprint.clone()).collect(),
                },
                claims: claims.as_ref().ok().cloned(),
                ..header_of(&self.token)
            }
        });
        claims
    }

    /// Keeps what the header says of a token that no key could be tried on.
    pub fn note_untried(&self, env: &Env<'_>) {
        note(env, self.text, || header_of(&self.token));
    }
}

fn header_of(token: &Unverified<'_>) -> TokenEvidence {
    TokenEvidence {
        header: Some(token.header().clone()),
        ..TokenEvidence::default()
    }
}

fn note(env: &Env<'_>, token: &str, evidence: impl FnOnce() -> TokenEvidence) {
    env.facts.note(token, || Finding::Token(evidence()));
}

/// What is said of a token that is not trusted.
pub fn distrusted(distrust: Distrust, env: &Env<'_>) -> Verdict {
    match distrust {
        Distrust::Malformed => {
            Verdict::Deny(bearer::refused(&MALFORMED, "the token cannot be read"))
        }
        Distrust::Invalid => Verdict::Deny(bearer::refused(&INVALID, "the token is not accepted")),
        Distrust::NotRecorded => {
            env.not_recorded("whether a key that is now accepted signed the token")
        }
    }
}
