//! What a document says of the judging, and where the API's description is found.

use lockgate_config::{ByteSize, PolicyEntry, Problem, Spanned};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::policy::{Compiling, Origin};

/// Whether something that the document does not list goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    /// It is refused.
    Refuse,
    /// It goes on.
    Pass,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Whether answers are judged too.
    pub response: bool,
    /// Requests to operations that the document does not list.
    pub unlisted: Unknown,
    /// Query parameters that the operation does not list; those of `securitySchemes` are always known.
    pub unlisted_parameters: Unknown,
    /// Properties that are `readOnly`, in requests. They are never required.
    pub read_only: Unknown,
    /// What stands before the document's paths; the version's `base` by default, `/` when they are written in full.
    pub prefix: Option<Spanned<String>>,
    /// The largest body that is looked at, of requests and of answers.
    pub up_to: ByteSize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            response: false,
            unlisted: Unknown::Refuse,
            unlisted_parameters: Unknown::Pass,
            read_only: Unknown::Refuse,
            prefix: None,
            up_to: ByteSize::new(1024 * 1024),
        }
    }
}

/// The name of the description: the version's.
pub fn document(
    entry: &PolicyEntry,
    compiling: &Compiling<'_>,
) -> Result<Spanned<String>, Problem> {
    let span = entry.span.clone();
    match (compiling.openapi, compiling.origin) {
        (Some(name), _) => Ok(Spanned {
            span,
            value: name.to_owned(),
        }),
        (None, Origin::Gateway | Origin::Api { .. } | Origin::Model { .. }) => Err(Problem::new(
            &span,
            "the policy judges by the OpenAPI document of a version, and stands outside of one",
        )
        .help("move it into the `policies` of a version that names its document with `openapi:`")),
        (None, _) => Err(Problem::new(&span, "the version names no OpenAPI document")
            .help("write `openapi: file.yaml` in the version")),
    }
}

/// What stands before the description's paths.
pub fn prefix(settings: &Settings, compiling: &Compiling<'_>) -> Result<String, Problem> {
    let written = settings.prefix.as_ref();
    if let Some(prefix) = written
        && (!prefix.starts_with('/') || prefix.contains(['{', '}']))
    {
        let message = format!("`{}` is not a path", prefix.value);
        return Err(Problem::new(&prefix.span, message).help("write a path such as `/orders/v1`"));
    }
    let prefix = written.map_or(compiling.version_base, |prefix| Some(prefix.as_str()));
    Ok(prefix.unwrap_or("/").trim_end_matches('/').to_owned())
}
