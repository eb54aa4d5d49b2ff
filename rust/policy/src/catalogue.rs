//! The catalogue of policy kinds. The reference, the JSON Schema, the portal's forms and the reasons come from here.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::kind_doc::KindDoc;
use crate::kinds;
use crate::policy::Kind;
use crate::reason::{GATEWAY_REASONS, Reason};

/// All kinds, in the order of evaluation.
pub static KINDS: &[&Kind] = &[
    &kinds::any_of::KIND,
    &kinds::api_key::KIND,
    &kinds::jwt::KIND,
    &kinds::oauth2_introspection::KIND,
    &kinds::basic_auth::KIND,
    &kinds::mtls::KIND,
    &kinds::http_signature::KIND,
    &kinds::require::KIND,
    &kinds::ip_filter::KIND,
    &kinds::model_access::KIND,
    &kinds::size::KIND,
    &kinds::rate_limit::KIND,
    &kinds::quota::KIND,
    &kinds::concurrency::KIND,
    &kinds::token_limit::KIND,
    &kinds::budget::KIND,
    &kinds::json_limits::KIND,
    &kinds::xml_limits::KIND,
    &kinds::graphql_limits::KIND,
    &kinds::schema::KIND,
    &kinds::payload_guard::KIND,
    &kinds::prompt_guard::KIND,
    &kinds::cors::KIND,
    &kinds::deprecation::KIND,
    &kinds::headers::KIND,
    &kinds::rewrite::KIND,
    &kinds::redirect::KIND,
    &kinds::respond::KIND,
    &kinds::redact_prompt::KIND,
    &kinds::cache::KIND,
    &kinds::model_cache::KIND,
    &kinds::response_headers::KIND,
    &kinds::redact::KIND,
    &kinds::completion_guard::KIND,
];

/// The kind called `name`.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name).copied()
}

/// All reasons for which a request can be refused.
pub fn reasons() -> impl Iterator<Item = &'static Reason> {
    GATEWAY_REASONS
        .iter()
        .copied()
        .chain(KINDS.iter().flat_map(|kind| kind.reasons.iter().copied()))
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().into_generator()
}

/// The catalogue as JSON: kinds with phase, doc comment, settings schema and reasons.
pub fn catalogue() -> Value {
    let kinds: Vec<Value> = KINDS
        .iter()
        .map(|kind| {
            let mut generator = generator();
            let settings = (kind.schema)(&mut generator);
            json!({
                "kind": kind.name,
                "phase": kind.phase,
                "about": kind.about,
                "doc": KindDoc::of(kind.name),
                "on_error": kind.on_error,
                "needs_identity": kind.needs_identity,
                "needs_prompt": kind.needs_prompt,
                "settings": settings,
                "definitions": generator.take_definitions(true),
                "reasons": kind.reasons.iter().map(|reason| reason_json(reason)).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({ "kinds": kinds, "gateway_reasons": GATEWAY_REASONS.iter().map(|reason| reason_json(reason)).collect::<Vec<_>>() })
}

fn reason_json(reason: &Reason) -> Value {
    json!({ "code": reason.code, "status": reason.status, "title": reason.title, "remedy": reason.remedy, "type": reason.type_uri() })
}

/// The JSON Schema (draft 2020-12) of a whole document, for editors.
pub fn document_schema() -> Value {
    let mut generator = generator();
    let shared = generator.subschema_for::<lockgate_config::PolicyEntry>();
    let mut branches = Vec::new();
    for kind in KINDS {
        let settings = (kind.schema)(&mut generator);
        branches.push(branch(kind, settings.to_value()));
    }
    drop(shared);
    let mut root = generator
        .into_root_schema_for::<lockgate_config::Document>()
        .to_value();
    if let Some(policy) = root.pointer_mut("/$defs/Policy") {
        let fields = policy.pointer("/allOf/0").cloned().unwrap_or_default();
        for branch in &mut branches {
            add_shared_fields(branch, &fields);
        }
        *policy = json!({ "oneOf": branches });
    }
    root
}

fn branch(kind: &Kind, mut settings: Value) -> Value {
    if let Some(object) = settings.as_object_mut() {
        object.insert("title".into(), json!(kind.name));
        object.insert("description".into(), json!(kind.about));
        let properties = object.entry("properties").or_insert_with(|| json!({}));
        if let Some(properties) = properties.as_object_mut() {
            properties.insert("kind".into(), json!({ "const": kind.name }));
        }
    }
    settings
}

fn add_shared_fields(branch: &mut Value, shared: &Value) {
    if let (Some(target), Some(fields)) = (
        branch
            .pointer_mut("/properties")
            .and_then(Value::as_object_mut),
        shared.pointer("/properties").and_then(Value::as_object),
    ) {
        for (name, schema) in fields {
            target
                .entry(name.as_str())
                .or_insert_with(|| schema.clone());
        }
    }
    if let Some(object) = branch.as_object_mut() {
        let required = object.entry("required").or_insert_with(|| json!([]));
        if let Some(list) = required.as_array_mut() {
            list.extend([json!("id"), json!("kind")]);
        }
    }
}
