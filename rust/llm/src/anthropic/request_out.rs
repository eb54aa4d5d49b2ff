//! A Messages request for Anthropic.

mod messages;
mod reasoning;
mod tools;

use serde_json::Value;

use crate::failure::Failure;
use crate::json::{Object, object, put};
use crate::loss::Losses;
use crate::model::Format;
use crate::write::Target;

use messages::{write_messages, write_system};
use reasoning::write_reasoning;
use tools::write_tools;

/// What is sent when a caller sets no limit, which Anthropic demands: what every model since Claude 3 can do.
pub(crate) const DEFAULT_MAX_TOKENS: u64 = 4_096;
/// Writes the request.
pub(crate) fn write(target: &Target<'_>, losses: &mut Losses) -> Result<Object, Failure> {
    let request = target.request;
    let mut out = object! {"model": target.model};
    let max_tokens = request.most_output().unwrap_or_else(|| {
        losses.added("max_tokens");
        DEFAULT_MAX_TOKENS
    });
    out.insert("max_tokens".to_owned(), Value::from(max_tokens));
    write_system(target, &mut out, losses);
    out.insert(
        "messages".to_owned(),
        Value::Array(write_messages(target, losses)?),
    );
    write_tools(target, &mut out, losses);
    put(&mut out, "stop_sequences", request.stop.clone());
    let mut config = Object::new();
    match &request.format {
        Some(Format::Schema {
            schema,
            name,
            strict,
            ..
        }) => {
            if !target.is_native() && (name.is_some() || strict == &Some(false)) {
                losses.changed("response_format");
            }
            let format = object! {"type": "json_schema", "schema": schema.clone()};
            config.insert("format".to_owned(), Value::Object(format));
        }
        Some(Format::Json) => losses.dropped("response_format"),
        Some(Format::Text) | None => {}
    }
    let thinks = write_reasoning(target, max_tokens, &mut out, &mut config, losses);
    if !config.is_empty() {
        out.insert("output_config".to_owned(), Value::Object(config));
    }
    write_sampling(target, thinks, &mut out, losses);
    if let Some(user) = &request.user {
        out.insert(
            "metadata".to_owned(),
            Value::Object(object! {"user_id": user.as_str()}),
        );
    }
    if request.stream {
        out.insert("stream".to_owned(), Value::Bool(true));
    }
    for (name, is_there) in [
        ("frequency_penalty", request.frequency_penalty.is_some()),
        ("presence_penalty", request.presence_penalty.is_some()),
        ("seed", request.seed.is_some()),
        ("n", request.candidates.is_some_and(|n| n != 1)),
    ] {
        if is_there {
            losses.dropped(name);
        }
    }
    for (name, value) in &request.extra {
        match (target.is_native(), out.get_mut(name), value) {
            // What is left of `metadata` and `output_config`.
            (true, Some(Value::Object(there)), Value::Object(more)) => there.extend(more.clone()),
            (true, None, value) => {
                out.insert(name.clone(), value.clone());
            }
            _ => losses.dropped(name),
        }
    }
    Ok(out)
}

/// Sampling, which a model that thinks takes only at its defaults.
fn write_sampling(target: &Target<'_>, thinks: bool, out: &mut Object, losses: &mut Losses) {
    let request = target.request;
    let native = target.is_native();
    if let Some(temperature) = &request.temperature {
        let number = temperature.as_f64().unwrap_or(1.0);
        if !native && thinks {
            losses.dropped("temperature");
        } else if !native && number > 1.0 {
            losses.changed("temperature");
            out.insert("temperature".to_owned(), Value::from(1.0));
        } else {
            out.insert("temperature".to_owned(), Value::Number(temperature.clone()));
        }
    }
    for (name, number) in [("top_p", &request.top_p), ("top_k", &request.top_k)] {
        match number {
            Some(_) if !native && thinks => losses.dropped(name),
            Some(number) => {
                out.insert(name.to_owned(), Value::Number(number.clone()));
            }
            None => {}
        }
    }
}
