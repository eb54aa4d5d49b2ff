//! Whom limits count.

use std::borrow::Cow;
use std::net::IpAddr;

use lockgate_config::{Problem, Spanned};
use sha2::{Digest, Sha256};

use crate::condition::Condition;
use crate::policy::stable_hash;
use crate::request::RequestView;

/// What tells one caller from another.
#[derive(Debug)]
pub enum By {
    /// The application or subject; the address of callers who are not identified.
    Application,
    /// The address; the /64 network of IPv6, which one caller usually has as a whole.
    Address,
    /// Nobody: all callers of the route share.
    Route,
    /// A claim of the token.
    Claim(String),
    /// The value of an expression.
    Expression(Box<Condition>),
}

/// A caller as a counter key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallerKey(pub u64);

impl By {
    /// Reads `by`; absent means the application.
    ///
    /// # Errors
    /// What is wrong with it, at its place.
    pub fn read(text: Option<&Spanned<String>>) -> Result<Self, Problem> {
        Self::read_beside(text, &[])
    }

    /// The same for a policy that knows further keys, which a misspelt one may have meant.
    ///
    /// # Errors
    /// What is wrong with it, at its place.
    pub fn read_beside(text: Option<&Spanned<String>>, further: &[&str]) -> Result<Self, Problem> {
        let Some(text) = text else {
            return Ok(Self::Application);
        };
        match text.as_str() {
            "application" => Ok(Self::Application),
            "address" => Ok(Self::Address),
            "route" => Ok(Self::Route),
            other => match other.split_once(':') {
                Some(("claim", name)) if !name.is_empty() => Ok(Self::Claim(name.to_owned())),
                Some(("cel", expression)) => {
                    let expression = Spanned {
                        span: text.span.clone(),
                        value: expression.trim().to_owned(),
                    };
                    Condition::compile_key(&expression)
                        .map(|condition| Self::Expression(Box::new(condition)))
                }
                _ => {
                    let own = [
                        "application",
                        "address",
                        "route",
                        "claim:NAME",
                        "cel:EXPRESSION",
                    ];
                    let known = [&own, further].concat();
                    Err(Problem::unknown(&text.span, "caller key", other, &known))
                }
            },
        }
    }

    /// The counter key of a request's caller.
    ///
    /// # Errors
    /// Why the caller has none, for operators.
    pub fn key(&self, request: &RequestView<'_>) -> Result<CallerKey, Cow<'static, str>> {
        match self {
            Self::Application => Ok(match request.identity.and_then(crate::Identity::key) {
                // Ids come from the directory, which callers do not write.
                Some(name) => CallerKey(stable_hash(&["application", &name])),
                None => address(request.client),
            }),
            Self::Address => Ok(address(request.client)),
            Self::Route => Ok(CallerKey(0)),
            Self::Claim(name) => {
                let claims = request
                    .identity
                    .and_then(|identity| identity.claims.as_deref());
                match claims.and_then(|claims| claims.get(name)) {
                    Some(serde_json::Value::String(text)) => Ok(hashed(text.as_bytes())),
                    Some(value) if !value.is_null() => Ok(hashed(value.to_string().as_bytes())),
                    _ => Err(format!("the caller has no claim `{name}`").into()),
                }
            }
            Self::Expression(condition) => Ok(hashed(condition.text(request, "")?.as_bytes())),
        }
    }
}

/// Callers choose these values, so the hash must not let them choose a collision with another caller.
fn hashed(text: &[u8]) -> CallerKey {
    let digest = Sha256::digest(text);
    CallerKey(
        digest
            .iter()
            .take(8)
            .fold(0, |key, byte| key << 8 | u64::from(*byte)),
    )
}

fn address(client: IpAddr) -> CallerKey {
    match client.to_canonical() {
        IpAddr::V4(v4) => hashed(&v4.octets()),
        IpAddr::V6(v6) => hashed(&v6.octets()[..8]),
    }
}
