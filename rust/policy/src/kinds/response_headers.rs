//! # What it does
//! Gives every answer, refusals included, the fields that tell browsers to be careful, and removes those that tell strangers
//! what the service is made of.
//!
//! # When to use
//! Always; the defaults suit an API. What the service says itself counts before a default, and after what the document says.
//!
//! # Example
//! ```yaml
//! - { id: harden, kind: response_headers }
//! - { id: harden, kind: response_headers, frame_options: off, content_security_policy: "default-src 'self'", remove: [Server] }
//! ```
//!
//! # On failure
//! It never refuses. `when` sees no caller, and `percent` counts addresses. Among the policies of the whole gateway it holds also for
//! requests that no route takes (404, 405, 400); host and path of a malformed one are empty.

use http::{HeaderName, HeaderValue};
use lockgate_config::{Each, OnError, PolicyEntry, Problem, Spanned, decode};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::env::Env;
use crate::kinds::headers::field;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::request::RequestView;
use crate::verdict::{Effect, ResponseEdit, Verdict};

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "response_headers",
    phase: Phase::Response,
    about: "Gives every answer security headers, and removes those that tell what the service is made of.",
    on_error: OnError::Allow,
    needs_identity: false,
    needs_prompt: false,
    reasons: &[],
    schema: Settings::json_schema,
    compile,
};

/// A value that takes a field out of the policy.
const OFF: &str = "off";

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// `Strict-Transport-Security`, over `https` only; `max-age=31536000` by default, `off` for none.
    strict_transport_security: Option<Spanned<String>>,
    /// `X-Content-Type-Options`; `nosniff` by default, `off` for none.
    content_type_options: Option<Spanned<String>>,
    /// `Referrer-Policy`; `no-referrer` by default, `off` for none.
    referrer_policy: Option<Spanned<String>>,
    /// `X-Frame-Options`; `DENY` by default, `off` for none.
    frame_options: Option<Spanned<String>>,
    /// `Content-Security-Policy`; `frame-ancestors 'none'` by default, `off` for none.
    content_security_policy: Option<Spanned<String>>,
    /// `Permissions-Policy`; none by default.
    permissions_policy: Option<Spanned<String>>,
    /// `Cross-Origin-Opener-Policy`; none by default.
    cross_origin_opener_policy: Option<Spanned<String>>,
    /// `Cross-Origin-Resource-Policy`; none by default.
    cross_origin_resource_policy: Option<Spanned<String>>,
    /// Fields that are removed; `Server`, `X-Powered-By`, `X-AspNet-Version` and `X-AspNetMvc-Version` by default, `[off]` for
    /// none.
    remove: Option<Each<Spanned<String>>>,
}

const REMOVED: &[&str] = &[
    "server",
    "x-powered-by",
    "x-aspnet-version",
    "x-aspnetmvc-version",
];

#[derive(Debug)]
struct ResponseHeaders {
    edits: Vec<ResponseEdit>,
    over_https: Option<ResponseEdit>,
}

fn compile(entry: &PolicyEntry, _: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let mut problems = Vec::new();
    let mut edits = removals(settings.remove.as_deref(), &mut problems);
    let mut read = |name: &'static str, default, written: Option<&Spanned<String>>| {
        let name = HeaderName::from_static(name);
        edit(name, default, written).unwrap_or_else(|problem| {
            problems.push(problem);
            None
        })
    };
    let over_https = read(
        "strict-transport-security",
        Some("max-age=31536000"),
        settings.strict_transport_security.as_ref(),
    );
    for (name, default, written) in [
        (
            "x-content-type-options",
            Some("nosniff"),
            &settings.content_type_options,
        ),
        (
            "referrer-policy",
            Some("no-referrer"),
            &settings.referrer_policy,
        ),
        ("x-frame-options", Some("DENY"), &settings.frame_options),
        (
            "content-security-policy",
            Some("frame-ancestors 'none'"),
            &settings.content_security_policy,
        ),
        ("permissions-policy", None, &settings.permissions_policy),
        (
            "cross-origin-opener-policy",
            None,
            &settings.cross_origin_opener_policy,
        ),
        (
            "cross-origin-resource-policy",
            None,
            &settings.cross_origin_resource_policy,
        ),
    ] {
        edits.extend(read(name, default, written.as_ref()));
    }
    if problems.is_empty() && edits.is_empty() && over_https.is_none() {
        let message = format!("the policy `{}` changes nothing", entry.id.value);
        problems.push(
            Problem::new(&entry.span, message).help("leave a field on, or write `mode: off`"),
        );
    }
    if problems.is_empty() {
        Ok(Box::new(ResponseHeaders { edits, over_https }))
    } else {
        Err(problems)
    }
}

/// What the document says replaces what the service says; a default gives way to it.
fn edit(
    name: HeaderName,
    default: Option<&'static str>,
    written: Option<&Spanned<String>>,
) -> Result<Option<ResponseEdit>, Problem> {
    let Some(written) = written else {
        let value = default.map(HeaderValue::from_static);
        return Ok(value.map(|value| ResponseEdit::Default(name, value)));
    };
    if written.as_str() == OFF {
        return Ok(None);
    }
    match HeaderValue::from_str(written) {
        Ok(value) => check(&name, written).map(|()| Some(ResponseEdit::Set(name, value))),
        _ => Err(Problem::new(
            &written.span,
            format!("`{}` is not a value of `{name}`", written.value),
        )
        .help("write the value of the field, or `off`")),
    }
}

/// Browsers take no notice of a value that they do not know, and nobody sees that it protects nothing.
fn check(name: &HeaderName, written: &Spanned<String>) -> Result<(), Problem> {
    let valid: &[&str] = match name.as_str() {
        "x-content-type-options" => &["nosniff"],
        "x-frame-options" => &["DENY", "SAMEORIGIN"],
        "referrer-policy" => &[
            "no-referrer",
            "no-referrer-when-downgrade",
            "origin",
            "origin-when-cross-origin",
            "same-origin",
            "strict-origin",
            "strict-origin-when-cross-origin",
            "unsafe-url",
        ],
        "cross-origin-resource-policy" => &["same-origin", "same-site", "cross-origin"],
        "strict-transport-security" => {
            let seconds = written
                .split(';')
                .find_map(|part| part.trim().strip_prefix("max-age="));
            return if seconds.is_some_and(|seconds| seconds.parse::<u64>().is_ok()) {
                Ok(())
            } else {
                let message = format!("`{}` has no `max-age` in seconds", written.value);
                Err(Problem::new(&written.span, message)
                    .help("write a value such as `max-age=31536000; includeSubDomains`, or `off`"))
            };
        }
        _ => return Ok(()),
    };
    // A list of referrer policies is a fallback for old browsers: each must be known.
    let known = |value: &str| {
        valid
            .iter()
            .any(|known| known.eq_ignore_ascii_case(value.trim()))
    };
    match written.split(',').find(|value| !known(value)) {
        None => Ok(()),
        Some(unknown) => {
            let what = format!("value of `{name}`");
            Err(Problem::unknown(
                &written.span,
                &what,
                unknown.trim(),
                valid,
            ))
        }
    }
}

fn removals(written: Option<&[Spanned<String>]>, problems: &mut Vec<Problem>) -> Vec<ResponseEdit> {
    let Some(written) = written else {
        let names = REMOVED.iter().copied().map(HeaderName::from_static);
        return names.map(ResponseEdit::Remove).collect();
    };
    if let [only] = written
        && only.as_str() == OFF
    {
        return Vec::new();
    }
    let mut edits = Vec::new();
    for name in written {
        match field(name) {
            Ok(name) => edits.push(ResponseEdit::Remove(name)),
            Err(message) => problems.push(Problem::new(&name.span, message)),
        }
    }
    edits
}

impl Policy for ResponseHeaders {
    fn opens(&self) -> bool {
        true
    }

    fn evaluate(&self, request: &RequestView<'_>, _: &mut Env<'_>) -> Verdict {
        // RFC 6797 §7.2: not over plain HTTP, where anyone could have written it.
        let over_https = self.over_https.iter().filter(|_| request.scheme == "https");
        let edits = self.edits.iter().chain(over_https).cloned();
        Verdict::Allow(edits.map(Effect::Response).collect())
    }
}
