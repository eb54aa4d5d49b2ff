//! # What it does
//! Sets, adds and removes fields of the forwarded request and of the answer.
//!
//! # When to use
//! A service needs a field that callers do not send, or tells callers what they need not know.
//!
//! # Example
//! ```yaml
//! - { id: tidy, kind: headers, request: { set: { X-Tenant: shop } }, response: { remove: [Server] } }
//! ```
//!
//! # On failure
//! It never refuses. Fields that belong to a connection, or that carry the framing of a message, cannot be named.

use http::{HeaderName, HeaderValue};
use indexmap::IndexMap;
use lockgate_config::{Each, OnError, PolicyEntry, Problem, Spanned, decode};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::env::Env;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::request::RequestView;
use crate::verdict::{Effect, Effects, ResponseEdit, Verdict};

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "headers",
    phase: Phase::Mediate,
    about: "Sets, adds and removes fields of the forwarded request and of the answer.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: false,
    reasons: &[],
    schema: Settings::json_schema,
    compile,
};

/// Fields that decide where a message ends or who it is for.
const FRAMING: &[&str] = &[
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Changes of the forwarded request.
    request: Option<Changes>,
    /// Changes of the answer.
    response: Option<Changes>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Changes {
    /// Fields with the value that replaces all others.
    set: Option<Spanned<IndexMap<String, String>>>,
    /// Fields with a value that is added.
    add: Option<Spanned<IndexMap<String, String>>>,
    /// Fields that are removed.
    remove: Option<Each<Spanned<String>>>,
}

#[derive(Debug, Default)]
struct Headers {
    request: Vec<Change>,
    response: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Set(HeaderName, HeaderValue),
    Add(HeaderName, HeaderValue),
    Remove(HeaderName),
}

fn compile(entry: &PolicyEntry, _: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let mut problems = Vec::new();
    let mut read = |changes: Option<Changes>| {
        changes
            .map(|changes| read(changes, &mut problems))
            .unwrap_or_default()
    };
    let headers = Headers {
        request: read(settings.request),
        response: read(settings.response),
    };
    if problems.is_empty() && headers.request.is_empty() && headers.response.is_empty() {
        let problem = Problem::new(
            &entry.span,
            format!("the policy `{}` changes nothing", entry.id.value),
        );
        problems.push(problem.help("write `request` or `response` with `set`, `add` or `remove`"));
    }
    if problems.is_empty() {
        Ok(Box::new(headers))
    } else {
        Err(problems)
    }
}

fn read(changes: Changes, problems: &mut Vec<Problem>) -> Vec<Change> {
    let mut read = Vec::new();
    let (set, add): (_, fn(HeaderName, HeaderValue) -> Change) =
        (Change::Set as fn(_, _) -> _, Change::Add);
    for (list, change) in [(changes.set, set), (changes.add, add)] {
        let Some(list) = list else { continue };
        for (name, value) in &list.value {
            match (field(name), HeaderValue::from_str(value)) {
                (Ok(name), Ok(value)) => read.push(change(name, value)),
                (Err(message), _) => problems.push(Problem::new(&list.span, message)),
                (_, Err(_)) => problems.push(Problem::new(
                    &list.span,
                    format!("the value of `{name}` holds a character that fields cannot hold"),
                )),
            }
        }
    }
    for name in changes.remove.into_iter().flatten() {
        match field(&name) {
            Ok(field) => read.push(Change::Remove(field)),
            Err(message) => problems.push(Problem::new(&name.span, message)),
        }
    }
    read
}

/// The name of a field that a document may write.
///
/// # Errors
/// It is none, or one that decides where a message ends.
pub fn field(name: &str) -> Result<HeaderName, String> {
    let field = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("`{name}` is not a field name"))?;
    if FRAMING.contains(&field.as_str()) {
        Err(format!("`{name}` is written by the gateway alone"))
    } else {
        Ok(field)
    }
}

impl Policy for Headers {
    fn evaluate(&self, _: &RequestView<'_>, _: &mut Env<'_>) -> Verdict {
        let request = self.request.iter().cloned().map(|change| match change {
            Change::Set(name, value) => Effect::SetRequestHeader(name, value),
            Change::Add(name, value) => Effect::AddRequestHeader(name, value),
            Change::Remove(name) => Effect::RemoveRequestHeader(name),
        });
        let response = self.response.iter().cloned().map(|change| {
            Effect::Response(match change {
                Change::Set(name, value) => ResponseEdit::Set(name, value),
                Change::Add(name, value) => ResponseEdit::Add(name, value),
                Change::Remove(name) => ResponseEdit::Remove(name),
            })
        });
        Verdict::Allow(request.chain(response).collect::<Effects>())
    }
}
