//! # What it does
//! Identifies callers in one of several ways: the first whose credential is in the request decides.
//!
//! # When to use
//! An API takes tokens and keys, for example while callers move from one to the other.
//!
//! # Example
//! ```yaml
//! - id: identify
//!   kind: any_of
//!   of:
//!     - { id: token, kind: jwt, issuer: https://id.example.com, audience: orders, jwks: jwks.json, algorithms: [ES256] }
//!     - { id: key, kind: api_key }
//! ```
//!
//! # On failure
//! A credential that is there and bad is refused at once: another way is not tried. When none is there, it is 401 with the
//! challenges of all.

use std::sync::Arc;

use lockgate_config::{Each, Mode, OnError, Percent, PolicyEntry, Problem, decode};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::endpoint::Endpoint;
use crate::env::Env;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::Reason;
use crate::request::RequestView;
use crate::verdict::{Refusal, Verdict};

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "any_of",
    phase: Phase::Identify,
    about: "Identifies callers in one of several ways; the first whose credential is there decides.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: false,
    reasons: &[&MISSING],
    schema: Settings::json_schema,
    compile,
};

static MISSING: Reason = Reason::new(
    "any_of.missing",
    401,
    "Credential missing",
    "send one of the credentials that the `WWW-Authenticate` fields name",
);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The ways, in the order in which they are tried: policies of the phase `identify`.
    of: Each<PolicyEntry>,
}

#[derive(Debug)]
struct AnyOf {
    ways: Vec<Box<dyn Policy>>,
    endpoints: Vec<Arc<Endpoint>>,
}

fn compile(entry: &PolicyEntry, compiling: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let mut problems = Vec::new();
    let mut ways = Vec::new();
    for inner in settings.of {
        let plain = PolicyEntry {
            mode: Mode::Enforce,
            percent: Percent::ALL,
            when: None,
            on_error: None,
            expires: None,
            emergency: false,
            is_final: false,
            ..inner.clone()
        };
        if inner != plain {
            problems.push(
                Problem::new(
                    &inner.span,
                    "a way to identify has only `id`, `kind` and settings",
                )
                .help("write `mode`, `percent`, `when` and the rest on the `any_of` policy"),
            );
            continue;
        }
        match (compiling.bind)(&inner, compiling) {
            Ok(bound) if bound.kind.phase != Phase::Identify => problems.push(
                Problem::new(
                    &inner.kind.span,
                    format!("`{}` does not identify callers", inner.kind.value),
                )
                .help("list kinds such as `jwt` and `api_key`"),
            ),
            Ok(bound) => ways.push(bound.policy),
            Err(mut found) => problems.append(&mut found),
        }
    }
    if problems.is_empty() {
        let endpoints = ways.iter().flat_map(|way| way.endpoints().to_vec());
        Ok(Box::new(AnyOf {
            endpoints: endpoints.collect(),
            ways,
        }))
    } else {
        Err(problems)
    }
}

impl Policy for AnyOf {
    fn evaluate(&self, request: &RequestView<'_>, env: &mut Env<'_>) -> Verdict {
        let mut missing = Refusal::new(
            &MISSING,
            "the request has none of the credentials that this API takes",
        );
        for way in &self.ways {
            match way.evaluate(request, env) {
                Verdict::NoCredential(refusal) => missing.headers.extend(refusal.headers),
                verdict => return verdict,
            }
        }
        Verdict::NoCredential(Box::new(missing))
    }

    fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }
}
