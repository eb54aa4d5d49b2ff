//! Facts: what a policy cannot know from the request. The driver resolves them, live from the network or a store, in replay from
//! the recording; a policy only ever asks.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::endpoint::Endpoint;
use crate::keys::KeySet;

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
#[derive(Debug, Clone, Default)]
pub struct Facts(Vec<(FactRequest, Fact)>);

impl Facts {
    /// The fact, when it is known.
    pub fn get(&self, request: &FactRequest) -> Option<&Fact> {
        self.0
            .iter()
            .find(|(known, _)| known == request)
            .map(|(_, fact)| fact)
    }

    /// Makes a fact known.
    pub fn put(&mut self, request: FactRequest, fact: Fact) {
        self.0.push((request, fact));
    }

    /// All facts, in the order in which they were asked for.
    pub fn iter(&self) -> impl Iterator<Item = &(FactRequest, Fact)> {
        self.0.iter()
    }
}
