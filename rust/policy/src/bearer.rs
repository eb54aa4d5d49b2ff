//! Bearer tokens (RFC 6750): where they stand in a request and how their lack is answered.

use std::sync::Arc;

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use lockgate_config::{Problem, Span, Spanned};

use crate::place::{Lookup, Place, Several};
use crate::reason::Reason;
use crate::request::RequestView;
use crate::verdict::{Effects, Refusal};

/// Where a token stands: in `Authorization` after `Bearer`, elsewhere alone.
#[derive(Debug)]
pub struct TokenPlace {
    lookup: Lookup,
    forward: bool,
}

/// What a request has in the place of the token.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing, or a credential of another scheme.
    Nothing,
    /// A token.
    Token(String),
    /// Something that is no token, or several.
    Malformed,
}

impl TokenPlace {
    /// Checks the place; `Authorization` when the document names none.
    ///
    /// # Errors
    /// What is wrong with its name.
    pub fn compile(
        place: Option<&Spanned<Place>>,
        span: &Span,
        forward: bool,
    ) -> Result<Self, Problem> {
        let lookup = match place {
            None => Place::Header(AUTHORIZATION.to_string()).compile(span)?,
            Some(place) => place.value.compile(&place.span)?,
        };
        Ok(Self { lookup, forward })
    }

    /// The token of a request.
    pub fn find(&self, request: &RequestView<'_>) -> Found {
        let value = match self.lookup.find(request) {
            Ok(Some(value)) if !value.is_empty() => value,
            Ok(_) => return Found::Nothing,
            Err(Several) => return Found::Malformed,
        };
        let Ok(text) = std::str::from_utf8(&value) else {
            return Found::Malformed;
        };
        if self.lookup != Lookup::Header(AUTHORIZATION) {
            return Found::Token(text.to_owned());
        }
        match text.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                match token.trim_matches(' ') {
                    "" => Found::Malformed,
                    token => Found::Token(token.to_owned()),
                }
            }
            None if text.eq_ignore_ascii_case("bearer") => Found::Malformed,
            _ => Found::Nothing,
        }
    }

    /// Takes the token out of the forwarded request, unless the service is to have it.
    pub fn effects(&self) -> Effects {
        if self.forward {
            Effects::new()
        } else {
            Effects::from_iter([self.lookup.removal()])
        }
    }
}

/// The refusal of a request without a token: a challenge without an error code (RFC 6750 §3.1).
pub fn missing(reason: &'static Reason) -> Box<Refusal> {
    let refusal = Refusal::new(reason, "the request has no bearer token");
    Box::new(refusal.header(WWW_AUTHENTICATE, "Bearer"))
}

/// The refusal of a token, for a text without quotes.
pub fn refused(reason: &'static Reason, detail: &'static str) -> Box<Refusal> {
    let challenge = format!("Bearer error=\"invalid_token\", error_description=\"{detail}\"");
    Box::new(Refusal::new(reason, detail).header(WWW_AUTHENTICATE, &challenge))
}

/// The scopes of a claim: a text with spaces between (RFC 8693 §4.2) or a list.
pub fn scopes(claim: Option<&serde_json::Value>) -> Arc<[String]> {
    match claim {
        Some(serde_json::Value::String(text)) => {
            text.split_ascii_whitespace().map(str::to_owned).collect()
        }
        Some(serde_json::Value::Array(items)) => items
            .iter()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect(),
        _ => Arc::default(),
    }
}

/// Whether an audience claim, a text or a list (RFC 7519 §4.1.3), names one of `audiences`; `None` when it is neither.
pub fn names_audience(claim: &serde_json::Value, audiences: &[String]) -> Option<bool> {
    let ours = |text: &str| audiences.iter().any(|audience| audience == text);
    match claim {
        serde_json::Value::String(text) => Some(ours(text)),
        serde_json::Value::Array(items) => {
            let texts: Option<Vec<&str>> = items.iter().map(serde_json::Value::as_str).collect();
            Some(texts?.into_iter().any(ours))
        }
        _ => None,
    }
}

/// A `NumericDate` (RFC 7519 §2), possibly with a fraction, in microseconds.
pub fn micros(value: &serde_json::Value) -> Option<u64> {
    if let Some(seconds) = value.as_u64() {
        return Some(seconds.saturating_mul(1_000_000));
    }
    let seconds = value.as_f64().filter(|seconds| *seconds >= 0.0)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and a float too large becomes the largest number"
    )]
    Some((seconds * 1e6) as u64)
}

/// One text or several.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(untagged, expecting = "expected a text or a list of texts")]
pub enum OneOrMany {
    /// One.
    One(#[schemars(length(min = 1))] String),
    /// Several; not empty.
    Many(#[schemars(length(min = 1))] Vec<String>),
}

impl OneOrMany {
    /// All of them.
    ///
    /// # Errors
    /// That there is none, or that one is empty.
    pub fn read(setting: &Spanned<Self>, name: &str) -> Result<Vec<String>, Problem> {
        let texts = match &setting.value {
            Self::One(text) => vec![text.clone()],
            Self::Many(texts) => texts.clone(),
        };
        if texts.is_empty() || texts.iter().any(String::is_empty) {
            return Err(Problem::new(&setting.span, format!("`{name}` is empty"))
                .help("write at least one value; empty is never \"all\""));
        }
        Ok(texts)
    }
}

#[cfg(test)]
#[path = "bearer_fuzz.rs"]
mod fuzz;
