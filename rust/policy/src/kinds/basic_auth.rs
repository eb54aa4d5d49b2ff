//! # What it does
//! Identifies the calling application by a user name and a password (RFC 7617).
//!
//! # When to use
//! Callers can send nothing else. A password travels with each request, so only over TLS; an API key is the better choice.
//!
//! # Example
//! ```yaml
//! - { id: password, kind: basic_auth, realm: orders }
//! ```
//!
//! # On failure
//! 401 with `WWW-Authenticate: Basic`. The answer and the time it takes are the same for an unknown user and a wrong password. The
//! directory holds argon2id hashes (`lockgate keys password` makes one), and a right password is remembered in memory, salted and
//! hashed, so that it is not checked slowly for each request.
//!
//! The password is not forwarded; `forward: true` keeps it.

use base64::Engine as _;
use http::HeaderValue;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use lockgate_config::{OnError, PolicyEntry, Problem, Spanned, decode};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::directory::User;
use crate::env::Env;
use crate::finding::{Finding, Known, PasswordEvidence};
use crate::identity::Identity;
use crate::password::Verifier;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::Reason;
use crate::request::RequestView;
use crate::verdict::{Effect, Effects, Refusal, Verdict};

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "basic_auth",
    phase: Phase::Identify,
    about: "Identifies the application by a user name and a password.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: false,
    reasons: &[&MISSING, &INVALID],
    schema: Settings::json_schema,
    compile,
};

static MISSING: Reason = Reason::new(
    "basic_auth.missing",
    401,
    "User name and password missing",
    "send the user name and password in the field `Authorization`, after `Basic` (RFC 7617)",
);
static INVALID: Reason = Reason::new(
    "basic_auth.invalid",
    401,
    "User name or password not accepted",
    "check both for typing errors; ask the API's owner for a new password",
);

/// The longest credential, in bytes of its encoded form.
const MAX_CREDENTIAL: usize = 1_024;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// What the password opens, as callers are told; the policy's `id` by default.
    realm: Option<Spanned<String>>,
    /// Whether user name and password are forwarded to the service.
    #[serde(default)]
    forward: bool,
}

#[derive(Debug)]
struct BasicAuth {
    challenge: HeaderValue,
    forward: bool,
    verifier: Verifier,
}

fn compile(entry: &PolicyEntry, compiling: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let realm = settings.realm.as_ref().unwrap_or(&entry.id);
    let challenge = HeaderValue::from_str(&format!(
        "Basic realm=\"{}\", charset=\"UTF-8\"",
        realm.value
    ));
    let plain = realm.is_ascii() && !realm.contains(['"', '\\']);
    match challenge {
        Ok(challenge) if plain => Ok(Box::new(BasicAuth {
            challenge,
            forward: settings.forward,
            verifier: Verifier::new(compiling.directory.typical_password()),
        })),
        _ => Err(vec![
            Problem::new(&realm.span, format!("`{}` cannot be a realm", realm.value))
                .help("write a name in ASCII without quotes, such as `orders`"),
        ]),
    }
}

/// A user name and a password.
struct Credential {
    user: String,
    password: String,
}

/// The encoded credential of a request: none when there is no `Basic`, `Err` when there are several fields.
fn find<'a>(request: &RequestView<'a>) -> Result<Option<&'a str>, ()> {
    let mut values = request.headers.get_all(AUTHORIZATION).iter();
    let Some(first) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(());
    }
    let text = first.to_str().map_err(|_| ())?;
    let (scheme, encoded) = text.split_once(' ').unwrap_or((text, ""));
    let is_basic = scheme.eq_ignore_ascii_case("basic");
    Ok(is_basic.then(|| encoded.trim_matches(' ')))
}

fn read(encoded: &str) -> Option<Credential> {
    if encoded.len() > MAX_CREDENTIAL {
        return None;
    }
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded);
    let text = String::from_utf8(bytes.ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    // RFC 7617 §2: neither holds control characters.
    if text.contains(char::is_control) {
        return None;
    }
    Some(Credential {
        user: user.to_owned(),
        password: password.to_owned(),
    })
}

impl BasicAuth {
    fn refusal(&self, reason: &'static Reason, detail: &'static str) -> Box<Refusal> {
        let mut refusal = Refusal::new(reason, detail);
        refusal
            .headers
            .push((WWW_AUTHENTICATE, self.challenge.clone()));
        Box::new(refusal)
    }
}

impl BasicAuth {
    /// Checks the password. Unknown users take as long as known ones.
    fn check(&self, encoded: &str, env: &Env<'_>) -> Option<PasswordEvidence> {
        let Credential { user, password } = read(encoded)?;
        let known = env.directory.user(&user);
        let hash = known.map(|known| &*known.hash);
        let right = self.verifier.is_right(&user, password.as_bytes(), hash);
        Some(PasswordEvidence {
            user: user.into(),
            compared: known.map(User::hash_of_hash),
            right,
        })
    }
}

impl Policy for BasicAuth {
    fn evaluate(&self, request: &RequestView<'_>, env: &mut Env<'_>) -> Verdict {
        let unreadable =
            || Verdict::Deny(self.refusal(&INVALID, "the user name and password cannot be read"));
        let encoded = match find(request) {
            Ok(Some(encoded)) => encoded,
            Ok(None) => {
                return Verdict::NoCredential(
                    self.refusal(&MISSING, "the request has no user name and password"),
                );
            }
            Err(()) => return unreadable(),
        };
        let checked = match env.facts.password(encoded) {
            Known::Sent => self.check(encoded, env),
            Known::Recorded(checked) => checked.clone(),
            Known::Nothing => return env.not_recorded("whether the password is right"),
        };
        env.facts
            .note(encoded, || Finding::Password(checked.clone()));
        let Some(checked) = checked else {
            return unreadable();
        };
        let known = env.directory.user(&checked.user);
        if known.is_some_and(|known| Some(known.hash_of_hash()) != checked.compared) {
            return env.not_recorded("whether the password is the new one of the user");
        }
        match known {
            Some(known) if checked.right && !known.application.suspended => {
                let mut effects = Effects::new();
                if !self.forward {
                    effects.push(Effect::RemoveRequestHeader(AUTHORIZATION));
                }
                let mut identity = Identity::of_application(known.application.clone(), KIND.name);
                identity.subject = Some(known.name.clone());
                Verdict::Identified(Box::new(identity), effects)
            }
            _ => Verdict::Deny(
                self.refusal(&INVALID, "the user name or the password is not accepted"),
            ),
        }
    }
}

#[cfg(test)]
#[path = "basic_auth_fuzz.rs"]
mod fuzz;
