use std::num::NonZeroU32;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decode::{Each, Entries, Spanned};
use crate::document::{PolicyEntry, Prompt};
use crate::quantity::{ByteSize, Duration};

/// An API: what an owner offers under one title.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Its name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Folder with guides in Markdown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docs: Option<String>,
    /// Host names it answers to; any by default. `*.example.com` covers one label.
    pub hosts: Option<Each<Spanned<String>>>,
    /// Policies of all its versions.
    #[serde(default)]
    pub policies: Each<PolicyEntry>,
    /// Its versions.
    pub versions: Entries<Version>,
}

/// One version of an API.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// OpenAPI document (3.0 to 3.2), as a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub openapi: Option<Spanned<String>>,
    /// The path under which it is served, such as `/orders/v1`.
    pub base: Spanned<String>,
    /// Whether `base` is taken off before forwarding; the rest of the path is forwarded byte for byte.
    #[serde(default = "yes")]
    pub strip_base: bool,
    /// The service that answers.
    pub upstream: Option<Spanned<String>>,
    /// Models that callers may name, by the APIs of OpenAI, Anthropic and Gemini under `base`; in place of `upstream` and of `routes` that
    /// are no `prompt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Spanned<Each<Spanned<String>>>>,
    /// Store what models are asked in the recording, in words: personal data. Without it a recording holds figures alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_prompts: Option<Spanned<RecordPrompts>>,
    /// Policies of all its routes.
    #[serde(default)]
    pub policies: Each<PolicyEntry>,
    /// Routes that differ from the rest.
    #[serde(default)]
    pub routes: Each<Route>,
    /// What happens to requests under `base` that no route matches.
    #[serde(default)]
    pub unlisted: Unlisted,
}

impl Version {
    /// How many bytes at the start of its paths are taken off before forwarding.
    pub fn stripped(&self) -> usize {
        if self.strip_base && self.base.as_str() != "/" {
            self.base.len()
        } else {
            0
        }
    }
}

const fn yes() -> bool {
    true
}

/// What happens to requests that no route of a version matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unlisted {
    /// They are forwarded to the version's upstream under the version's policies.
    #[default]
    Forward,
    /// They are answered with 404.
    Refuse,
}

/// Requests that are alike, and what differs for them.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// A stable name; made from the match when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Spanned<String>>,
    /// Which requests.
    #[serde(rename = "match")]
    pub matches: Spanned<Match>,
    /// Policies of this route.
    #[serde(default)]
    pub policies: Each<PolicyEntry>,
    /// Another service than the version's.
    pub upstream: Option<Spanned<String>>,
    /// Several services by weight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<Spanned<IndexMap<String, NonZeroU32>>>,
    /// Several calls side by side, merged under these names.
    pub aggregate: Option<Spanned<Aggregate>>,
    /// A prompt that callers `POST` values for its variables to, in place of a service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Spanned<Prompt>>,
    /// Store bodies in the recording, up to a size.
    pub record_body: Option<RecordBody>,
}

/// Which requests a route takes. All that is written must hold.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Methods; any by default.
    pub methods: Option<Each<Spanned<String>>>,
    /// Path template under `base`: `/orders/{id}`, `/files/{*rest}`; any path by default.
    pub path: Option<Spanned<String>>,
    /// Fields that must be present with exactly this value, among others when the field is a list or is repeated; `*` for any.
    pub headers: Option<Spanned<IndexMap<String, String>>>,
}

/// Parts of one answer, by name.
pub type Aggregate = IndexMap<String, Part>;

/// One part of an aggregated answer.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The service.
    pub upstream: Spanned<String>,
    /// The path to ask; `{name}` takes a variable of the route's path.
    pub path: Spanned<String>,
    /// Whether the answer may come without this part.
    #[serde(default)]
    pub optional: bool,
    /// What stands in for a missing optional part; `null` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<crate::decode::Raw>,
    /// How long the part may take; the upstream's deadlines by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Duration>,
}

/// How much of the words of calls to models a recording holds. Keys and personal data of known shapes are taken out first.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordPrompts {
    /// The most bytes kept of a prompt; of an answer as well.
    pub up_to: ByteSize,
    /// Whether answers are kept too.
    #[serde(default)]
    pub answers: bool,
}

/// How much of a body a recording holds.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordBody {
    /// The most bytes kept.
    pub up_to: ByteSize,
    /// Names of JSON fields whose values are replaced before anything is written.
    #[serde(default)]
    pub redact: Vec<String>,
}
