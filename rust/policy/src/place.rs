//! Where callers put a credential.

use std::borrow::Cow;
use std::sync::Arc;

use http::HeaderName;
use lockgate_config::{Problem, Span};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::request::RequestView;
use crate::verdict::Effect;

/// The place of a credential as documents write it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub enum Place {
    /// A request header.
    Header(String),
    /// A query parameter.
    Query(String),
    /// A cookie.
    Cookie(String),
}

/// A place that requests can be searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// A request header.
    Header(HeaderName),
    /// A query parameter.
    Query(Arc<str>),
    /// A cookie.
    Cookie(Arc<str>),
}

/// A request brings several credentials: nobody can say which one the service would see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Several;

impl Place {
    /// `header`, `query` or `cookie`.
    pub const fn sort(&self) -> &'static str {
        match self {
            Self::Header(_) => "header",
            Self::Query(_) => "query",
            Self::Cookie(_) => "cookie",
        }
    }

    /// The name of the header, parameter or cookie.
    pub fn name(&self) -> &str {
        match self {
            Self::Header(name) | Self::Query(name) | Self::Cookie(name) => name,
        }
    }

    /// Checks the name.
    ///
    /// # Errors
    /// That no header, parameter or cookie can have this name.
    pub fn compile(&self, span: &Span) -> Result<Lookup, Problem> {
        let name = self.name();
        if name.is_empty() || name.contains(['"', '\\', ';', '=', ' ']) {
            let message = format!("`{name}` cannot be the name of a {} field", self.sort());
            return Err(Problem::new(span, message));
        }
        Ok(match self {
            Self::Header(name) => {
                Lookup::Header(HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
                    Problem::new(span, format!("`{name}` is not a field name"))
                        .help("write a name such as `X-Api-Key`")
                })?)
            }
            Self::Query(name) => Lookup::Query(Arc::from(name.as_str())),
            Self::Cookie(name) => Lookup::Cookie(Arc::from(name.as_str())),
        })
    }
}

impl Lookup {
    /// What the request has in this place.
    ///
    /// # Errors
    /// That there are several.
    pub fn find<'a>(&self, request: &RequestView<'a>) -> Result<Option<Cow<'a, [u8]>>, Several> {
        match self {
            Self::Header(name) => only(
                request
                    .headers
                    .get_all(name)
                    .iter()
                    .map(|value| Cow::Borrowed(value.as_bytes())),
            ),
            Self::Query(name) => only(
                request
                    .query_pairs()
                    .filter(|(found, _)| *found == **name)
                    .map(|(_, value)| match value {
                        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
                    }),
            ),
            Self::Cookie(name) => only(
                request
                    .cookies()
                    .filter(|(found, _)| *found == name.as_bytes())
                    .map(|(_, value)| Cow::Borrowed(value)),
            ),
        }
    }

    /// Takes what is in this place out of the forwarded request.
    pub fn removal(&self) -> Effect {
        match self {
            Self::Header(name) => Effect::RemoveRequestHeader(name.clone()),
            Self::Query(name) => Effect::RemoveQueryParameter(name.clone()),
            Self::Cookie(name) => Effect::RemoveCookie(name.clone()),
        }
    }
}

fn only<T>(mut items: impl Iterator<Item = T>) -> Result<Option<T>, Several> {
    let first = items.next();
    if items.next().is_some() {
        Err(Several)
    } else {
        Ok(first)
    }
}
