//! What all writers of answers share.

use serde_json::Value;

use crate::json::Object;
use crate::loss::Losses;
use crate::model::{ChatResponse, Part};
use crate::usage::Usage;

/// What the gateway knows of a call that an answer must say. Nothing here reads a clock.
#[derive(Debug, Clone)]
pub struct Stamp {
    /// The id of the call at the gateway: letters and digits. Names tool calls whose provider gives them no id.
    pub id: String,
    /// Seconds since 1970.
    pub now: u64,
    /// The model as the caller named it: what an answer says when the provider does not.
    pub model: String,
}

impl Stamp {
    /// The id of the answer: the provider's own, or made of the call's.
    pub(crate) fn answer_id(&self, id: &str, prefix: &str) -> String {
        if id.is_empty() {
            format!("{prefix}{}", self.id)
        } else {
            id.to_owned()
        }
    }

    pub(crate) fn model<'a>(&'a self, model: &'a str) -> &'a str {
        if model.is_empty() { &self.model } else { model }
    }
}

/// Reports what an answer holds and the caller's language has no room for.
pub(crate) fn report_extra(response: &ChatResponse, native: bool, losses: &mut Losses) {
    if native {
        return;
    }
    for name in response.extra.keys() {
        losses.dropped(format!("answer.{name}"));
    }
    for name in response
        .candidates
        .iter()
        .flat_map(|candidate| candidate.extra.keys())
    {
        losses.dropped(format!("answer.{name}"));
    }
}

/// The name of a piece, for a report.
pub(crate) fn kind_of(part: &Object) -> &str {
    part.get("type").and_then(Value::as_str).unwrap_or("part")
}

/// Whether an answer calls a tool.
pub(crate) fn calls(parts: &[Part]) -> bool {
    parts.iter().any(|part| matches!(part, Part::ToolCall(_)))
}

/// A field that is `null` when the provider did not say: callers' schemas demand the field, and 0 would be a lie.
pub(crate) fn known(count: Option<u64>) -> Value {
    count.map_or(Value::Null, Value::from)
}

/// Marks usage that was known when the call broke off.
pub(crate) fn mark_partial(usage: &Usage, out: &mut Object) {
    if usage.partial {
        out.insert("partial".to_owned(), Value::Bool(true));
    }
}

#[cfg(test)]
#[path = "answer_fuzz.rs"]
mod fuzz;
