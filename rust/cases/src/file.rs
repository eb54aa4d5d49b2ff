//! A case file as a person writes it.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroUsize;

use indexmap::IndexMap;
use lockgate_config::{Duration, Each, Raw, Spanned};
use lockgate_policy::ExplainCertificate;
use serde::{Deserialize, Deserializer, de};

use crate::expect::{Decision, Said};

/// A whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenFile {
    /// A document: a file beside this one, or the text itself.
    pub gateway: Option<Spanned<String>>,
    /// The cases.
    pub cases: Each<WrittenCase>,
}

/// One case: several steps, or the fields of its only step.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenCase {
    pub name: Spanned<String>,
    /// The clock at the start (RFC 3339).
    pub at: Option<Spanned<String>>,
    /// Why the case is not sent through a running gateway by the tests of the gateway itself.
    pub live: Option<String>,
    pub steps: Option<Each<Spanned<WrittenStep>>>,
    pub request: Option<Spanned<WrittenRequest>>,
    pub certificate: Option<ExplainCertificate>,
    pub facts: Option<Vec<Raw>>,
    pub answer: Option<WrittenAnswer>,
    pub expect: Option<WrittenExpect>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenStep {
    pub after: Option<Duration>,
    pub request: Spanned<WrittenRequest>,
    pub certificate: Option<ExplainCertificate>,
    pub facts: Option<Vec<Raw>>,
    pub answer: Option<WrittenAnswer>,
    pub in_flight: Option<NonZeroUsize>,
    pub times: Option<Spanned<NonZeroUsize>>,
    pub expect: WrittenExpect,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenRequest {
    #[serde(default = "get")]
    pub method: String,
    pub url: String,
    #[serde(default)]
    pub headers: Fields,
    pub body: Option<String>,
    pub json: Option<Raw>,
    pub client: Option<IpAddr>,
    pub application: Option<Spanned<String>>,
}

fn get() -> String {
    "GET".into()
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenAnswer {
    #[serde(default = "ok")]
    pub status: u16,
    #[serde(default)]
    pub headers: Fields,
    pub body: Option<String>,
    pub json: Option<Raw>,
}

const fn ok() -> u16 {
    200
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenExpect {
    pub decision: Decision,
    pub code: Option<Spanned<String>>,
    pub status: Option<u16>,
    #[serde(default)]
    pub headers: Fields,
    #[serde(default)]
    pub without: Vec<String>,
    pub body: Option<String>,
    pub application: Option<String>,
    pub route: Option<String>,
    #[serde(default)]
    pub policies: IndexMap<String, Said>,
    #[serde(default)]
    pub rules: IndexMap<String, Vec<String>>,
    #[serde(default)]
    pub forwarded: WrittenForwarded,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WrittenForwarded {
    pub path: Option<String>,
    pub query: Option<String>,
    pub headers: Fields,
    pub without: Vec<String>,
    pub cache: Option<bool>,
}

/// Fields of a message, each with its values in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Fields(pub IndexMap<String, Values>);

/// One text, or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values(pub Vec<String>);

impl Fields {
    /// One pair for each value.
    pub fn pairs(&self) -> Vec<(String, String)> {
        self.0
            .iter()
            .flat_map(|(name, values)| values.0.iter().map(|value| (name.clone(), value.clone())))
            .collect()
    }

    /// Whether a field of this name, in any case, is written.
    pub fn has(&self, name: &str) -> bool {
        self.0.keys().any(|known| known.eq_ignore_ascii_case(name))
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Values;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text in quotes, or a list of texts")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Values, E> {
                Ok(Values(vec![text.to_owned()]))
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Values, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = items.next_element()? {
                    values.push(value);
                }
                Ok(Values(values))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
