//! How much a model of Anthropic's is asked to think.

use serde_json::Value;

use crate::dialect::Dialect;
use crate::json::{Object, object, put};
use crate::loss::Losses;
use crate::model::{ChatRequest, Origin, Part, Role};
use crate::write::{Target, budget, effort, version};

/// The least that may be thought.
const LEAST_BUDGET: u64 = 1_024;

/// Whether the model decides itself how much to think, and takes no budget: from Claude 4.6.
fn adapts(model: &str) -> bool {
    version(model, "claude").is_some_and(|version| version >= (4, 6))
}

/// Writes how much to think, and says whether it does.
pub(super) fn write_reasoning(
    target: &Target<'_>,
    max_tokens: u64,
    out: &mut Object,
    config: &mut Object,
    losses: &mut Losses,
) -> bool {
    let Some(reasoning) = &target.request.reasoning else {
        return false;
    };
    if target.is_native() {
        out.extend(reasoning.native.clone());
        put(config, "effort", reasoning.effort.clone());
        return reasoning.wanted() == Some(true);
    }
    let wanted = reasoning.wanted();
    if wanted == Some(false) {
        out.insert(
            "thinking".to_owned(),
            Value::Object(object! {"type": "disabled"}),
        );
        return false;
    }
    if wanted.is_none() {
        return false;
    }
    // A thought of which nobody kept the seal cannot be sent back, and without it Anthropic refuses to think on.
    if !turn_is_sealed(target.request) {
        losses.dropped("reasoning");
        return false;
    }
    if adapts(target.model) {
        out.insert(
            "thinking".to_owned(),
            Value::Object(object! {"type": "adaptive"}),
        );
        if let Some((word, exact)) = effort(reasoning) {
            let word = if word == "minimal" { "low" } else { word };
            if !exact || reasoning.effort.as_deref() != Some(word) {
                losses.changed("reasoning_effort");
            }
            config.insert("effort".to_owned(), Value::from(word));
        }
        return true;
    }
    let (tokens, exact) = budget(reasoning).unwrap_or((LEAST_BUDGET, false));
    let tokens_fit = tokens.max(LEAST_BUDGET).min(max_tokens.saturating_sub(1));
    if tokens_fit < LEAST_BUDGET {
        losses.dropped("reasoning");
        return false;
    }
    if !exact || tokens != tokens_fit {
        losses.changed("reasoning_effort");
    }
    let thinking = object! {"type": "enabled", "budget_tokens": tokens_fit};
    out.insert("thinking".to_owned(), Value::Object(thinking));
    true
}

/// Whether the turn that goes on after tool results began with a sealed thought of Anthropic's.
fn turn_is_sealed(request: &ChatRequest) -> bool {
    let last = request
        .messages
        .iter()
        .rev()
        .find(|message| message.role == Role::Assistant);
    let waits_for_model = request.messages.last().is_some_and(|message| {
        message
            .parts
            .iter()
            .any(|part| matches!(part, Part::ToolResult(_)))
    });
    let Some(last) = last.filter(|_| waits_for_model) else {
        return true;
    };
    last.parts.iter().any(|part| match part {
        Part::Thinking(thinking) => thinking
            .signature
            .as_ref()
            .is_some_and(|seal| seal.origin == Origin::Dialect(Dialect::Anthropic)),
        _ => false,
    })
}
