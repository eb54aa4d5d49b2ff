use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::decode::{DecodeError, Raw, Spanned, nested};
use crate::node::{Node, Span, Value};
use crate::problem::Problem;
use crate::quantity::Percent;

/// One policy as it is written: the fields that every kind has, and the settings of its kind.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyEntry {
    /// Where it stands.
    pub span: Span,
    /// Its stable name within its scope.
    pub id: Spanned<String>,
    /// What it does.
    pub kind: Spanned<String>,
    /// Whether it acts.
    pub mode: Mode,
    /// The share of callers it applies to.
    pub percent: Percent,
    /// A CEL condition.
    pub when: Option<Spanned<String>>,
    /// What happens when it cannot decide; each kind has a default.
    pub on_error: Option<OnError>,
    /// Why it exists.
    pub purpose: Option<Purpose>,
    /// When an emergency policy stops.
    pub expires: Option<Spanned<String>>,
    /// Whether it is an emergency policy.
    pub emergency: bool,
    /// Whether inner scopes may not override it.
    pub is_final: bool,
    /// The settings of its kind: a mapping.
    pub settings: Node,
}

/// Whether a policy acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It is evaluated, counted, recorded, and acts.
    #[default]
    Enforce,
    /// It is evaluated, counted, recorded, and never acts.
    Shadow,
    /// It is not evaluated.
    Off,
}

/// What happens when a policy cannot decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// The request is refused with 503.
    Deny,
    /// The request goes on.
    Allow,
}

/// Why a policy exists.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Purpose {
    /// The reason.
    pub why: String,
    /// Who answers for it.
    pub owner: String,
    /// How one sees that it works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Shared {
    /// Its stable name within its scope. An inner scope overrides the policy of an outer one by carrying its `id`.
    id: Spanned<String>,
    /// What it does: one of the kinds.
    kind: Spanned<String>,
    /// Whether it acts.
    #[serde(default)]
    mode: Mode,
    /// The share of callers it applies to. The same caller is always in the share or always out of it.
    #[serde(default = "everyone")]
    percent: Percent,
    /// A CEL condition; the policy applies to the requests for which it is true.
    when: Option<Spanned<String>>,
    /// What happens when it cannot decide; each kind has a default.
    on_error: Option<OnError>,
    /// Why it exists.
    purpose: Option<Purpose>,
    /// The date (`2027-01-31`) or time (RFC 3339) from which it is no longer applied.
    expires: Option<Spanned<String>>,
    /// Whether it is an emergency policy, which must say when it `expires` and, as its `purpose`, who answers for it.
    #[serde(default)]
    emergency: bool,
    /// Whether inner scopes may not override it.
    #[serde(default, rename = "final")]
    is_final: bool,
}

const fn everyone() -> Percent {
    Percent::ALL
}

impl PolicyEntry {
    /// The names of the fields that every kind has.
    pub const SHARED_FIELDS: &'static [&'static str] = &[
        "id",
        "kind",
        "mode",
        "percent",
        "when",
        "on_error",
        "purpose",
        "expires",
        "emergency",
        "final",
    ];

    /// Splits a node into shared fields and settings.
    fn read(node: Node) -> Result<Self, Problem> {
        let Node { span, value } = node;
        let Value::Map(entries) = value else {
            let message = "expected a policy: a mapping with `id` and `kind`";
            return Err(Problem::new(&span, message));
        };
        let (shared, settings): (Vec<_>, Vec<_>) = entries
            .iter()
            .cloned()
            .partition(|(key, _)| Self::SHARED_FIELDS.contains(&key.name.as_str()));
        let shared = Node {
            span: span.clone(),
            value: Value::Map(shared.into()),
        };
        let fields: Shared = nested::<_, DecodeError>(&shared).map_err(|error| error.at(&span))?;
        crate::id::check_id(&fields.id)
            .map_err(|message| Problem::new(&fields.id.span, message))?;
        if fields.mode != Mode::Off && fields.percent.get() == 0.0 {
            return Err(Problem::new(
                &fields.id.span,
                format!("`{}` applies to 0 % of callers", *fields.id),
            )
            .help("write `mode: off`, or a share above 0"));
        }
        if fields.emergency && fields.expires.is_none() {
            return Err(Problem::new(
                &fields.id.span,
                format!("the emergency policy `{}` never ends", *fields.id),
            )
            .help("write `expires:` with a date or an RFC 3339 time"));
        }
        if fields.emergency && fields.purpose.is_none() {
            return Err(Problem::new(
                &fields.id.span,
                format!("nobody answers for the emergency policy `{}`", *fields.id),
            )
            .help("write `purpose: { why: …, owner: … }`"));
        }
        Ok(Self {
            id: fields.id,
            kind: fields.kind,
            mode: fields.mode,
            percent: fields.percent,
            when: fields.when,
            on_error: fields.on_error,
            purpose: fields.purpose,
            expires: fields.expires,
            emergency: fields.emergency,
            is_final: fields.is_final,
            settings: Node {
                span: span.clone(),
                value: Value::Map(settings.into()),
            },
            span,
        })
    }
}

impl<'de> Deserialize<'de> for PolicyEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Raw(node) = Raw::deserialize(deserializer)?;
        Self::read(node).map_err(crate::decode::hand)
    }
}

impl Serialize for PolicyEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("kind", &self.kind)?;
        map.serialize_entry("mode", &self.mode)?;
        map.serialize_entry("percent", &self.percent)?;
        if let Some(when) = &self.when {
            map.serialize_entry("when", when)?;
        }
        if let Some(on_error) = &self.on_error {
            map.serialize_entry("on_error", on_error)?;
        }
        if let Some(purpose) = &self.purpose {
            map.serialize_entry("purpose", purpose)?;
        }
        if let Some(expires) = &self.expires {
            map.serialize_entry("expires", expires)?;
        }
        if self.emergency {
            map.serialize_entry("emergency", &true)?;
        }
        if self.is_final {
            map.serialize_entry("final", &true)?;
        }
        for (key, value) in self.settings.as_map().unwrap_or_default() {
            map.serialize_entry(&key.name, value)?;
        }
        map.end()
    }
}

impl JsonSchema for PolicyEntry {
    fn schema_name() -> Cow<'static, str> {
        "Policy".into()
    }
    /// The fields that every kind has; the crate that knows the kinds closes the schema with one branch for each.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let shared = Shared::json_schema(generator);
        json_schema!({ "allOf": [shared] })
    }
}
