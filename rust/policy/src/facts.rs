//! Facts: what a policy cannot know from the request. The driver resolves them, live from the network or a store, in replay from
//! the recording; a policy only ever asks.

use std::sync::Arc;

use serde_json::Value;

use crate::keys::KeySet;

/// What a policy asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FactRequest {
    /// What the authorization server says of a token (RFC 7662). `endpoint` indexes the revision's endpoints.
    Introspection {
        /// The endpoint's URL.
        endpoint: Arc<str>,
        /// The token; it is sent to the endpoint and never stored.
        token: Arc<str>,
    },
    /// The keys of a token issuer (RFC 7517).
    Keys {
        /// Where the key set is published.
        url: Arc<str>,
    },
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
    /// Reads a fact as a person or a recording writes it: the answer to `wanted` as JSON.
    ///
    /// # Errors
    /// Why the value is no such answer.
    pub fn read(wanted: &FactRequest, value: &Value) -> Result<Self, String> {
        match wanted {
            FactRequest::Introspection { .. } => Ok(Self::Introspection(Arc::new(value.clone()))),
            FactRequest::Keys { .. } => Ok(Self::Keys(Arc::new(KeySet::read(
                value.to_string().as_bytes(),
            )?))),
        }
    }
}

/// The facts known so far for one request.
#[derive(Debug, Default)]
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
