//! Facts: what a policy cannot know from the request. The driver resolves them, live from the network or a store, in replay from
//! the recording; a policy only ever asks.

use std::fmt;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use serde_json::Value;

use crate::endpoint::Endpoint;
use crate::finding::{Evidence, Finding, Known, PasswordEvidence, TokenEvidence};
use crate::keys::KeySet;
use crate::recorded_prompt::RecordedPrompt;

/// What a policy asks for.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum FactRequest {
    /// What the authorization server says of a token (RFC 7662).
    Introspection {
        /// Whom to ask.
        endpoint: Arc<Endpoint>,
        /// The token; it is sent to the endpoint and never stored.
        token: Arc<str>,
    },
    /// The keys of a token issuer (RFC 7517).
    Keys {
        /// Where the key set is published.
        endpoint: Arc<Endpoint>,
    },
}

impl FactRequest {
    /// Where the answer comes from.
    pub const fn endpoint(&self) -> &Arc<Endpoint> {
        match self {
            Self::Introspection { endpoint, .. } | Self::Keys { endpoint } => endpoint,
        }
    }
}

/// Without the token, which is a credential.
impl fmt::Debug for FactRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sort = match self {
            Self::Introspection { .. } => "Introspection",
            Self::Keys { .. } => "Keys",
        };
        f.debug_tuple(sort).field(&self.endpoint().url).finish()
    }
}

/// The answer to a [`FactRequest`].
#[derive(Debug, Clone)]
pub enum Fact {
    /// The introspection answer, a JSON object.
    Introspection(Arc<Value>),
    /// The issuer's keys.
    Keys(Arc<KeySet>),
    /// It could not be found out; the text is for operators.
    Unavailable(Arc<str>),
}

impl Fact {
    /// Reads a fact as a person or a recording writes it: the answer to `wanted` as JSON, or the text `unavailable`.
    ///
    /// # Errors
    /// Why the value is no such answer.
    pub fn read(wanted: &FactRequest, value: &Value) -> Result<Self, String> {
        match wanted {
            _ if value == "unavailable" => {
                Ok(Self::Unavailable(Arc::from("it was said not to answer")))
            }
            FactRequest::Introspection { .. } if value.is_object() => {
                Ok(Self::Introspection(Arc::new(value.clone())))
            }
            FactRequest::Introspection { .. } => Err("an introspection answer is an object".into()),
            FactRequest::Keys { .. } => Ok(Self::Keys(Arc::new(KeySet::read(
                value.to_string().as_bytes(),
            )?))),
        }
    }
}

/// The facts known so far for one request.
#[derive(Debug, Default)]
pub struct Facts {
    known: Vec<(FactRequest, Fact)>,
    credentials: Credentials,
}

/// What is done with what policies find out about credentials.
#[derive(Debug, Default)]
enum Credentials {
    /// Nothing.
    #[default]
    Forgotten,
    /// It is kept for a recording. Policies see facts through a shared reference, so this has a lock; nobody waits for it.
    Noted(Mutex<Vec<Evidence>>),
    /// It was found out when the request was recorded.
    Recorded {
        evidence: Arc<[Evidence]>,
        /// What is known of what was asked of a model.
        prompt: Option<Arc<RecordedPrompt>>,
        /// What a policy had to know and is not there.
        missing: OnceLock<&'static str>,
    },
}

impl Facts {
    /// Facts of a request that is recorded: what policies find out about credentials is kept.
    pub fn to_record() -> Self {
        Self {
            known: Vec::new(),
            credentials: Credentials::Noted(Mutex::default()),
        }
    }

    /// Facts of a request that was recorded: its credentials are marks, and this is known of them, and of what it asked of a model.
    pub const fn recorded(evidence: Arc<[Evidence]>, prompt: Option<Arc<RecordedPrompt>>) -> Self {
        Self {
            known: Vec::new(),
            credentials: Credentials::Recorded {
                evidence,
                prompt,
                missing: OnceLock::new(),
            },
        }
    }

    /// Whether the request is recorded, so that what it asks of a model is kept.
    pub const fn are_to_record(&self) -> bool {
        matches!(self.credentials, Credentials::Noted(_))
    }

    /// What was recorded of what the request asked of a model.
    pub const fn recorded_prompt(&self) -> Option<&Arc<RecordedPrompt>> {
        match &self.credentials {
            Credentials::Recorded { prompt, .. } => prompt.as_ref(),
            _ => None,
        }
    }

    /// The same facts for another revision to judge by. What policies find out about credentials stays here.
    #[must_use]
    pub fn alone(&self) -> Self {
        Self {
            known: self.known.clone(),
            credentials: Credentials::Forgotten,
        }
    }

    /// The fact, when it is known.
    pub fn get(&self, request: &FactRequest) -> Option<&Fact> {
        self.known
            .iter()
            .find(|(known, _)| known == request)
            .map(|(_, fact)| fact)
    }

    /// Makes a fact known.
    pub fn put(&mut self, request: FactRequest, fact: Fact) {
        self.known.push((request, fact));
    }

    /// All facts, in the order in which they were asked for.
    pub fn iter(&self) -> impl Iterator<Item = &(FactRequest, Fact)> {
        self.known.iter()
    }

    /// Keeps what was found out about a credential, when the request is recorded. It changes no decision.
    pub fn note(&self, credential: &str, found: impl FnOnce() -> Finding) {
        if let Credentials::Noted(noted) = &self.credentials {
            noted.lock().push(Evidence {
                credential: Arc::from(credential),
                found: found(),
            });
        }
    }

    /// What was noted; afterwards nothing is.
    pub(crate) fn take_noted(&self) -> Vec<Evidence> {
        match &self.credentials {
            Credentials::Noted(noted) => std::mem::take(&mut *noted.lock()),
            _ => Vec::new(),
        }
    }

    /// Whether the request was recorded, so that its credentials are marks.
    pub const fn are_recorded(&self) -> bool {
        matches!(self.credentials, Credentials::Recorded { .. })
    }

    fn known<'a, T>(
        &'a self,
        credential: &str,
        wanted: impl Fn(&'a Finding) -> Option<&'a T>,
    ) -> Known<'a, T> {
        let Credentials::Recorded { evidence, .. } = &self.credentials else {
            return Known::Sent;
        };
        evidence
            .iter()
            .filter(|known| *known.credential == *credential)
            .find_map(|known| wanted(&known.found))
            .map_or(Known::Nothing, Known::Recorded)
    }

    /// What is known of a signed token.
    pub fn token(&self, token: &str) -> Known<'_, TokenEvidence> {
        self.known(token, |found| match found {
            Finding::Token(token) => Some(token),
            _ => None,
        })
    }

    /// Whether a token that its issuer reads has the form of one.
    pub fn opaque_token(&self, token: &str) -> Known<'_, bool> {
        self.known(token, |found| match found {
            Finding::OpaqueToken { readable } => Some(readable),
            _ => None,
        })
    }

    /// What is known of a user name and a password.
    pub fn password(&self, credential: &str) -> Known<'_, Option<PasswordEvidence>> {
        self.known(credential, |found| match found {
            Finding::Password(known) => Some(known),
            _ => None,
        })
    }

    /// Notes that something was not recorded that a policy must know; `what` completes "… was not recorded".
    pub(crate) fn note_missing(&self, what: &'static str) {
        if let Credentials::Recorded { missing, .. } = &self.credentials {
            // The first policy that could not decide names the request.
            let _ = missing.set(what);
        }
    }

    /// What a policy had to know and was not recorded.
    pub fn missing(&self) -> Option<&'static str> {
        match &self.credentials {
            Credentials::Recorded { missing, .. } => missing.get().copied(),
            _ => None,
        }
    }
}
