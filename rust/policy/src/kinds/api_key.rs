//! # What it does
//! Identifies the calling application by an API key.
//!
//! # When to use
//! Programs call you, and a secret that they send with each request over TLS is enough.
//!
//! # Example
//! ```yaml
//! - { id: key, kind: api_key, in: { header: X-Api-Key } }
//! - { id: bearer, kind: api_key, in: { header: Authorization } }
//! ```
//!
//! # On failure
//! 401: keys are looked up by their SHA-256 in the directory, so an answer does not tell how much of a key was right (H13).
//!
//! In `Authorization` the key stands after `Bearer`, as client libraries of models send it.
//!
//! A request that brings several keys is refused: nobody can say which one the service would see.

use http::{HeaderValue, header};
use lockgate_config::{OnError, PolicyEntry, Problem, Spanned, decode};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::block::blocked;
use crate::directory::{self, KeyLookup};
use crate::env::Env;
use crate::identity::Identity;
use crate::place::{Lookup, Place, Several};
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::{CREDENTIAL_BLOCKED, Reason};
use crate::request::RequestView;
use crate::verdict::{Effects, Refusal, Verdict};

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "api_key",
    phase: Phase::Identify,
    about: "Identifies the application by an API key in a header, query parameter or cookie.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: false,
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

const BEARER_SCHEME: &[u8] = b"bearer ";
/// Where a key stands after the name of a scheme.
const BEARER: Lookup = Lookup::Header(header::AUTHORIZATION);

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
    let lookup = place.compile(span).map_err(|problem| vec![problem])?;
    let (sort, name) = (place.sort(), place.name());
    let challenge = if lookup == BEARER {
        "Bearer".to_owned()
    } else {
        format!("ApiKey in=\"{sort}\", name=\"{name}\"")
    };
    let challenge = HeaderValue::from_str(&challenge).map_err(|_| {
        let message = format!("`{name}` cannot be the name of a {sort} field");
        vec![Problem::new(span, message)]
    })?;
    Ok(Box::new(ApiKey {
        lookup,
        forward: settings.forward,
        challenge,
    }))
}

impl ApiKey {
    /// The key without the name of its scheme; `None` when it is of another scheme.
    fn bare<'a>(&self, value: &'a [u8]) -> Option<&'a [u8]> {
        if self.lookup != BEARER {
            return Some(value);
        }
        let (scheme, key) = value.split_at_checked(BEARER_SCHEME.len())?;
        let key = key.trim_ascii();
        (scheme.eq_ignore_ascii_case(BEARER_SCHEME) && !key.is_empty()).then_some(key)
    }

    fn refusal(&self, reason: &'static Reason, detail: &'static str) -> Box<Refusal> {
        let mut refusal = Refusal::new(reason, detail);
        refusal
            .headers
            .push((header::WWW_AUTHENTICATE, self.challenge.clone()));
        Box::new(refusal)
    }
}

fn removal(lookup: &Lookup, forward: bool) -> Effects {
    if forward {
        Effects::new()
    } else {
        Effects::from_iter([lookup.removal()])
    }
}

impl Policy for ApiKey {
    fn evaluate(&self, request: &RequestView<'_>, env: &mut Env<'_>) -> Verdict {
        let key = match self.lookup.find(request) {
            Ok(Some(key)) if !key.is_empty() => key,
            Ok(_) => {
                return Verdict::NoCredential(self.refusal(&MISSING, "the request has no API key"));
            }
            Err(Several) => {
                return Verdict::Deny(
                    self.refusal(&INVALID, "the request has more than one API key"),
                );
            }
        };
        let Some(key) = self.bare(&key) else {
            return Verdict::NoCredential(self.refusal(&MISSING, "the request has no API key"));
        };
        if env.facts.are_recorded() && directory::holds_mark_among_others(key) {
            return env.not_recorded("the whole key");
        }
        match env.directory.key(key, env.now) {
            KeyLookup::Live(application) => Verdict::Identified(
                Box::new(Identity::of_application(application, KIND.name)),
                removal(&self.lookup, self.forward),
            ),
            KeyLookup::Expired => {
                Verdict::Deny(self.refusal(&EXPIRED, "the API key is no longer valid"))
            }
            KeyLookup::Blocked(until) => Verdict::Deny(blocked(
                &CREDENTIAL_BLOCKED,
                "the API key is not accepted for now",
                until,
                env.now,
            )),
            KeyLookup::Suspended | KeyLookup::Unknown => {
                Verdict::Deny(self.refusal(&INVALID, "the API key is not accepted"))
            }
        }
    }
}
