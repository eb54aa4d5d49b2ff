//! What a document says of signatures, and the keys and components read from it.

use std::collections::HashMap;
use std::sync::Arc;

use http::header::HeaderName;
use lockgate_config::{ByteSize, Duration, Each, PolicyEntry, Problem, SignatureKey, Spanned};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::identity::Application;
use crate::policy::Compiling;
use crate::signature_key::CheckingKey;
use crate::signatures::DERIVED;

const USUAL_COMPONENTS: &[&str] = &["@method", "@target-uri"];

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What must be signed: `@method`, `@target-uri`, `@authority`, `@scheme`, `@path`, `@query` and names of fields. `@method` and
    /// `@target-uri` by default; a signed `@target-uri` contains the last four.
    pub components: Option<Each<Spanned<String>>>,
    /// Keys in place of those of the applications; their callers are known by the `keyid` alone.
    pub keys: Option<Each<SignatureKey>>,
    /// The greatest age of a signature by its `created`, at most `1d`; `5m` by default.
    pub max_age: Option<Spanned<Duration>>,
    /// How far the signer's clock may differ, at most `5m`; not at all by default.
    pub leeway: Option<Spanned<Duration>>,
    /// The `tag` of the signature to look at, when requests carry several.
    pub tag: Option<Spanned<String>>,
    /// Whether a request with a body must have signed `content-digest`.
    #[serde(default = "yes")]
    pub require_digest: bool,
    /// The largest body whose digest is checked, at most `64MiB`; `1MiB` by default.
    pub max_body: Option<Spanned<ByteSize>>,
}

const fn yes() -> bool {
    true
}

/// The keys that may sign by their ids, and whose they are.
pub type Keys = HashMap<String, (CheckingKey, Option<Arc<Application>>)>;

/// The keys of the settings, else those of all applications.
pub fn keys(
    settings: &Settings,
    entry: &PolicyEntry,
    compiling: &Compiling<'_>,
    problems: &mut Vec<Problem>,
) -> Keys {
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

/// What must be signed.
pub fn components(names: Option<&[Spanned<String>]>, problems: &mut Vec<Problem>) -> Vec<String> {
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
