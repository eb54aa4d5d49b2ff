//! Evidence: what policies found out about the credentials of a request. A recording holds it in place of the credentials, so
//! that a replay can judge the request again without anybody ever seeing them.
//!
//! Live, a policy [notes](crate::Facts::note) what it found. A recorder writes [`record`], with every `credential` as a keyed
//! hash, its mark. A replay reads that back as [`Recorded`], and policies that meet a mark ask for its evidence. Live traffic has
//! no recorded evidence: a mark that somebody sends is a wrong credential like any other.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::facts::{Fact, FactRequest, Facts};
pub use crate::finding::{Evidence, Finding, Known, PasswordEvidence, TokenEvidence};
use crate::hex::{hex, read_hash};
use crate::keys::{Algorithm, KeySet, VerifyingKey};
use crate::request::ClientCertificate;

/// Everything recorded of one request that its text does not say.
#[derive(Debug, Default)]
pub struct Recorded {
    /// What policies found out about credentials.
    pub evidence: Vec<Evidence>,
    /// Answers of authorization servers, by endpoint and mark of the token.
    pub introspections: Vec<(Arc<str>, Arc<str>, Fact)>,
    /// Keys of issuers, by endpoint.
    pub keys: Vec<(Arc<str>, Fact)>,
    /// The client certificate.
    pub certificate: Option<ClientCertificate>,
}

/// What to record of a request: one JSON object for each thing that was found out. `claims` are those of the identity, which are
/// recorded beside it and not twice.
pub fn record(
    facts: &Facts,
    certificate: Option<&ClientCertificate>,
    claims: Option<&Arc<Value>>,
) -> Vec<Arc<Value>> {
    let is_claims = |value: &Arc<Value>| claims.is_some_and(|claims| Arc::ptr_eq(claims, value));
    let certificate = certificate.map(|certificate| {
        let mut object =
            json!({ "of": "certificate", "sha256": hex(&certificate.sha256), "names": certificate.names });
        if let Some(authority) = &certificate.authority {
            put(&mut object, "authority", hex(authority).into());
        }
        object
    });
    let asked = facts.iter().map(|(wanted, fact)| match wanted {
        FactRequest::Introspection { endpoint, token } => {
            let mut object =
                json!({ "of": "introspection", "endpoint": &*endpoint.url, "credential": &**token });
            match fact {
                Fact::Introspection(answer) if is_claims(answer) => {}
                Fact::Introspection(answer) => put(&mut object, "answer", Value::clone(answer)),
                _ => put(&mut object, "unavailable", true.into()),
            }
            object
        }
        FactRequest::Keys { endpoint } => {
            let mut object = json!({ "of": "keys", "endpoint": &*endpoint.url });
            match fact {
                Fact::Keys(keys) => put(&mut object, "keys", keys_to_json(keys)),
                _ => put(&mut object, "unavailable", true.into()),
            }
            object
        }
    });
    let noted = facts.take_noted();
    let noted = noted.into_iter().map(|Evidence { credential, found }| {
        let mut object = json!({ "credential": &*credential });
        match found {
            Finding::Token(token) => {
                put(&mut object, "of", "token".into());
                token.record(&mut object, is_claims);
            }
            Finding::OpaqueToken { readable } => {
                put(&mut object, "of", "opaque token".into());
                put(&mut object, "readable", readable.into());
            }
            Finding::Password(known) => {
                put(&mut object, "of", "password".into());
                if let Some(known) = known {
                    put(&mut object, "user_credential", (*known.user).into());
                    put(&mut object, "right", known.right.into());
                    if let Some(compared) = known.compared {
                        put(&mut object, "compared", (*compared).into());
                    }
                }
            }
        }
        object
    });
    certificate
        .into_iter()
        .chain(asked)
        .chain(noted)
        .map(Arc::new)
        .collect()
}

impl TokenEvidence {
    fn record(self, object: &mut Value, is_claims: impl Fn(&Arc<Value>) -> bool) {
        let Some(header) = self.header else { return };
        put(object, "header", Value::Object(header));
        if !self.tried.is_empty() {
            put(
                object,
                "tried",
                self.tried.iter().map(|key| Value::from(&**key)).collect(),
            );
        }
        let Some(signed_by) = self.signed_by else {
            return;
        };
        put(object, "signed_by", (*signed_by).into());
        match self.claims {
            Some(claims) if is_claims(&claims) => {}
            Some(claims) => put(object, "claims", Value::clone(&claims)),
            None => put(object, "claims", Value::Null),
        }
    }

    fn read(object: &Map<String, Value>, claims: Option<&Arc<Value>>) -> Self {
        let tried = object.get("tried").and_then(Value::as_array);
        Self {
            header: object.get("header").and_then(Value::as_object).cloned(),
            signed_by: text(object, "signed_by"),
            tried: tried
                .into_iter()
                .flatten()
                .filter_map(|key| key.as_str().map(Arc::from))
                .collect(),
            claims: match object.get("claims") {
                None => claims.cloned(),
                Some(Value::Null) => None,
                Some(claims) => Some(Arc::new(claims.clone())),
            },
        }
    }

    /// Takes over what another policy, with other keys, found out about the same token.
    fn absorb(&mut self, other: Self) {
        self.header = self.header.take().or(other.header);
        self.tried.extend(other.tried);
        if self.signed_by.is_none() {
            self.signed_by = other.signed_by;
            self.claims = other.claims;
        }
    }
}

impl Recorded {
    /// Reads what was recorded; what makes no sense is left out. `claims` are those of the identity.
    pub fn read(facts: &[Arc<Value>], claims: Option<&Arc<Value>>) -> Self {
        let mut recorded = Self::default();
        for object in facts.iter().filter_map(|fact| fact.as_object()) {
            recorded.take(object, claims);
        }
        recorded
    }

    fn take(&mut self, object: &Map<String, Value>, claims: Option<&Arc<Value>>) -> Option<()> {
        let credential = || text(object, "credential");
        match object.get("of")?.as_str()? {
            "certificate" => {
                let names = object.get("names")?.as_array()?;
                let names = names
                    .iter()
                    .filter_map(|name| Some(name.as_str()?.to_owned()));
                self.certificate = Some(ClientCertificate {
                    sha256: read_hash(object.get("sha256")?.as_str()?)?,
                    names: names.collect(),
                    authority: text(object, "authority").and_then(|text| read_hash(&text)),
                });
            }
            "introspection" => {
                let fact = if object.contains_key("unavailable") {
                    unavailable()
                } else {
                    let answer = object.get("answer").map(|answer| Arc::new(answer.clone()));
                    Fact::Introspection(answer.or_else(|| claims.cloned())?)
                };
                self.introspections
                    .push((text(object, "endpoint")?, credential()?, fact));
            }
            "keys" => {
                let fact = match object.get("keys") {
                    Some(keys) => Fact::Keys(Arc::new(keys_from_json(keys)?)),
                    None => unavailable(),
                };
                self.keys.push((text(object, "endpoint")?, fact));
            }
            "token" => self.add(
                credential()?,
                Finding::Token(TokenEvidence::read(object, claims)),
            ),
            "opaque token" => {
                let readable = object.get("readable")?.as_bool()?;
                self.add(credential()?, Finding::OpaqueToken { readable });
            }
            "password" => {
                let known = text(object, "user_credential").map(|user| PasswordEvidence {
                    user,
                    compared: text(object, "compared"),
                    right: object.get("right") == Some(&Value::Bool(true)),
                });
                self.add(credential()?, Finding::Password(known));
            }
            _ => {}
        }
        Some(())
    }

    fn add(&mut self, credential: Arc<str>, found: Finding) {
        if let Finding::Token(new) = &found
            && let Some(known) = self.evidence.iter_mut().find_map(|known| match known {
                Evidence {
                    credential: known,
                    found: Finding::Token(token),
                } if *known == credential => Some(token),
                _ => None,
            })
        {
            return known.absorb(new.clone());
        }
        self.evidence.push(Evidence { credential, found });
    }
}

fn keys_to_json(keys: &KeySet) -> Value {
    keys.iter()
        .map(|key| json!({ "kid": key.id, "alg": key.algorithm, "thumbprint": &*key.thumbprint }))
        .collect()
}

fn keys_from_json(keys: &Value) -> Option<KeySet> {
    let keys = keys.as_array()?.iter().filter_map(|key| {
        Some(VerifyingKey {
            id: key.get("kid")?.as_str().map(str::to_owned),
            algorithm: Algorithm::named(key.get("alg")?.as_str()?)?,
            public: Vec::new(),
            thumbprint: Arc::from(key.get("thumbprint")?.as_str()?),
        })
    });
    Some(keys.collect())
}

fn unavailable() -> Fact {
    Fact::Unavailable(Arc::from(
        "it was not to be had when the request was recorded",
    ))
}

fn text(object: &Map<String, Value>, name: &str) -> Option<Arc<str>> {
    object.get(name)?.as_str().map(Arc::from)
}

fn put(object: &mut Value, name: &str, value: Value) {
    if let Value::Object(members) = object {
        members.insert(name.to_owned(), value);
    }
}
