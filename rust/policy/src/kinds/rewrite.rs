//! # What it does
//! Forwards a request to another path, or with another query, than the caller sent. The caller sees nothing of it.
//!
//! # When to use
//! A service moved its paths, or expects a parameter that callers do not send.
//!
//! # Example
//! ```yaml
//! - { id: new-shape, kind: rewrite, path: "/v2/items/{id}", query: { set: { source: gateway }, remove: [debug] } }
//! - { id: moved, kind: rewrite, prefix: { from: /old, to: /new } }
//! ```
//!
//! # On failure
//! 400 when the values of the variables make a path that has no canonical form. The path is the one below the upstream: a
//! request never reaches another host, nor what lies above the target's own path. Of several policies the last one counts.

use std::sync::Arc;

use indexmap::IndexMap;
use lockgate_config::{Each, OnError, PolicyEntry, Problem, Spanned, decode};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::canonical::canonical_path;
use crate::env::Env;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::Reason;
use crate::request::RequestView;
use crate::text_template::TextTemplate;
use crate::verdict::{Effect, Effects, Verdict};

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "rewrite",
    phase: Phase::Mediate,
    about: "Forwards requests to another path, or with another query, than the caller sent.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: false,
    reasons: &[&NOT_CANONICAL],
    schema: Settings::json_schema,
    compile,
};

pub(crate) static NOT_CANONICAL: Reason = Reason::new(
    "rewrite.bad_path",
    400,
    "Path cannot be forwarded",
    "send a path whose segments are names or numbers, without dots alone and escapes of escapes",
);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The path that is forwarded; `{name}` takes a variable of the route's path.
    path: Option<Spanned<String>>,
    /// A start of the forwarded path that is replaced; other paths stay.
    prefix: Option<Prefix>,
    /// Changes of the query.
    query: Option<Spanned<Query>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Prefix {
    /// The start that is replaced, in whole segments.
    from: Spanned<String>,
    /// What takes its place.
    to: Spanned<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Query {
    /// Parameters with the value that replaces all others; `{name}` takes a variable of the route's path.
    #[serde(default)]
    set: IndexMap<String, Spanned<String>>,
    /// Parameters with a value that is added.
    #[serde(default)]
    add: IndexMap<String, Spanned<String>>,
    /// Parameters that are removed.
    remove: Option<Each<String>>,
}

#[derive(Debug)]
struct Rewrite {
    path: Option<Target>,
    removed: Vec<Arc<str>>,
    added: Vec<(Arc<str>, TextTemplate)>,
}

#[derive(Debug)]
enum Target {
    Path(TextTemplate),
    Prefix {
        from: String,
        to: String,
        /// What is taken off the path before it is forwarded, in bytes.
        strip: usize,
    },
}

fn compile(entry: &PolicyEntry, compiling: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let mut problems = Vec::new();
    let known = compiling.variables();
    let path = target(&settings, entry, compiling).unwrap_or_else(|problem| {
        problems.push(problem);
        None
    });
    let mut rewrite = Rewrite {
        path,
        removed: Vec::new(),
        added: Vec::new(),
    };
    if let Some(query) = settings.query.map(|query| query.value) {
        for name in query
            .set
            .keys()
            .chain(query.remove.iter().flat_map(|names| names.iter()))
        {
            rewrite.removed.push(Arc::from(name.as_str()));
        }
        for (name, value) in query.set.iter().chain(&query.add) {
            match TextTemplate::read(value, &known) {
                Ok(template) => rewrite.added.push((Arc::from(name.as_str()), template)),
                Err(problem) => problems.push(problem),
            }
        }
    }
    if problems.is_empty()
        && rewrite.path.is_none()
        && rewrite.removed.is_empty()
        && rewrite.added.is_empty()
    {
        let message = format!("the policy `{}` changes nothing", entry.id.value);
        problems.push(
            Problem::new(&entry.span, message)
                .help("write `path`, `prefix`, or `query` with `set`, `add` or `remove`"),
        );
    }
    if problems.is_empty() {
        Ok(Box::new(rewrite))
    } else {
        Err(problems)
    }
}

fn target(
    settings: &Settings,
    entry: &PolicyEntry,
    compiling: &Compiling<'_>,
) -> Result<Option<Target>, Problem> {
    match (&settings.path, &settings.prefix) {
        (None, None) => Ok(None),
        (Some(path), Some(_)) => Err(Problem::new(
            &path.span,
            "a path is replaced as a whole or at its start",
        )
        .help("write only one of `path` and `prefix`")),
        (Some(path), None) => TextTemplate::read_path(path, &compiling.variables())
            .map(|path| Some(Target::Path(path))),
        (None, Some(prefix)) => {
            let strip = compiling.strip().ok_or_else(|| {
                Problem::new(
                    &entry.span,
                    "outside a version nobody can say where a forwarded path starts",
                )
                .help("write the policy at a version or a route")
            })?;
            Ok(Some(Target::Prefix {
                from: start(&prefix.from)?,
                to: start(&prefix.to)?,
                strip,
            }))
        }
    }
}

/// Reads whole segments at the start of a path; `/` is none.
fn start(path: &Spanned<String>) -> Result<String, Problem> {
    let kept = path.strip_suffix('/').unwrap_or(path);
    let canonical = canonical_path(path)
        .ok()
        .filter(|_| !path.contains(['{', '}']));
    if canonical.is_none_or(|canonical| *canonical != *path.value) {
        let message = format!("`{}` is not the start of a path", path.value);
        return Err(
            Problem::new(&path.span, message).help("write whole segments such as `/v1/orders`")
        );
    }
    Ok(kept.to_owned())
}

impl Target {
    /// The forwarded path; `None` when the request's stays.
    fn of(&self, request: &RequestView<'_>) -> Option<Result<String, Verdict>> {
        match self {
            Self::Path(path) => Some(path.path(request.variables).map_err(|error| {
                Verdict::deny(
                    &NOT_CANONICAL,
                    format!(
                        "the path would be forwarded as one that services read differently: {error}"
                    ),
                )
            })),
            Self::Prefix { from, to, strip } => {
                let forwarded = request.path.get(*strip..).filter(|path| !path.is_empty());
                let rest = forwarded.unwrap_or("/").strip_prefix(from.as_str())?;
                if !rest.is_empty() && !rest.starts_with('/') {
                    return None;
                }
                let path = format!("{to}{rest}");
                Some(Ok(if path.is_empty() {
                    "/".to_owned()
                } else {
                    path
                }))
            }
        }
    }
}

impl Policy for Rewrite {
    fn evaluate(&self, request: &RequestView<'_>, _: &mut Env<'_>) -> Verdict {
        let mut effects = Effects::new();
        match self.path.as_ref().and_then(|path| path.of(request)) {
            None => {}
            Some(Ok(path)) => effects.push(Effect::SetPath(path)),
            Some(Err(verdict)) => return verdict,
        }
        effects.extend(
            self.removed
                .iter()
                .cloned()
                .map(Effect::RemoveQueryParameter),
        );
        effects.extend(self.added.iter().map(|(name, value)| {
            Effect::AddQueryParameter(name.clone(), value.text(request.variables))
        }));
        if effects.is_empty() {
            Verdict::Pass
        } else {
            Verdict::Allow(effects)
        }
    }
}
