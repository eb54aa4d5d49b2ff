//! # What it does
//! Identifies the calling application by the client certificate of its TLS connection.
//!
//! # When to use
//! Programs of partners or of your own platform hold certificates, and a stolen secret must not be enough.
//!
//! # Example
//! ```yaml
//! - { id: partner, kind: mtls, names: ["dns:*.partner.example"] }
//! ```
//!
//! # On failure
//! 401: the listener has verified the certificate against its authorities; this policy finds the application that the directory
//! lists for its fingerprint, else for one of its names. With `names`, a certificate must also carry one of them: an authority that
//! issues for many must not let all of them in.

use http::HeaderValue;
use http::header::WWW_AUTHENTICATE;
use lockgate_config::{Each, OnError, PolicyEntry, Problem, Spanned, decode};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::block::blocked;
use crate::env::Env;
use crate::identity::Identity;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::{CREDENTIAL_BLOCKED, Reason};
use crate::request::RequestView;
use crate::verdict::{Effects, Refusal, Verdict};

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "mtls",
    phase: Phase::Identify,
    about: "Identifies the application by its client certificate.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: false,
    reasons: &[&MISSING, &UNKNOWN],
    schema: Settings::json_schema,
    compile,
};

static MISSING: Reason = Reason::new(
    "mtls.missing",
    401,
    "Client certificate missing",
    "connect with the application's client certificate",
);
static UNKNOWN: Reason = Reason::new(
    "mtls.unknown",
    401,
    "Client certificate not accepted",
    "ask the API's owner to list the certificate for your application",
);

/// No scheme is registered for certificates, and RFC 9110 §15.5.2 wants a challenge.
const CHALLENGE: HeaderValue = HeaderValue::from_static("ClientCertificate");
const SORTS: [&str; 3] = ["dns:", "uri:", "email:"];

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Names of which a certificate must carry one: `dns:host`, `uri:spiffe://…` or `email:…`, with at most one `*`, which in a host
    /// stands for one label. Any name, when it is left out.
    #[serde(default)]
    names: Each<Spanned<String>>,
}

#[derive(Debug)]
struct Mtls(Vec<Pattern>);

/// A name with at most one `*`.
#[derive(Debug)]
struct Pattern {
    start: String,
    end: Option<String>,
}

fn compile(entry: &PolicyEntry, _: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let mut problems = Vec::new();
    let mut patterns = Vec::new();
    for name in settings.names {
        match Pattern::read(&name) {
            Ok(pattern) => patterns.push(pattern),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        Ok(Box::new(Mtls(patterns)))
    } else {
        Err(problems)
    }
}

impl Pattern {
    fn read(name: &Spanned<String>) -> Result<Self, Problem> {
        let rest = SORTS.iter().find_map(|sort| name.strip_prefix(sort));
        let Some(rest) = rest.filter(|rest| !rest.is_empty()) else {
            let message = format!("`{}` is not a subject alternative name", name.value);
            return Err(Problem::new(&name.span, message)
                .help("write `dns:host`, `uri:spiffe://…` or `email:…`"));
        };
        if rest == "*" || rest.matches('*').count() > 1 {
            let message = format!("`{}` stands for too much", name.value);
            return Err(Problem::new(&name.span, message)
                .help("write at most one `*`, beside other characters; leave `names` out to accept every listed certificate"));
        }
        Ok(match name.split_once('*') {
            None => Self {
                start: name.value.clone(),
                end: None,
            },
            Some((start, end)) => Self {
                start: start.to_owned(),
                end: Some(end.to_owned()),
            },
        })
    }

    fn matches(&self, name: &str) -> bool {
        let Some(end) = &self.end else {
            return name == self.start;
        };
        let middle = name
            .strip_prefix(self.start.as_str())
            .and_then(|rest| rest.strip_suffix(end.as_str()));
        middle.is_some_and(|middle| {
            let one_label = !name.starts_with("dns:") || !middle.contains('.');
            one_label && !middle.is_empty()
        })
    }
}

fn refusal(reason: &'static Reason, detail: &'static str) -> Box<Refusal> {
    let mut refusal = Refusal::new(reason, detail);
    refusal.headers.push((WWW_AUTHENTICATE, CHALLENGE));
    Box::new(refusal)
}

impl Policy for Mtls {
    fn evaluate(&self, request: &RequestView<'_>, env: &mut Env<'_>) -> Verdict {
        let Some(certificate) = request.certificate else {
            let refusal = refusal(&MISSING, "the connection has no client certificate");
            return Verdict::NoCredential(refusal);
        };
        let mut names = certificate.names.iter();
        let accepted = self.0.is_empty()
            || names.any(|name| self.0.iter().any(|pattern| pattern.matches(name)));
        let known = env.directory.certificate(certificate);
        if known.is_some()
            && let Some(until) = env.directory.blocked_until(&certificate.sha256, env.now)
        {
            let detail = "the client certificate is not accepted for now";
            return Verdict::Deny(blocked(&CREDENTIAL_BLOCKED, detail, until, env.now));
        }
        match known {
            Some(application) if accepted && !application.suspended => {
                let identity = Identity::of_application(application.clone(), KIND.name);
                Verdict::Identified(Box::new(identity), Effects::new())
            }
            _ => Verdict::Deny(refusal(&UNKNOWN, "the client certificate is not accepted")),
        }
    }
}
