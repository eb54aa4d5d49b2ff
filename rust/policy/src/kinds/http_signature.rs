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

use std::collections::HashMap;
use std::sync::Arc;

use http::header::{HeaderName, WWW_AUTHENTICATE};
use lockgate_config::{
    ByteSize, Duration, Each, OnError, PolicyEntry, Problem, SignatureKey, Spanned, decode,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::env::Env;
use crate::identity::{Application, Identity};
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::Reason;
use crate::request::{Body, RequestView};
use crate::signature_key::CheckingKey;
use crate::signatures::{DERIVED, Malformed, Unverified, digest_matches};
use crate::time::Timestamp;
use crate::verdict::{Effects, Refusal, Verdict};

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

macro_rules! reason {
    ($name:ident, $code:literal, $title:literal, $remedy:literal) => {
        static $name: Reason = Reason::new($code, 401, $title, $remedy);
    };
}

reason!(
    MISSING,
    "http_signature.missing",
    "Signature missing",
    "sign the request (RFC 9421) as the field `Accept-Signature` says"
);
reason!(
    MALFORMED,
    "http_signature.malformed",
    "Signature not readable",
    "send one signature over whole components, each named once, as RFC 9421 says"
);
reason!(
    INVALID,
    "http_signature.invalid",
    "Signature not accepted",
    "check key, algorithm and the text that was signed"
);
reason!(
    EXPIRED,
    "http_signature.expired",
    "Signature too old",
    "sign each request when it is sent"
);
reason!(
    NOT_YET_VALID,
    "http_signature.not_yet_valid",
    "Signature from the future",
    "set the clock right and sign the request again"
);
reason!(
    COMPONENT_MISSING,
    "http_signature.component_missing",
    "Signature covers too little",
    "sign all components that the field `Accept-Signature` names, and `content-digest` when there is a body"
);
reason!(
    WRONG_DIGEST,
    "http_signature.wrong_digest",
    "Body does not match its digest",
    "compute `Content-Digest` (RFC 9530) over the bytes that are sent"
);

const ACCEPT_SIGNATURE: HeaderName = HeaderName::from_static("accept-signature");
const SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");
const USUAL_COMPONENTS: &[&str] = &["@method", "@target-uri"];
const USUAL_MAX_AGE: Duration = Duration::from_secs(300);
const LONGEST_MAX_AGE: Duration = Duration::from_secs(86_400);
const MAX_LEEWAY: Duration = Duration::from_secs(300);
const USUAL_MAX_BODY: ByteSize = ByteSize::new(1024 * 1024);
const LARGEST_MAX_BODY: ByteSize = ByteSize::new(64 * 1024 * 1024);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// What must be signed: `@method`, `@target-uri`, `@authority`, `@scheme`, `@path`, `@query` and names of fields. `@method` and
    /// `@target-uri` by default; a signed `@target-uri` contains the last four.
    components: Option<Each<Spanned<String>>>,
    /// Keys in place of those of the applications; their callers are known by the `keyid` alone.
    keys: Option<Each<SignatureKey>>,
    /// The greatest age of a signature by its `created`, at most `1d`; `5m` by default.
    max_age: Option<Spanned<Duration>>,
    /// How far the signer's clock may differ, at most `5m`; not at all by default.
    leeway: Option<Spanned<Duration>>,
    /// The `tag` of the signature to look at, when requests carry several.
    tag: Option<Spanned<String>>,
    /// Whether a request with a body must have signed `content-digest`.
    #[serde(default = "yes")]
    require_digest: bool,
    /// The largest body whose digest is checked, at most `64MiB`; `1MiB` by default.
    max_body: Option<Spanned<ByteSize>>,
}

const fn yes() -> bool {
    true
}

#[derive(Debug)]
struct HttpSignature {
    components: Vec<String>,
    keys: HashMap<String, (CheckingKey, Option<Arc<Application>>)>,
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

fn keys(
    settings: &Settings,
    entry: &PolicyEntry,
    compiling: &Compiling<'_>,
    problems: &mut Vec<Problem>,
) -> HashMap<String, (CheckingKey, Option<Arc<Application>>)> {
    let mut named = HashMap::new();
    let mut add = |key: &SignatureKey, application: Option<&Arc<Application>>| {
        let id = key.id.value.clone();
        match CheckingKey::compile(key, compiling) {
            Err(problem) => problems.push(problem),
            Ok(checking) => {
                let value = (checking, application.cloned());
                if named.insert(id, value).is_some() {
                    let message = format!("the key id `{}` stands twice", key.id.value);
                    problems.push(
                        Problem::new(&key.id.span, message).help("give each key an id of its own"),
                    );
                }
            }
        }
    };
    match &settings.keys {
        Some(keys) => keys.iter().for_each(|key| add(key, None)),
        None => {
            for application in &compiling.document.applications {
                let known = compiling.directory.application(&application.id);
                let keys = application.value.signature_keys.iter();
                keys.for_each(|key| add(key, known));
            }
        }
    }
    if named.is_empty() && problems.is_empty() {
        problems.push(
            Problem::new(&entry.span, "no key can check signatures")
                .help("give an application `signature_keys`, or write `keys` here"),
        );
    }
    named
}

fn components(names: Option<&[Spanned<String>]>, problems: &mut Vec<Problem>) -> Vec<String> {
    let Some(names) = names else {
        return USUAL_COMPONENTS
            .iter()
            .map(|name| (*name).to_owned())
            .collect();
    };
    for name in names {
        if name.starts_with('@') {
            if !DERIVED.contains(&name.as_str()) {
                problems.push(Problem::unknown(&name.span, "component", name, DERIVED));
            }
        } else if **name != name.to_ascii_lowercase()
            || HeaderName::from_bytes(name.as_bytes()).is_err()
        {
            let message = format!("`{}` is not a field name in lower case", name.value);
            problems.push(
                Problem::new(&name.span, message).help("write a name such as `content-type`"),
            );
        }
    }
    names.iter().map(|name| name.value.clone()).collect()
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
