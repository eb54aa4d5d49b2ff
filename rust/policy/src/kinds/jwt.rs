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

mod reasons;
mod settings;
mod token;

use std::sync::Arc;

use lockgate_config::{OnError, PolicyEntry, Problem, Spanned, decode};
use schemars::JsonSchema;
use serde_json::Value;

use crate::bearer::{self, Found, OneOrMany, TokenPlace};
use crate::endpoint::Endpoint;
use crate::env::Env;
use crate::facts::{Fact, FactRequest};
use crate::identity::Identity;
use crate::jose::{Distrust, media_type};
use crate::keys::{Algorithm, KeySet};
use crate::need::Need;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::Reason;
use crate::request::RequestView;
use crate::time::Timestamp;
use crate::verdict::Verdict;

use reasons::{
    CLAIM_MISSING, EXPIRED, INVALID, MALFORMED, MISSING, NOT_YET_VALID, WRONG_AUDIENCE,
    WRONG_ISSUER,
};
use settings::{Keys, Settings, algorithms, keys};
use token::{Token, distrusted};

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

const MAX_LEEWAY: u64 = 300_000;

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

impl Policy for Jwt {
    fn evaluate(&self, request: &RequestView<'_>, env: &mut Env<'_>) -> Verdict {
        let text = match self.place.find(request) {
            Found::Nothing => return Verdict::NoCredential(bearer::missing(&MISSING)),
            Found::Malformed => return distrusted(Distrust::Malformed, env),
            Found::Token(token) => token,
        };
        let token = match Token::read(&text, &self.algorithms, self.media_type.as_deref(), env) {
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
                token.note_untried(env);
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
