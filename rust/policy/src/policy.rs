use std::fmt;
use std::sync::Arc;

use lockgate_config::{Base, Document, Mode, OnError, PolicyEntry, Problem, Secret, Version};
use schemars::{Schema, SchemaGenerator};
use serde::Serialize;

use crate::condition::Condition;
use crate::directory::Directory;
use crate::endpoint::Endpoint;
use crate::env::Env;
use crate::reason::Reason;
use crate::request::{RequestView, ResponseView};
use crate::time::Timestamp;

use crate::router::Template;
use crate::verdict::{ResponseVerdict, Verdict};

/// When a policy is evaluated. The order of the variants is the order of evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Who calls.
    Identify,
    /// Whether they may.
    Authorize,
    /// How much they may.
    Limit,
    /// What they may send.
    Payload,
    /// What becomes of the request.
    Mediate,
    /// What becomes of the answer.
    Response,
}

/// A compiled policy. It does no I/O; what it does not know it asks for with [`Verdict::Need`].
pub trait Policy: Send + Sync + fmt::Debug {
    /// Judges a request.
    fn evaluate(&self, request: &RequestView<'_>, env: &mut Env<'_>) -> Verdict;

    /// Whether it is evaluated before anyone is identified, whatever its phase: what it does to the answer holds for refusals
    /// too, and it may answer what carries no credential, such as a preflight. It sees no identity.
    fn opens(&self) -> bool {
        false
    }

    /// Whether it answers preflights (Fetch standard, "CORS-preflight request") of the requests it judges.
    fn answers_preflights(&self) -> bool {
        false
    }

    /// The names of rules that its settings hold, in their order: a word of it may be that of one of them.
    fn own_rules(&self) -> &[Arc<str>] {
        &[]
    }

    /// Whether it concerns what services answer, and nothing that models do.
    fn is_of_services(&self) -> bool {
        false
    }

    /// Where the facts come from that it may ask for; a driver may fetch what it needs ahead.
    fn endpoints(&self) -> &[Arc<Endpoint>] {
        &[]
    }

    /// Those of them that publish key sets of issuers.
    fn key_sets(&self) -> &[Arc<Endpoint>] {
        &[]
    }

    /// From when on its counts are complete, when counting began at `start`: a limit that sees only the end of its window refuses too
    /// little.
    fn complete_from(&self, start: Timestamp) -> Timestamp {
        start
    }

    /// Whether [`Policy::judge_response`] has anything to say.
    fn sees_responses(&self) -> bool {
        false
    }

    /// Judges the service's answer to a request that was allowed.
    fn judge_response(
        &self,
        _: &RequestView<'_>,
        _: &ResponseView<'_>,
        _: &mut Env<'_>,
    ) -> ResponseVerdict {
        ResponseVerdict::Pass
    }
}

/// The result of compiling one policy.
pub type Compiled = Result<Box<dyn Policy>, Vec<Problem>>;

/// A kind of policy: its place in the catalogue.
pub struct Kind {
    /// The name that documents use.
    pub name: &'static str,
    /// When it is evaluated.
    pub phase: Phase,
    /// What it does, in one sentence.
    pub about: &'static str,
    /// What happens when it cannot decide and the document does not say.
    pub on_error: OnError,
    /// Whether it makes sense only after someone was identified.
    pub needs_identity: bool,
    /// Whether it judges calls to models, and nothing else.
    pub needs_prompt: bool,
    /// Why it may refuse.
    pub reasons: &'static [&'static Reason],
    /// The JSON Schema of its settings.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// Reads its settings.
    pub compile: fn(&PolicyEntry, &Compiling<'_>) -> Compiled,
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Whether compiling may read secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// A check: references are taken as given, and no secret is read (F23).
    Skip,
    /// A node that is about to serve.
    Read,
}

/// What a policy may know while it is compiled.
#[derive(Clone, Copy)]
pub struct Compiling<'a> {
    /// The whole document.
    pub document: &'a Document,
    /// Where files come from.
    pub base: &'a Base,
    /// Whether secrets may be read.
    pub secrets: Secrets,
    /// Who may call.
    pub directory: &'a Directory,
    /// The scope the policy stands in.
    pub origin: &'a Origin,
    /// The OpenAPI document of the version, as a path relative to `base`.
    pub openapi: Option<&'a str>,
    /// The path under which the version is served.
    pub version_base: Option<&'a str>,
    /// The path template of the route, with the version's base.
    pub template: Option<&'a Template>,
    /// Compiles a policy within another: a kind does not know the others.
    pub bind: Bind,
}

/// Compiles one policy with what every kind has.
pub type Bind = fn(&PolicyEntry, &Compiling<'_>) -> Result<BoundPolicy, Vec<Problem>>;

impl Compiling<'_> {
    /// Reads a file that a policy refers to.
    ///
    /// # Errors
    /// A problem at `span` when the file cannot be read or is larger than 16 MiB.
    pub fn read_file(&self, name: &lockgate_config::Spanned<String>) -> Result<Vec<u8>, Problem> {
        const MOST: u64 = 16 * 1024 * 1024;
        self.base.read(&name.value, MOST).map_err(|error| {
            Problem::new(
                &name.span,
                format!("the file `{}` cannot be read: {error}", name.value),
            )
        })
    }

    /// The value behind a reference; `None` in a check, which reads no secret.
    ///
    /// # Errors
    /// A problem at `span` when the value cannot be read.
    pub fn secret(
        &self,
        secret: &Secret,
        span: &lockgate_config::Span,
    ) -> Result<Option<Vec<u8>>, Problem> {
        if let Some(file) = secret.file() {
            self.base.note(self.base.join(file));
        }
        match self.secrets {
            Secrets::Skip => Ok(None),
            Secrets::Read => secret
                .read(self.base.path())
                .map(Some)
                .map_err(|error| Problem::new(span, format!("the secret `{secret}`: {error}"))),
        }
    }

    /// How much of a request's path is taken off before it is forwarded, in bytes; `None` outside a version.
    pub fn strip(&self) -> Option<usize> {
        let (Origin::Version { api, version } | Origin::Route { api, version, .. }) = self.origin
        else {
            return None;
        };
        let versions = &self.document.apis.get(api)?.versions;
        versions.get(version).map(Version::stripped)
    }

    /// The names of the variables that a request's path gives; none outside a route.
    pub fn variables(&self) -> Vec<&str> {
        self.template.map(Template::names).unwrap_or_default()
    }

    /// A stable number for a policy of this scope; counters use it so that usage survives a new revision.
    pub fn uid(&self, id: &str) -> u64 {
        stable_hash(&[&self.origin.to_string(), id])
    }
}

/// Where a policy was declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "scope", rename_all = "lowercase")]
pub enum Origin {
    /// The whole gateway.
    Gateway,
    /// An API.
    Api {
        /// The API.
        api: Arc<str>,
    },
    /// A version.
    Version {
        /// The API.
        api: Arc<str>,
        /// The version.
        version: Arc<str>,
    },
    /// A route.
    Route {
        /// The API.
        api: Arc<str>,
        /// The version.
        version: Arc<str>,
        /// The route.
        route: Arc<str>,
    },
    /// A model, whichever API its calls come by.
    Model {
        /// The model.
        model: Arc<str>,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gateway => f.write_str("gateway"),
            Self::Api { api } => write!(f, "api {api}"),
            Self::Version { api, version } => write!(f, "version {api}/{version}"),
            Self::Route {
                api,
                version,
                route,
            } => write!(f, "route {api}/{version} {route}"),
            Self::Model { model } => write!(f, "model {model}"),
        }
    }
}

/// A policy in its place: what every kind has, and the compiled settings.
#[derive(Debug)]
pub struct BoundPolicy {
    /// Its id within its scope.
    pub id: Arc<str>,
    /// Its kind.
    pub kind: &'static Kind,
    /// Where it was declared.
    pub origin: Origin,
    /// The same as text, shared with the records of requests.
    pub scope: Arc<str>,
    /// Whether it acts.
    pub mode: Mode,
    /// The share of callers it applies to, in hundredths of a percent.
    pub share: u32,
    /// When it applies.
    pub when: Option<Condition>,
    /// What happens when it cannot decide.
    pub on_error: OnError,
    /// When it stops.
    pub expires: Option<Timestamp>,
    /// Whether inner scopes may not override it.
    pub is_final: bool,
    /// The declaration as JSON, for comparison.
    pub declared: serde_json::Value,
    /// What tells its rule apart, of a policy whose word depends on that and on the words of a call alone.
    pub rule: Option<Arc<str>>,
    /// Where it stands in the document.
    pub span: lockgate_config::Span,
    /// The compiled settings.
    pub policy: Box<dyn Policy>,
}

impl BoundPolicy {
    /// The name of a rule that its settings hold, by its place in [`Policy::own_rules`].
    pub fn own_rule(&self, place: Option<u16>) -> Option<&Arc<str>> {
        self.policy.own_rules().get(usize::from(place?))
    }

    /// Whether it judges calls to models alone: what is asked must be read before it.
    pub fn needs_prompt(&self) -> bool {
        self.kind.needs_prompt || matches!(self.origin, Origin::Model { .. })
    }

    /// Whether it is there for calls to this model; `None` asks none.
    pub(crate) fn is_for(&self, asked: Option<&Arc<str>>) -> bool {
        match &self.origin {
            Origin::Model { model } => asked == Some(model),
            _ => true,
        }
    }

    /// Whether `caller` is in the share this policy applies to. The same caller always gets the same answer.
    pub fn concerns(&self, caller: &str) -> bool {
        self.share >= 10_000 || stable_hash(&[&self.id, caller]) % 10_000 < u64::from(self.share)
    }
}

/// Kinds that judge or change the words of calls to models, by their settings alone.
const KINDS_OF_WORDS: [&str; 3] = ["prompt_guard", "redact_prompt", "completion_guard"];

/// What tells the rule of a policy over words apart: its settings, and the release, as the detectors are of a release. Whether it acts,
/// on whom and why is no part of it.
pub(crate) fn rule_of_words(kind: &Kind, declared: &serde_json::Value) -> Option<Arc<str>> {
    if !KINDS_OF_WORDS.contains(&kind.name) {
        return None;
    }
    let settings = declared.as_object()?.iter().filter(|(name, _)| {
        let name = name.as_str();
        name == "kind" || !PolicyEntry::SHARED_FIELDS.contains(&name)
    });
    let settings: std::collections::BTreeMap<_, _> = settings.collect();
    let settings = serde_json::to_string(&settings).ok()?;
    let hash = stable_hash(&[env!("CARGO_PKG_VERSION"), &settings]);
    Some(Arc::from(format!("{hash:016x}")))
}

/// A hash that is the same on every node and in every release (FNV-1a, 64 bit, with a final mix).
pub fn stable_hash(parts: &[&str]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        for byte in part.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^ (hash >> 32)
}
