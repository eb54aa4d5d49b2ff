//! # What it does
//! Refuses requests that carry attacks: SQL injection, cross-site scripting, path traversal, command injection, log4shell and
//! addresses of the inside (SSRF). It looks at path, query, headers, cookies, and form, JSON and XML bodies.
//!
//! # When to use
//! In front of services that were not written by you, or not yesterday. Begin with `mode: shadow` and see whom it would refuse.
//!
//! # Example
//! ```yaml
//! - { id: injections, kind: payload_guard, mode: shadow, classes: [sql_injection, log4shell] }
//! ```
//!
//! # On failure
//! 403 with the name of the field, never its value. A body that says it is JSON or XML and is neither is refused with 400: what
//! cannot be looked at is not forwarded. Bodies of other types are not looked at.

use std::fmt;

use http::header;
use lockgate_config::{ByteSize, Each, OnError, PolicyEntry, Problem, decode};
use lockgate_inspection::injection::{
    Class, Engine, Field, Inspection, Location, PackSettings, RulePack, Sensitivity, show_cookies,
    show_form, show_json, show_query, show_xml,
};
use lockgate_inspection::{json, xml};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::env::Env;
use crate::payload::{self, ENCODED};
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::{BODY_TOO_LARGE, Reason};
use crate::request::RequestView;
use crate::verdict::Verdict;

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "payload_guard",
    phase: Phase::Payload,
    about: "Refuses requests that carry attacks such as SQL injection, cross-site scripting and log4shell.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: false,
    reasons: &[&ATTACK, &UNREADABLE, &ENCODED, &BODY_TOO_LARGE],
    schema: Settings::json_schema,
    compile,
};

static ATTACK: Reason = Reason::new(
    "payload_guard.attack",
    403,
    "Looks like an attack",
    "write the field that `detail` names in other words; tell the API's owner when the value is right",
);
static UNREADABLE: Reason = Reason::new(
    "payload_guard.unreadable",
    400,
    "Body cannot be read",
    "send a body of the type that `Content-Type` says",
);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The attacks that are looked for; all by default.
    classes: Option<Each<Class>>,
    /// Whether also what only may be an attack is refused. Expect false alarms on prose and code.
    #[serde(default)]
    strict: bool,
    /// The largest body.
    #[serde(default = "up_to")]
    up_to: ByteSize,
}

const fn up_to() -> ByteSize {
    ByteSize::new(1024 * 1024)
}

struct Guard {
    engine: Box<dyn Engine>,
    up_to: usize,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.engine.name(), self.engine.version())
    }
}

fn compile(entry: &PolicyEntry, _: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let pack = PackSettings {
        classes: settings
            .classes
            .map_or_else(|| Class::ALL.to_vec(), |classes| classes.to_vec()),
        sensitivity: if settings.strict {
            Sensitivity::Strict
        } else {
            Sensitivity::Standard
        },
    };
    match RulePack::own(&pack) {
        Ok(pack) => Ok(Box::new(Guard {
            engine: Box::new(pack),
            up_to: settings.up_to.as_usize(),
        })),
        Err(error) => Err(vec![Problem::new(&entry.span, error.to_string())]),
    }
}

impl Policy for Guard {
    fn evaluate(&self, request: &RequestView<'_>, _: &mut Env<'_>) -> Verdict {
        let body = match payload::readable_body(request, self.up_to) {
            Ok(body) => body,
            Err(verdict) => return verdict,
        };
        let mut inspection = self.engine.begin();
        show_head(&mut *inspection, request);
        if let Err(why) = show_body(&mut *inspection, request, body) {
            return Verdict::deny(&UNREADABLE, why);
        }
        match inspection.finish() {
            Err(over) => Verdict::Undecided(over.to_string().into()),
            Ok(findings) => match findings.first() {
                None => Verdict::allow(),
                Some(found) => Verdict::deny(
                    &ATTACK,
                    format!(
                        "the value of `{}` looks like {}",
                        found.field,
                        found.class.name().replace('_', " ")
                    ),
                ),
            },
        }
    }
}

fn show_head(inspection: &mut dyn Inspection, request: &RequestView<'_>) {
    let _ = inspection.field(&Field::new(Location::Path, "path", request.path.as_bytes()));
    if let Some(query) = request.query {
        let _ = show_query(inspection, query.as_bytes());
    }
    for (name, value) in request.headers {
        let _ = if name == header::COOKIE {
            show_cookies(inspection, value.as_bytes())
        } else {
            inspection.field(&Field::new(
                Location::Header,
                name.as_str(),
                value.as_bytes(),
            ))
        };
    }
}

/// Shows the body as what it says it is, and as what it looks like.
fn show_body(
    inspection: &mut dyn Inspection,
    request: &RequestView<'_>,
    body: &[u8],
) -> Result<(), String> {
    if body.is_empty() {
        return Ok(());
    }
    let (says_json, says_xml) = (
        payload::claims(request, "json"),
        payload::claims(request, "xml"),
    );
    if payload::claims(request, "x-www-form-urlencoded") {
        let _ = show_form(inspection, body);
    }
    if (says_json || json::looks_like_json(body))
        && let Err(violation) = show_json(inspection, body)
        && says_json
    {
        return Err(format!("the body is not JSON: {violation}"));
    }
    if (says_xml || xml::looks_like_xml(body))
        && let Err(violation) = show_xml(inspection, body)
        && says_xml
    {
        return Err(format!("the body is not XML: {violation}"));
    }
    Ok(())
}
