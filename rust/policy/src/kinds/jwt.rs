//! # What it does
//! Identifies callers by a signed token (RFC 7519) that an issuer you trust made for this API.
//!
//! # When to use
//! People or programs log in at an identity provider, and the token they got there comes with each request.
//!
//! # Example
//! ```yaml
//! - { id: token, kind: jwt, issuer: https://id.example.com, audience: orders, jwks: jwks.json, algorithms: [ES256] }
//! ```
//!
//! # On failure
//! 401 with `WWW-Authenticate: Bearer` (RFC 6750). The rules of RFC 8725 hold: only listed algorithms with public keys, each key
//! for one algorithm; a token cannot choose its key (`jwk`, `jku`, `x5u`, `x5c`) or add rules (`crit`); `iss`, `aud` and `exp` must
//! be there; claims are looked at only after the signature. When the keys cannot be fetched, `on_error` decides.
//!
//! The token is forwarded, because services usually read it; `forward: false` takes it out.

use std::sync::Arc;

use lockgate_config::{Duration, Each, OnError, PolicyEntry, Problem, Spanned, decode};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::bearer::{self, Found, OneOrMany, TokenPlace};
use crate::endpoint::{Endpoint, read_url};
use crate::env::Env;
use crate::facts::{Fact, FactRequest};
use crate::finding::{Finding, Known, TokenEvidence};
use crate::identity::Identity;
use crate::jose::{Distrust, Unverified, media_type};
use crate::keys::{Algorithm, KeySet};
use crate::place::Place;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::Reason;
use crate::request::RequestView;
use crate::time::Timestamp;
use crate::verdict::{Need, Verdict};

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "jwt",
    phase: Phase::Identify,
    about: "Identifies callers by a signed token of an issuer you trust.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: false,
    reasons: &[
        &MISSING,
        &MALFORMED,
        &EXPIRED,
        &NOT_YET_VALID,
        &WRONG_ISSUER,
        &WRONG_AUDIENCE,
        &INVALID,
        &CLAIM_MISSING,
    ],
    schema: Settings::json_schema,
    compile,
};

macro_rules! reason {
    ($name:ident, $code:literal, $title:literal, $remedy:literal) => {
        static $name: Reason = Reason::new($code, 401, $title, $remedy);
    };
}

reason!(
    MISSING,
    "jwt.missing",
    "Token missing",
    "send a token in the field `Authorization`, after `Bearer`"
);
reason!(
    MALFORMED,
    "jwt.malformed",
    "Token not readable",
    "send one signed token (RFC 7519) of at most 8KiB, as the issuer gave it"
);
reason!(
    EXPIRED,
    "jwt.expired",
    "Token expired",
    "get a new token from the issuer"
);
reason!(
    NOT_YET_VALID,
    "jwt.not_yet_valid",
    "Token not yet valid",
    "wait until the token's time has come; compare the clocks of the issuer and of this gateway"
);
reason!(
    WRONG_ISSUER,
    "jwt.wrong_issuer",
    "Token of another issuer",
    "get a token from the issuer that the API's documentation names"
);
reason!(
    WRONG_AUDIENCE,
    "jwt.wrong_audience",
    "Token for another audience",
    "ask the issuer for a token for this API"
);
reason!(
    INVALID,
    "jwt.invalid",
    "Token not accepted",
    "get a new token from the issuer that the API's documentation names"
);
reason!(
    CLAIM_MISSING,
    "jwt.claim_missing",
    "Token lacks a claim",
    "ask the issuer for tokens with all claims that the API's documentation names"
);

const MAX_LEEWAY: u64 = 300_000;
/// How long fetched keys may be used.
const KEEP_KEYS: std::time::Duration = std::time::Duration::from_secs(600);
/// How long a failure to fetch them is remembered.
const KEEP_FAILURE: std::time::Duration = std::time::Duration::from_secs(5);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Who makes the tokens: the exact value of `iss`.
    issuer: Spanned<String>,
    /// For whom the tokens are: one of these values must be in `aud`.
    audience: Spanned<OneOrMany>,
    /// The issuer's public keys (RFC 7517): a file, an `https://` URL, or the set itself.
    jwks: Spanned<Jwks>,
    /// The signature algorithms that the issuer uses.
    #[schemars(with = "Each<Algorithm>")]
    algorithms: Each<Spanned<String>>,
    /// How far the issuer's clock may differ, at most `5m`; not at all by default.
    leeway: Option<Spanned<Duration>>,
    /// Where the token is sent; `Authorization: Bearer` by default.
    #[serde(default, rename = "in")]
    place: Option<Spanned<Place>>,
    /// The claim with the scopes, a list or a text with spaces; `scope`, else `scp`, by default.
    scopes_claim: Option<Spanned<String>>,
    /// The claim that names the application, by its id or one of its `client_ids`; `azp`, else `client_id`, by default.
    application_claim: Option<Spanned<String>>,
    /// Further claims that must be there.
    #[serde(default)]
    required_claims: Each<Spanned<String>>,
    /// The greatest age of a token by its `iat`, which must then be there.
    max_age: Option<Duration>,
    /// The media type that the token's header must name, such as `at+jwt` (RFC 9068).
    #[serde(rename = "type")]
    media_type: Option<Spanned<String>>,
    /// Whether the URL of the keys may lead to a private address.
    #[serde(default)]
    allow_private: bool,
    /// Whether the token is forwarded to the service.
    #[serde(default = "yes")]
    forward: bool,
}

const fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a file, a URL or a JSON Web Key Set")]
enum Jwks {
    /// A file relative to the document, or a URL.
    Elsewhere(String),
    /// The set itself.
    Inline(Map<String, Value>),
}

#[derive(Debug)]
struct Jwt {
    issuer: Arc<str>,
    audiences: Vec<String>,
    keys: Keys,
    algorithms: Vec<Algorithm>,
    leeway: u64,
    place: TokenPlace,
    scopes: Vec<String>,
    application: Vec<String>,
    required: Vec<String>,
    max_age: Option<u64>,
    media_type: Option<String>,
}

#[derive(Debug)]
enum Keys {
    Known(KeySet),
    Fetched([Arc<Endpoint>; 1]),
}

fn compile(entry: &PolicyEntry, compiling: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let mut problems = Vec::new();
    let algorithms = algorithms(&settings.algorithms, &mut problems);
    let mut note = |problem| problems.push(problem);
    let audiences = OneOrMany::read(&settings.audience, "audience").map_err(&mut note);
    let place = TokenPlace::compile(settings.place.as_ref(), &entry.span, settings.forward)
        .map_err(&mut note);
    let keys = keys(&settings, &algorithms, compiling).map_err(&mut note);
    let leeway = settings.leeway.as_ref();
    if let Some(leeway) = leeway.filter(|leeway| leeway.as_millis() > MAX_LEEWAY) {
        note(
            Problem::new(
                &leeway.span,
                format!("a leeway of {} is longer than 5m", leeway.value),
            )
            .help("write at most `5m`; set the clocks right instead"),
        );
    }
    let claims = |chosen: &Option<Spanned<String>>, usual: [&str; 2]| {
        chosen.as_ref().map_or_else(
            || usual.map(str::to_owned).to_vec(),
            |name| vec![name.value.clone()],
        )
    };
    match (audiences, place, keys) {
        (Ok(audiences), Ok(place), Ok(keys)) if problems.is_empty() => Ok(Box::new(Jwt {
            issuer: Arc::from(settings.issuer.as_str()),
            audiences,
            keys,
            algorithms,
            leeway: leeway.map_or(0, |leeway| leeway.as_millis() * 1_000),
            place,
            scopes: claims(&settings.scopes_claim, ["scope", "scp"]),
            application: claims(&settings.application_claim, ["azp", "client_id"]),
            required: settings
                .required_claims
                .iter()
                .map(|name| name.value.clone())
                .collect(),
            max_age: settings.max_age.map(|age| age.as_millis() * 1_000),
            media_type: settings.media_type.map(|text| media_type(&text)),
        })),
        _ => Err(problems),
    }
}

fn algorithms(names: &[Spanned<String>], problems: &mut Vec<Problem>) -> Vec<Algorithm> {
    let mut known = Vec::new();
    for name in names {
        match Algorithm::named(name) {
            Some(algorithm) => known.push(algorithm),
            None if name.starts_with("HS") || name.eq_ignore_ascii_case("none") => problems.push(
                Problem::new(
                    &name.span,
                    format!("`{}` is not a signature with a public key", name.value),
                )
                .help("write an algorithm such as `ES256`, `RS256` or `EdDSA`"),
            ),
            None => problems.push(Problem::unknown(
                &name.span,
                "algorithm",
                name,
                Algorithm::NAMES,
            )),
        }
    }
    known
}

fn keys(
    settings: &Settings,
    algorithms: &[Algorithm],
    compiling: &Compiling<'_>,
) -> Result<Keys, Problem> {
    let span = &settings.jwks.span;
    let text = match &settings.jwks.value {
        Jwks::Elsewhere(url) if url.contains("://") => {
            let url = Spanned {
                span: span.clone(),
                value: url.clone(),
            };
            return Ok(Keys::Fetched([Arc::new(Endpoint {
                url: read_url(&url, settings.allow_private)?,
                allow_private: settings.allow_private,
                client: None,
                keep: KEEP_KEYS,
                keep_negative: KEEP_FAILURE,
            })]));
        }
        Jwks::Elsewhere(file) => compiling.read_file(&Spanned {
            span: span.clone(),
            value: file.clone(),
        })?,
        Jwks::Inline(set) => Value::Object(set.clone()).to_string().into_bytes(),
    };
    let set = KeySet::read(&text).map_err(|message| {
        Problem::new(span, message).help("write the set that the issuer publishes (RFC 7517)")
    })?;
    let serves = |algorithm: &&Algorithm| set.candidates(None, **algorithm).next().is_some();
    match algorithms.iter().find(|algorithm| !serves(algorithm)) {
        None => Ok(Keys::Known(set)),
        Some(without) => Err(Problem::new(
            span,
            format!("the key set has no key for `{without:?}`"),
        )
        .help("list only algorithms of the set's keys; an RSA key says its own in `alg`")),
    }
}

impl Jwt {
    fn judge(&self, keys: &KeySet, token: &Token<'_>, env: &Env<'_>) -> Verdict {
        let deny = |reason, detail| Verdict::Deny(bearer::refused(reason, detail));
        let claims = match token.claims(keys, env) {
            Ok(claims) => claims,
            Err(distrust) => return distrusted(distrust, env),
        };
        if let Err((reason, detail)) = self.check(&claims, env.now) {
            return deny(reason, detail);
        }
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let application = self
            .application
            .iter()
            .find_map(|name| text(name))
            .and_then(|client| env.directory.client(client))
            .cloned();
        if application.as_ref().is_some_and(|known| known.suspended) {
            return deny(&INVALID, "the token is not accepted");
        }
        let scopes = self.scopes.iter().find_map(|name| claims.get(name));
        let identity = Identity {
            application,
            subject: text("sub").map(Arc::from),
            issuer: Some(self.issuer.clone()),
            scopes: bearer::scopes(scopes),
            method: KIND.name,
            claims: Some(claims),
        };
        Verdict::Identified(Box::new(identity), self.place.effects())
    }

    fn check(&self, claims: &Value, now: Timestamp) -> Result<(), (&'static Reason, &'static str)> {
        let missing = (&CLAIM_MISSING, "the token lacks a claim that must be there");
        let malformed = (&MALFORMED, "a claim of the token has the wrong form");
        let time = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(value) => bearer::micros(value).map(Some).ok_or(malformed),
        };
        let issuer = claims.get("iss").ok_or(missing)?;
        if issuer.as_str() != Some(&*self.issuer) {
            return Err((&WRONG_ISSUER, "the token is of another issuer"));
        }
        let audience = claims.get("aud").ok_or(missing)?;
        if !bearer::names_audience(audience, &self.audiences).ok_or(malformed)? {
            return Err((&WRONG_AUDIENCE, "the token is for another audience"));
        }
        if claims
            .get("sub")
            .is_some_and(|subject| !subject.is_string())
        {
            return Err(malformed);
        }
        let expires = time("exp")?.ok_or(missing)?;
        let expired = (&EXPIRED, "the token is no longer valid");
        if now.0 >= expires.saturating_add(self.leeway) {
            return Err(expired);
        }
        let issued = time("iat")?;
        for start in [time("nbf")?, issued].into_iter().flatten() {
            if now.0.saturating_add(self.leeway) < start {
                return Err((&NOT_YET_VALID, "the token is not valid yet"));
            }
        }
        if let Some(age) = self.max_age {
            let end = issued.ok_or(missing)?.saturating_add(age);
            if now.0 >= end.saturating_add(self.leeway) {
                return Err(expired);
            }
        }
        let there = |name: &String| claims.get(name).is_some_and(|value| !value.is_null());
        if !self.required.iter().all(there) {
            return Err(missing);
        }
        Ok(())
    }
}

fn distrusted(distrust: Distrust, env: &Env<'_>) -> Verdict {
    match distrust {
        Distrust::Malformed => {
            Verdict::Deny(bearer::refused(&MALFORMED, "the token cannot be read"))
        }
        Distrust::Invalid => Verdict::Deny(bearer::refused(&INVALID, "the token is not accepted")),
        Distrust::NotRecorded => {
            env.not_recorded("whether a key that is now accepted signed the token")
        }
    }
}

/// A token that was read: its text, or its mark, and the algorithm that its header names.
struct Token<'a> {
    text: &'a str,
    token: Unverified<'a>,
    algorithm: Algorithm,
}

impl<'a> Token<'a> {
    /// Everything that needs no key, so that nobody makes the gateway fetch keys with a token that cannot pass.
    fn read(text: &'a str, jwt: &Jwt, env: &Env<'a>) -> Result<Self, Verdict> {
        let read = match env.facts.token(text) {
            Known::Sent => Unverified::read(text),
            Known::Recorded(token) => Unverified::recorded(token),
            Known::Nothing => return Err(env.not_recorded("what the token says")),
        };
        let token = read.map_err(|distrust| {
            note(env, text, TokenEvidence::default);
            distrusted(distrust, env)
        })?;
        let allowed = token.algorithm(&jwt.algorithms).and_then(|algorithm| {
            if jwt.media_type.is_some() && token.media_type() != jwt.media_type {
                return Err(Distrust::Invalid);
            }
            Ok(algorithm)
        });
        match allowed {
            Ok(algorithm) => Ok(Self {
                text,
                token,
                algorithm,
            }),
            Err(distrust) => {
                note(env, text, || header_of(&token));
                Err(distrusted(distrust, env))
            }
        }
    }

    /// The claims, once a key of the set has proved to have signed them.
    fn claims(&self, keys: &KeySet, env: &Env<'_>) -> Result<Arc<Value>, Distrust> {
        let signer = self.token.signer(keys, self.algorithm);
        let claims = signer.and_then(|_| self.token.claims());
        note(env, self.text, || {
            let thumbprints = self.token.candidates(keys, self.algorithm);
            TokenEvidence {
                signed_by: signer.ok().map(|key| key.thumbprint.clone()),
                tried: match signer {
                    Ok(_) => Vec::new(),
                    Err(_) => thumbprints.map(|key| key.thumbprint.clone()).collect(),
                },
                claims: claims.as_ref().ok().cloned(),
                ..header_of(&self.token)
            }
        });
        claims
    }
}

fn header_of(token: &Unverified<'_>) -> TokenEvidence {
    TokenEvidence {
        header: Some(token.header().clone()),
        ..TokenEvidence::default()
    }
}

fn note(env: &Env<'_>, token: &str, evidence: impl FnOnce() -> TokenEvidence) {
    env.facts.note(token, || Finding::Token(evidence()));
}

impl Policy for Jwt {
    fn evaluate(&self, request: &RequestView<'_>, env: &mut Env<'_>) -> Verdict {
        let text = match self.place.find(request) {
            Found::Nothing => return Verdict::NoCredential(bearer::missing(&MISSING)),
            Found::Malformed => return distrusted(Distrust::Malformed, env),
            Found::Token(token) => token,
        };
        let token = match Token::read(&text, self, env) {
            Ok(token) => token,
            Err(verdict) => return verdict,
        };
        let endpoint = match &self.keys {
            Keys::Known(keys) => return self.judge(keys, &token, env),
            Keys::Fetched([endpoint]) => endpoint.clone(),
        };
        let wanted = FactRequest::Keys { endpoint };
        match env.facts.get(&wanted) {
            None => Verdict::Need(Need::Fact(wanted)),
            Some(Fact::Keys(keys)) => self.judge(keys, &token, env),
            Some(Fact::Unavailable(why)) => {
                note(env, &text, || header_of(&token.token));
                Verdict::Undecided(format!("the issuer's keys are not to be had: {why}").into())
            }
            Some(Fact::Introspection(_)) => {
                Verdict::Undecided("the fact is of another sort".into())
            }
        }
    }

    fn endpoints(&self) -> &[Arc<Endpoint>] {
        match &self.keys {
            Keys::Known(_) => &[],
            Keys::Fetched(endpoint) => endpoint,
        }
    }

    fn key_sets(&self) -> &[Arc<Endpoint>] {
        self.endpoints()
    }
}
