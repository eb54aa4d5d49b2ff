//! # What it does
//! Identifies the calling application by an API key.
//!
//! # When to use
//! Programs call you, and a secret that they send with each request over TLS is enough.
//!
//! # Example
//! ```yaml
//! - { id: key, kind: api_key, in: { header: X-Api-Key } }
//! ```
//!
//! # On failure
//! 401: keys are looked up by their SHA-256 in the directory, so an answer does not tell how much of a key was right (H13).
//!
//! A request that brings several keys is refused: nobody can say which one the service would see.

use http::{HeaderName, HeaderValue, header};
use lockgate_config::{OnError, PolicyEntry, Problem, Spanned, decode};
use schemars::JsonSchema;
use serde::Deserialize;
use std::borrow::Cow;
use std::sync::Arc;

use crate::directory::KeyLookup;
use crate::env::Env;
use crate::identity::Identity;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::Reason;
use crate::request::RequestView;
use crate::verdict::{Effect, Effects, Refusal, Verdict};

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "api_key",
    phase: Phase::Identify,
    about: "Identifies the application by an API key in a header, query parameter or cookie.",
    on_error: OnError::Deny,
    needs_identity: false,
    reasons: &[&MISSING, &INVALID, &EXPIRED],
    schema: Settings::json_schema,
    compile,
};

static MISSING: Reason = Reason::new(
    "api_key.missing",
    401,
    "API key missing",
    "send the application's API key in the place that `WWW-Authenticate` names",
);
static INVALID: Reason = Reason::new(
    "api_key.invalid",
    401,
    "API key not accepted",
    "check the key for typing errors; create a new one in the portal if it was revoked",
);
static EXPIRED: Reason = Reason::new(
    "api_key.expired",
    401,
    "API key expired",
    "create a new key in the portal and use it in place of this one",
);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Where the key is sent; the header `X-Api-Key` by default.
    #[serde(default, rename = "in")]
    place: Option<Spanned<Place>>,
    /// Whether the key is forwarded to the service. It is removed by default.
    #[serde(default)]
    forward: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
enum Place {
    /// A request header.
    Header(String),
    /// A query parameter.
    Query(String),
    /// A cookie.
    Cookie(String),
}

#[derive(Debug)]
enum Lookup {
    Header(HeaderName),
    Query(Arc<str>),
    Cookie(Arc<str>),
}

#[derive(Debug)]
struct ApiKey {
    lookup: Lookup,
    forward: bool,
    challenge: HeaderValue,
}

fn compile(entry: &PolicyEntry, _: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let span = settings
        .place
        .as_ref()
        .map_or(&entry.span, |place| &place.span);
    let place = settings.place.as_ref().map_or_else(
        || Place::Header("X-Api-Key".into()),
        |place| place.value.clone(),
    );
    let (lookup, kind, name) = match place {
        Place::Header(name) => {
            let field = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
                vec![
                    Problem::new(span, format!("`{name}` is not a field name"))
                        .help("write a name such as `X-Api-Key`"),
                ]
            })?;
            (Lookup::Header(field), "header", name)
        }
        Place::Query(name) => (Lookup::Query(Arc::from(name.as_str())), "query", name),
        Place::Cookie(name) => (Lookup::Cookie(Arc::from(name.as_str())), "cookie", name),
    };
    let challenge = HeaderValue::from_str(&format!("ApiKey in=\"{kind}\", name=\"{name}\""));
    let challenge = challenge
        .ok()
        .filter(|_| !name.is_empty() && !name.contains(['"', '\\']));
    let challenge = challenge.ok_or_else(|| {
        vec![Problem::new(
            span,
            format!("`{name}` cannot be the name of a {kind} field"),
        )]
    })?;
    Ok(Box::new(ApiKey {
        lookup,
        forward: settings.forward,
        challenge,
    }))
}

impl ApiKey {
    /// The key of the request; `Err` when there are several.
    fn find<'a>(&self, request: &RequestView<'a>) -> Result<Option<Cow<'a, [u8]>>, ()> {
        match &self.lookup {
            Lookup::Header(name) => only(
                request
                    .headers
                    .get_all(name)
                    .iter()
                    .map(|value| Cow::Borrowed(value.as_bytes())),
            ),
            Lookup::Query(name) => only(
                request
                    .query_pairs()
                    .filter(|(found, _)| *found == **name)
                    .map(|(_, value)| match value {
                        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
                    }),
            ),
            Lookup::Cookie(name) => only(
                request
                    .cookies()
                    .filter(|(found, _)| *found == &**name)
                    .map(|(_, value)| Cow::Borrowed(value.as_bytes())),
            ),
        }
    }

    fn removal(&self) -> Effects {
        let mut effects = Effects::new();
        if !self.forward {
            effects.push(match &self.lookup {
                Lookup::Header(name) => Effect::RemoveRequestHeader(name.clone()),
                Lookup::Query(name) => Effect::RemoveQueryParameter(name.clone()),
                Lookup::Cookie(name) => Effect::RemoveCookie(name.clone()),
            });
        }
        effects
    }

    fn refusal(&self, reason: &'static Reason, detail: &'static str) -> Box<Refusal> {
        let mut refusal = Refusal::new(reason, detail);
        refusal
            .headers
            .push((header::WWW_AUTHENTICATE, self.challenge.clone()));
        Box::new(refusal)
    }
}

/// The only item; `Err` when there are several.
fn only<T>(mut items: impl Iterator<Item = T>) -> Result<Option<T>, ()> {
    let first = items.next();
    if items.next().is_some() {
        Err(())
    } else {
        Ok(first)
    }
}

impl Policy for ApiKey {
    fn evaluate(&self, request: &RequestView<'_>, env: &mut Env<'_>) -> Verdict {
        let key = match self.find(request) {
            Ok(Some(key)) if !key.is_empty() => key,
            Ok(_) => {
                return Verdict::NoCredential(self.refusal(&MISSING, "the request has no API key"));
            }
            Err(()) => {
                return Verdict::Deny(
                    self.refusal(&INVALID, "the request has more than one API key"),
                );
            }
        };
        match env.directory.key(&key, env.now) {
            KeyLookup::Live(application) => Verdict::Identified(
                Box::new(Identity::of_application(application, KIND.name)),
                self.removal(),
            ),
            KeyLookup::Expired => {
                Verdict::Deny(self.refusal(&EXPIRED, "the API key is no longer valid"))
            }
            KeyLookup::Suspended | KeyLookup::Unknown => {
                Verdict::Deny(self.refusal(&INVALID, "the API key is not accepted"))
            }
        }
    }
}
