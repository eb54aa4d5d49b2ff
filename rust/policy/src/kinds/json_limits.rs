//! # What it does
//! Refuses JSON bodies that are made to break parsers: too deep, too long, keys twice or in two cases, `__proto__`.
//!
//! # When to use
//! Everywhere that JSON arrives. Whatever `Content-Type` claims, a body that starts like JSON is checked.
//!
//! # Example
//! ```yaml
//! - { id: json-shape, kind: json_limits, depth: 20 }
//! ```
//!
//! # On failure
//! 400 with the place in the body; 413 for a body larger than `up_to`; 415 for a compressed one, which cannot be checked.

use lockgate_config::{ByteSize, OnError, PolicyEntry, decode};
use lockgate_inspection::json::{self, JsonLimits};
use schemars::JsonSchema;
use serde::Deserialize;
use std::num::NonZeroUsize;

use crate::env::Env;
use crate::payload::{self, ENCODED};
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::{BODY_TOO_LARGE, Reason};
use crate::request::RequestView;
use crate::verdict::Verdict;

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "json_limits",
    phase: Phase::Payload,
    about: "Refuses JSON bodies that are too deep, too large or ambiguous.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: false,
    reasons: &[&REFUSED, &ENCODED, &BODY_TOO_LARGE],
    schema: Settings::json_schema,
    compile,
};

static REFUSED: Reason = Reason::new(
    "json_limits.refused",
    400,
    "JSON not accepted",
    "change the body as `detail` says and send it again",
);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// Open arrays and objects at one point.
    depth: NonZeroUsize,
    /// Items of one array.
    array: NonZeroUsize,
    /// Keys of one object.
    keys: NonZeroUsize,
    /// Bytes of one key.
    key: ByteSize,
    /// Bytes of one string.
    string: ByteSize,
    /// Characters of one number.
    number: NonZeroUsize,
    /// Keys, values and brackets of the whole body.
    tokens: NonZeroUsize,
    /// The largest body.
    up_to: ByteSize,
    /// Whether an object may hold a key twice.
    allow_duplicate_keys: bool,
    /// Whether an object may hold keys that differ only in case.
    allow_case_variant_keys: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let limits = JsonLimits::default();
        let count = |number| NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN);
        Self {
            depth: count(limits.depth),
            array: count(limits.array_items),
            keys: count(limits.object_keys),
            key: ByteSize::new(limits.key_bytes as u64),
            string: ByteSize::new(limits.string_bytes as u64),
            number: count(limits.number_bytes),
            tokens: count(limits.tokens),
            up_to: ByteSize::new(1024 * 1024),
            allow_duplicate_keys: false,
            allow_case_variant_keys: false,
        }
    }
}

#[derive(Debug)]
struct Limits {
    limits: JsonLimits,
    up_to: usize,
}

fn compile(entry: &PolicyEntry, _: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let limits = JsonLimits {
        depth: settings.depth.get(),
        array_items: settings.array.get(),
        object_keys: settings.keys.get(),
        key_bytes: settings.key.as_usize(),
        string_bytes: settings.string.as_usize(),
        number_bytes: settings.number.get(),
        tokens: settings.tokens.get(),
        allow_duplicate_keys: settings.allow_duplicate_keys,
        allow_case_variant_keys: settings.allow_case_variant_keys,
        ..JsonLimits::default()
    };
    Ok(Box::new(Limits {
        limits,
        up_to: settings.up_to.as_usize(),
    }))
}

impl Policy for Limits {
    fn evaluate(&self, request: &RequestView<'_>, _: &mut Env<'_>) -> Verdict {
        let body = match payload::readable_body(request, self.up_to) {
            Ok(body) => body,
            Err(verdict) => return verdict,
        };
        if body.is_empty() || !(payload::claims(request, "json") || json::looks_like_json(body)) {
            return Verdict::Pass;
        }
        match json::check(body, &self.limits) {
            Ok(()) => Verdict::allow(),
            Err(violation) => {
                Verdict::deny(&REFUSED, format!("the JSON body is refused: {violation}"))
            }
        }
    }
}
