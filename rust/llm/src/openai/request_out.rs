//! A chat completions request for OpenAI, Mistral or Moonshot.

mod messages;
mod tools;

use serde_json::Value;

use crate::dialect::{Dialect, Surface};
use crate::failure::Failure;
use crate::json::{Object, object, put};
use crate::loss::Losses;
use crate::model::Format;
use crate::write::{Target, effort};

use messages::write_message;
use tools::write_tools;

/// Fields of OpenAI's that Mistral and Moonshot refuse or do not know.
const OPENAI_ONLY: [&str; 16] = [
    "audio",
    "function_call",
    "functions",
    "logit_bias",
    "modalities",
    "moderation",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "stream_options",
    "verbosity",
    "web_search_options",
    "logprobs",
    "top_logprobs",
];

/// Sampling, which the Kimi models fix and refuse other values of; the `moonshot-v1` models take it.
const FIXED_BY_KIMI: [&str; 5] = [
    "temperature",
    "top_p",
    "frequency_penalty",
    "presence_penalty",
    "n",
];

/// Writes the request.
pub(crate) fn write(target: &Target<'_>, losses: &mut Losses) -> Result<Object, Failure> {
    let request = target.request;
    let mut out = object! {"model": target.model};
    let mut messages = Vec::new();
    for message in &request.messages {
        write_message(target, message, &mut messages, losses)?;
    }
    out.insert("messages".to_owned(), Value::Array(messages));
    write_tools(target, &mut out, losses);
    write_limits(target, &mut out, losses);
    put(&mut out, "temperature", request.temperature.clone());
    put(&mut out, "top_p", request.top_p.clone());
    put(
        &mut out,
        "frequency_penalty",
        request.frequency_penalty.clone(),
    );
    put(
        &mut out,
        "presence_penalty",
        request.presence_penalty.clone(),
    );
    put(&mut out, "n", request.candidates);
    if target.dialect == Dialect::Moonshot && target.model.starts_with("kimi-") {
        for name in FIXED_BY_KIMI {
            // One answer is what there is anyway.
            if out
                .shift_remove(name)
                .is_some_and(|value| name != "n" || value != 1)
            {
                losses.dropped(name);
            }
        }
    }
    put(&mut out, "stop", request.stop.clone());
    put(
        &mut out,
        "response_format",
        request.format.as_ref().map(write_format),
    );
    write_reasoning(target, &mut out, losses);
    if request.stream {
        out.insert("stream".to_owned(), Value::Bool(true));
    }
    write_extra(target, &mut out, losses);
    if request.stream && target.dialect == Dialect::Openai {
        // Asked for whatever the caller asked: without it nobody knows what a stream took.
        if let Some(options) = out
            .entry("stream_options")
            .or_insert_with(|| Value::Object(Object::new()))
            .as_object_mut()
        {
            options.insert("include_usage".to_owned(), Value::Bool(true));
        }
    }
    Ok(out)
}

fn write_limits(target: &Target<'_>, out: &mut Object, losses: &mut Losses) {
    let request = target.request;
    let old_name = request.max_output_old_name && request.surface == Surface::OpenaiChat;
    let name = match target.dialect {
        Dialect::Mistral => "max_tokens",
        Dialect::Openai if old_name => "max_tokens",
        _ => "max_completion_tokens",
    };
    put(out, name, request.most_output());
    match target.dialect {
        Dialect::Mistral => {
            put(out, "random_seed", request.seed.clone());
            put(out, "top_k", request.top_k.clone());
        }
        _ => {
            put(out, "seed", request.seed.clone());
            if request.top_k.is_some() {
                losses.dropped("top_k");
            }
        }
    }
    if request.user.is_some() {
        match target.dialect {
            Dialect::Openai => put(out, "user", request.user.clone()),
            _ => losses.dropped("user"),
        }
    }
}

fn write_extra(target: &Target<'_>, out: &mut Object, losses: &mut Losses) {
    let near = target.request.surface == Surface::OpenaiChat && target.dialect != Dialect::Openai;
    for (name, value) in &target.request.extra {
        if near && OPENAI_ONLY.contains(&name.as_str()) {
            losses.dropped(name);
        } else if near || target.is_native() {
            out.entry(name.clone()).or_insert_with(|| value.clone());
        } else {
            losses.dropped(name);
        }
    }
}

fn write_format(format: &Format) -> Value {
    Value::Object(match format {
        Format::Text => object! {"type": "text"},
        Format::Json => object! {"type": "json_object"},
        Format::Schema {
            name,
            description,
            schema,
            strict,
        } => {
            let mut inner = object! {"name": name.as_deref().unwrap_or("answer")};
            put(&mut inner, "description", description.clone());
            inner.insert("schema".to_owned(), Value::Object(schema.clone()));
            put(&mut inner, "strict", *strict);
            object! {"type": "json_schema", "json_schema": inner}
        }
    })
}

fn write_reasoning(target: &Target<'_>, out: &mut Object, losses: &mut Losses) {
    let Some(reasoning) = &target.request.reasoning else {
        return;
    };
    let Some((word, exact)) = effort(reasoning) else {
        if reasoning.wanted() == Some(true) && target.dialect == Dialect::Moonshot {
            out.insert(
                "thinking".to_owned(),
                Value::Object(object! {"type": "enabled"}),
            );
        } else if !reasoning.native.is_empty() {
            losses.dropped("reasoning");
        }
        return;
    };
    let sent = match target.dialect {
        Dialect::Moonshot if target.model.starts_with("kimi-k3") => match word {
            "none" | "minimal" | "low" => "low",
            "max" | "xhigh" => "max",
            _ => "high",
        },
        Dialect::Moonshot => {
            let word = if word == "none" {
                "disabled"
            } else {
                "enabled"
            };
            out.insert("thinking".to_owned(), Value::Object(object! {"type": word}));
            if word == "enabled" {
                losses.changed("reasoning_effort");
            }
            return;
        }
        _ => word,
    };
    if !exact || sent != word {
        losses.changed("reasoning_effort");
    }
    out.insert("reasoning_effort".to_owned(), Value::from(sent));
}
