//! # What it does
//! Identifies callers by a token of which the authorization server says whether it is active (RFC 7662).
//!
//! # When to use
//! Tokens are opaque, or a revoked token must stop working before its end.
//!
//! # Example
//! ```yaml
//! - id: token
//!   kind: oauth2_introspection
//!   endpoint: https://id.example.com/introspect
//!   client_id: gateway
//!   client_secret: "${env:INTROSPECTION_SECRET}"
//!   audience: orders
//! ```
//!
//! # On failure
//! 401 with `WWW-Authenticate: Bearer` (RFC 6750). An answer is used for as long as `cache` says and never past the token's `exp`;
//! a revoked token may pass until then. When the server cannot be asked, `on_error` decides.
//!
//! The token is not forwarded; `forward: true` keeps it.

use std::sync::Arc;

use lockgate_config::{Duration, OnError, PolicyEntry, Problem, Secret, Spanned, decode};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::bearer::{self, Found, OneOrMany, TokenPlace};
use crate::endpoint::{ClientCredentials, Endpoint, read_url};
use crate::env::Env;
use crate::facts::{Fact, FactRequest};
use crate::finding::{Finding, Known};
use crate::identity::Identity;
use crate::jose::MAX_TOKEN;
use crate::need::Need;
use crate::place::Place;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::Reason;
use crate::request::RequestView;
use crate::verdict::Verdict;

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "oauth2_introspection",
    phase: Phase::Identify,
    about: "Identifies callers by a token that the authorization server says is active.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: false,
    reasons: &[&MISSING, &MALFORMED, &INACTIVE, &WRONG_AUDIENCE],
    schema: Settings::json_schema,
    compile,
};

static MISSING: Reason = Reason::new(
    "oauth2_introspection.missing",
    401,
    "Token missing",
    "send a token in the field `Authorization`, after `Bearer`",
);
static MALFORMED: Reason = Reason::new(
    "oauth2_introspection.malformed",
    401,
    "Token not readable",
    "send one token of at most 8KiB, as the authorization server gave it",
);
static INACTIVE: Reason = Reason::new(
    "oauth2_introspection.inactive",
    401,
    "Token not accepted",
    "get a new token from the authorization server",
);
static WRONG_AUDIENCE: Reason = Reason::new(
    "oauth2_introspection.wrong_audience",
    401,
    "Token for another audience",
    "ask the authorization server for a token for this API",
);

const USUAL_CACHE: Duration = Duration::from_secs(60);
const USUAL_NEGATIVE_CACHE: Duration = Duration::from_secs(5);
const MAX_CACHE: Duration = Duration::from_secs(3_600);
const MAX_NEGATIVE_CACHE: Duration = Duration::from_secs(60);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The introspection endpoint, an `https://` URL.
    endpoint: Spanned<String>,
    /// The client id by which the gateway proves itself there.
    client_id: Spanned<String>,
    /// Its secret.
    client_secret: Spanned<Secret>,
    /// For whom the tokens are: one of these values must be in `aud`. Any, when it is left out.
    audience: Option<Spanned<OneOrMany>>,
    /// How long an active token is believed without asking again, at most `1h`; `1m` by default.
    cache: Option<Spanned<Duration>>,
    /// How long an inactive token is refused without asking again, at most `1m`; `5s` by default.
    negative_cache: Option<Spanned<Duration>>,
    /// Where the token is sent; `Authorization: Bearer` by default.
    #[serde(default, rename = "in")]
    place: Option<Spanned<Place>>,
    /// Whether the endpoint may be at a private address.
    #[serde(default)]
    allow_private: bool,
    /// Whether the token is forwarded to the service.
    #[serde(default)]
    forward: bool,
}

#[derive(Debug)]
struct Introspection {
    endpoint: [Arc<Endpoint>; 1],
    audiences: Option<Vec<String>>,
    place: TokenPlace,
}

fn compile(entry: &PolicyEntry, compiling: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let mut problems = Vec::new();
    let mut note = |problem| problems.push(problem);
    let url = read_url(&settings.endpoint, settings.allow_private).map_err(&mut note);
    let audiences = settings.audience.as_ref();
    let audiences = audiences
        .map(|audience| OneOrMany::read(audience, "audience"))
        .transpose()
        .map_err(&mut note);
    let place = TokenPlace::compile(settings.place.as_ref(), &entry.span, settings.forward)
        .map_err(&mut note);
    let secret = compiling
        .secret(&settings.client_secret.value, &settings.client_secret.span)
        .map_err(&mut note);
    let keep = within(settings.cache.as_ref(), USUAL_CACHE, MAX_CACHE).map_err(&mut note);
    let keep_negative = within(
        settings.negative_cache.as_ref(),
        USUAL_NEGATIVE_CACHE,
        MAX_NEGATIVE_CACHE,
    )
    .map_err(&mut note);
    match (url, audiences, place, secret, keep, keep_negative) {
        (Ok(url), Ok(audiences), Ok(place), Ok(secret), Ok(keep), Ok(keep_negative))
            if problems.is_empty() =>
        {
            let endpoint = Arc::new(Endpoint {
                url,
                allow_private: settings.allow_private,
                client: Some(ClientCredentials {
                    id: Arc::from(settings.client_id.as_str()),
                    secret: secret.map(Vec::into_boxed_slice),
                }),
                keep,
                keep_negative,
            });
            Ok(Box::new(Introspection {
                endpoint: [endpoint],
                audiences,
                place,
            }))
        }
        _ => Err(problems),
    }
}

fn within(
    setting: Option<&Spanned<Duration>>,
    usual: Duration,
    most: Duration,
) -> Result<std::time::Duration, Problem> {
    match setting {
        None => Ok(usual.get()),
        Some(time) if time.value <= most => Ok(time.get()),
        Some(time) => Err(Problem::new(
            &time.span,
            format!("`{}` is longer than {most}", time.value),
        )
        .help(format!(
            "write at most `{most}`: a revoked token passes for that long"
        ))),
    }
}

impl Introspection {
    fn judge(&self, answer: &Arc<Value>, env: &Env<'_>) -> Verdict {
        let inactive = || Verdict::Deny(bearer::refused(&INACTIVE, "the token is not accepted"));
        match answer.get("active") {
            Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => return inactive(),
            _ => return Verdict::Undecided("the answer does not say `active`".into()),
        }
        for (name, in_time) in [
            ("exp", (|now, time| now < time) as fn(u64, u64) -> bool),
            ("nbf", |now, time| now >= time),
        ] {
            match answer.get(name).map(bearer::micros) {
                None => {}
                Some(Some(time)) if in_time(env.now.0, time) => {}
                Some(Some(_)) => return inactive(),
                Some(None) => return Verdict::Undecided(format!("`{name}` is not a time").into()),
            }
        }
        if let Some(audiences) = &self.audiences {
            let named = answer
                .get("aud")
                .and_then(|claim| bearer::names_audience(claim, audiences));
            if named != Some(true) {
                let refusal = bearer::refused(&WRONG_AUDIENCE, "the token is for another audience");
                return Verdict::Deny(refusal);
            }
        }
        let text = |name: &str| answer.get(name).and_then(Value::as_str);
        let application = text("client_id").and_then(|client| env.directory.client(client));
        if application.is_some_and(|known| known.suspended) {
            return inactive();
        }
        let [endpoint] = &self.endpoint;
        let identity = Identity {
            application: application.cloned(),
            subject: text("sub").or_else(|| text("username")).map(Arc::from),
            issuer: Some(text("iss").map_or_else(|| endpoint.url.clone(), Arc::from)),
            scopes: bearer::scopes(answer.get("scope")),
            claims: Some(answer.clone()),
            method: KIND.name,
        };
        Verdict::Identified(Box::new(identity), self.place.effects())
    }
}

/// The characters of a bearer token (RFC 6750 §2.1), which are also safe in the form that asks for it.
fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    text.len() <= MAX_TOKEN && text.bytes().all(allowed)
}

fn malformed() -> Verdict {
    Verdict::Deny(bearer::refused(&MALFORMED, "the token cannot be read"))
}

impl Policy for Introspection {
    fn evaluate(&self, request: &RequestView<'_>, env: &mut Env<'_>) -> Verdict {
        let token = match self.place.find(request) {
            Found::Nothing => return Verdict::NoCredential(bearer::missing(&MISSING)),
            Found::Token(token) => token,
            Found::Malformed => return malformed(),
        };
        let readable = match env.facts.opaque_token(&token) {
            Known::Sent => is_token(&token),
            Known::Recorded(readable) => *readable,
            Known::Nothing => return env.not_recorded("what the token's issuer says of it"),
        };
        env.facts.note(&token, || Finding::OpaqueToken { readable });
        if !readable {
            return malformed();
        }
        let [endpoint] = &self.endpoint;
        let wanted = FactRequest::Introspection {
            endpoint: endpoint.clone(),
            token: Arc::from(token),
        };
        match env.facts.get(&wanted) {
            None => Verdict::Need(Need::Fact(wanted)),
            Some(Fact::Introspection(answer)) => self.judge(answer, env),
            Some(Fact::Unavailable(why)) => {
                Verdict::Undecided(format!("the token cannot be looked up: {why}").into())
            }
            Some(Fact::Keys(_)) => Verdict::Undecided("the fact is of another sort".into()),
        }
    }

    fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoint
    }
}
