//! # What it does
//! Identifies callers by a signature over the request (RFC 9421), and checks the body against its signed `Content-Digest` (RFC 9530).
//!
//! # When to use
//! A request must not be changed on its way or made up by someone who has seen another, as with payments and webhooks.
//!
//! # Example
//! ```yaml
//! - { id: signed, kind: http_signature, components: ["@method", "@target-uri"], max_age: 5m }
//! ```
//!
//! # On failure
//! 401 with `Accept-Signature`, which says what to sign. A signature counts only with a `keyid` of the directory (or of `keys`), the
//! algorithm of that key, a `created` that is not older than `max_age`, and all `components`; a request with a body must have signed
//! `content-digest`, unless `require_digest: false`.
//!
//! A `nonce` is signed like everything else but not remembered: within `max_age` a request can be sent again as it is. Make such
//! requests idempotent. Signatures over parts or other forms of a field (`;key`, `;sf`, `;bs`) are refused.

mod reasons;
mod settings;

use std::sync::Arc;

use http::header::{HeaderName, WWW_AUTHENTICATE};
use lockgate_config::{ByteSize, Duration, OnError, PolicyEntry, Problem, Spanned, decode};
use schemars::JsonSchema;

use crate::env::Env;
use crate::identity::Identity;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::Reason;
use crate::request::{Body, RequestView};
use crate::signatures::{Malformed, Unverified, digest_matches};
use crate::time::Timestamp;
use crate::verdict::{Effects, Refusal, Verdict};

use reasons::{
    COMPONENT_MISSING, EXPIRED, INVALID, MALFORMED, MISSING, NOT_YET_VALID, WRONG_DIGEST,
};
use settings::{Keys, Settings, components, keys};

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "http_signature",
    phase: Phase::Identify,
    about: "Identifies callers by a signature over the request.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: false,
    reasons: &[
        &MISSING,
        &MALFORMED,
        &INVALID,
        &EXPIRED,
        &NOT_YET_VALID,
        &COMPONENT_MISSING,
        &WRONG_DIGEST,
    ],
    schema: Settings::json_schema,
    compile,
};

const ACCEPT_SIGNATURE: HeaderName = HeaderName::from_static("accept-signature");
const SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");
const USUAL_MAX_AGE: Duration = Duration::from_secs(300);
const LONGEST_MAX_AGE: Duration = Duration::from_secs(86_400);
const MAX_LEEWAY: Duration = Duration::from_secs(300);
const USUAL_MAX_BODY: ByteSize = ByteSize::new(1024 * 1024);
const LARGEST_MAX_BODY: ByteSize = ByteSize::new(64 * 1024 * 1024);

#[derive(Debug)]
struct HttpSignature {
    components: Vec<String>,
    keys: Keys,
    /// Microseconds.
    max_age: u64,
    /// Microseconds.
    leeway: u64,
    tag: Option<String>,
    require_digest: bool,
    max_body: usize,
    accept: String,
}

fn compile(entry: &PolicyEntry, compiling: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let mut problems = Vec::new();
    let keys = keys(&settings, entry, compiling, &mut problems);
    let components = components(settings.components.as_deref(), &mut problems);
    let mut within = |setting: &Option<Spanned<Duration>>, usual, most: Duration| {
        let Some(time) = setting else { return usual };
        if time.value > most {
            problems.push(
                Problem::new(
                    &time.span,
                    format!("`{}` is longer than {most}", time.value),
                )
                .help(format!("write at most `{most}`")),
            );
        }
        time.as_millis() * 1_000
    };
    let max_age = within(
        &settings.max_age,
        USUAL_MAX_AGE.as_millis() * 1_000,
        LONGEST_MAX_AGE,
    );
    let leeway = within(&settings.leeway, 0, MAX_LEEWAY);
    let max_body = settings.max_body.as_ref();
    if let Some(size) = max_body.filter(|size| size.value > LARGEST_MAX_BODY) {
        problems.push(
            Problem::new(&size.span, format!("`{}` is more than 64MiB", size.value))
                .help("write at most `64MiB`: the body is held in memory"),
        );
    }
    if let Some(tag) = &settings.tag
        && (!tag.bytes().all(|byte| byte.is_ascii_graphic()) || tag.contains(['"', '\\']))
    {
        problems.push(
            Problem::new(&tag.span, format!("`{}` cannot be a tag", tag.value))
                .help("write a name in ASCII without spaces and quotes"),
        );
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut accept = format!("sig=(\"{}\");created", components.join("\" \""));
    if let Some(tag) = &settings.tag {
        accept.push_str(&format!(";tag=\"{}\"", tag.value));
    }
    Ok(Box::new(HttpSignature {
        components,
        keys,
        max_age,
        leeway,
        tag: settings.tag.map(|tag| tag.value),
        require_digest: settings.require_digest,
        max_body: max_body
            .map_or(USUAL_MAX_BODY, |size| size.value)
            .as_usize(),
        accept,
    }))
}

impl HttpSignature {
    fn refusal(&self, reason: &'static Reason, detail: &'static str) -> Box<Refusal> {
        let refusal = Refusal::new(reason, detail)
            .header(WWW_AUTHENTICATE, "Signature")
            .header(ACCEPT_SIGNATURE, &self.accept);
        Box::new(refusal)
    }

    fn deny(&self, reason: &'static Reason, detail: &'static str) -> Verdict {
        Verdict::Deny(self.refusal(reason, detail))
    }

    fn malformed(&self) -> Verdict {
        self.deny(&MALFORMED, "the signature cannot be read")
    }

    /// The times of a signature that was proved.
    fn check_times(&self, signature: &Unverified, now: Timestamp) -> Result<(), Verdict> {
        let micros = |seconds: u64| seconds.saturating_mul(1_000_000);
        let created = micros(signature.created.ok_or_else(|| self.malformed())?);
        if now.0.saturating_add(self.leeway) < created {
            return Err(self.deny(&NOT_YET_VALID, "the signature was made in the future"));
        }
        let by_age = created.saturating_add(self.max_age);
        let end = signature
            .expires
            .map_or(by_age, |end| by_age.min(micros(end)));
        if now.0 >= end.saturating_add(self.leeway) {
            return Err(self.deny(&EXPIRED, "the signature is too old"));
        }
        Ok(())
    }

    /// The body against the digest that was signed.
    fn check_body(&self, signature: &Unverified, request: &RequestView<'_>) -> Result<(), Verdict> {
        if signature.covers("content-digest") {
            let body = request.body_within(self.max_body)?;
            return match digest_matches(request, body) {
                Ok(true) => Ok(()),
                Ok(false) => {
                    Err(self.deny(&WRONG_DIGEST, "the body does not match `Content-Digest`"))
                }
                Err(Malformed) => Err(self.malformed()),
            };
        }
        let empty = || Ok(request.body_within(self.max_body)?.is_empty());
        if !self.require_digest || request.body == Body::Unread(Some(0)) || empty()? {
            return Ok(());
        }
        Err(self.deny(
            &COMPONENT_MISSING,
            "the request has a body and its digest is not signed",
        ))
    }

    fn judge(
        &self,
        signature: &Unverified,
        request: &RequestView<'_>,
        env: &Env<'_>,
    ) -> Result<Verdict, Verdict> {
        let invalid = || self.deny(&INVALID, "the signature is not accepted");
        let id = signature.key.as_deref().ok_or_else(|| self.malformed())?;
        let (key, application) = self.keys.get(id).ok_or_else(invalid)?;
        if signature
            .algorithm
            .as_deref()
            .is_some_and(|named| named != key.algorithm)
        {
            return Err(invalid());
        }
        let base = signature.base(request).map_err(|Malformed| invalid())?;
        match key.verifies(&base, &signature.signature) {
            Some(true) => {}
            Some(false) => return Err(invalid()),
            None => {
                return Ok(Verdict::Undecided(
                    "the secret of the key was not read".into(),
                ));
            }
        }
        // The directory may have changed since this was compiled: what it says now counts.
        let application = match application {
            None => None,
            Some(known) => match env.directory.application(&known.id) {
                Some(now) if !now.suspended => Some(now),
                _ => return Err(invalid()),
            },
        };
        self.check_times(signature, env.now)?;
        if !self.components.iter().all(|name| signature.covers(name)) {
            return Err(self.deny(
                &COMPONENT_MISSING,
                "the signature does not cover everything that it must",
            ));
        }
        self.check_body(signature, request)?;
        let identity = match application {
            Some(application) => Identity::of_application(application.clone(), KIND.name),
            None => Identity {
                application: None,
                subject: Some(Arc::from(id)),
                issuer: None,
                scopes: Arc::default(),
                claims: None,
                method: KIND.name,
            },
        };
        Ok(Verdict::Identified(Box::new(identity), Effects::new()))
    }
}

impl Policy for HttpSignature {
    fn evaluate(&self, request: &RequestView<'_>, env: &mut Env<'_>) -> Verdict {
        if env.facts.are_recorded() && request.headers.contains_key(SIGNATURE_INPUT) {
            return env.not_recorded("the signature");
        }
        match Unverified::read(request, self.tag.as_deref()) {
            Err(Malformed) => self.malformed(),
            Ok(None) => Verdict::NoCredential(self.refusal(&MISSING, "the request is not signed")),
            Ok(Some(signature)) => match self.judge(&signature, request, env) {
                Ok(verdict) | Err(verdict) => verdict,
            },
        }
    }
}
