//! What bounds the answer to a `generateContent` request.

use serde_json::Value;

use crate::failure::Failure;
use crate::gemini::schema::to_json_schema;
use crate::json::{Fields, Object, object};
use crate::model::{ChatRequest, Format, Reasoning};

use super::spelling::to_camel;

/// Reads it.
pub(super) fn read_config(config: Fields, request: &mut ChatRequest) -> Result<(), Failure> {
    // Google's parsers take both spellings (ProtoJSON).
    let mut config = {
        let mut camel = Object::new();
        for (name, value) in config.rest() {
            camel.insert(to_camel(&name), value);
        }
        Fields::new(camel, "generationConfig")
    };
    request.max_output = config.count("maxOutputTokens")?;
    request.temperature = config.number("temperature")?;
    request.top_p = config.number("topP")?;
    request.top_k = config.number("topK")?;
    request.frequency_penalty = config.number("frequencyPenalty")?;
    request.presence_penalty = config.number("presencePenalty")?;
    request.seed = config.number("seed")?;
    request.stop = config.texts("stopSequences")?;
    request.candidates = config.count("candidateCount")?;
    let media_type = config.text("responseMimeType")?;
    let schema = match (
        config.object("responseJsonSchema")?,
        config.object("responseSchema")?,
    ) {
        (Some(schema), _) => Some(schema),
        (None, schema) => schema.map(to_json_schema),
    };
    request.format = match (media_type.as_deref(), schema) {
        (_, Some(schema)) => Some(Format::Schema {
            name: None,
            description: None,
            schema,
            strict: None,
        }),
        (Some("application/json"), None) => Some(Format::Json),
        (Some("text/plain"), None) => Some(Format::Text),
        (Some(other), None) => {
            request.extra.insert(
                "generationConfig".to_owned(),
                Value::Object(object! {"responseMimeType": other}),
            );
            None
        }
        (None, None) => None,
    };
    if let Some(thinking) = config.object("thinkingConfig")? {
        let thinking: Object = thinking
            .into_iter()
            .map(|(name, value)| (to_camel(&name), value))
            .collect();
        let mut inner = Fields::new(thinking.clone(), "generationConfig.thinkingConfig");
        let level = inner.text("thinkingLevel")?;
        // −1 lets the model decide.
        let budget = inner
            .number("thinkingBudget")?
            .and_then(|number| number.as_i64());
        request.reasoning = Some(Reasoning {
            effort: level.map(|level| level.to_ascii_lowercase()),
            budget: budget.and_then(|budget| u64::try_from(budget).ok()),
            enabled: (budget == Some(-1)).then_some(true),
            shown: inner.flag("includeThoughts")?,
            native: object! {"thinkingConfig": thinking},
        });
    }
    let rest = config.rest();
    if !rest.is_empty() {
        let entry = request
            .extra
            .entry("generationConfig")
            .or_insert_with(|| Value::Object(Object::new()));
        if let Value::Object(there) = entry {
            there.extend(rest);
        }
    }
    Ok(())
}
