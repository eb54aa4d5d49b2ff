//! One chat call, from a caller's request to the provider's and back.

use serde_json::Value;

use crate::answer::Stamp;
use crate::anthropic;
use crate::dialect::{Dialect, Surface};
use crate::failure::{Failure, FailureKind};
use crate::gemini;
use crate::json::{Object, read_answer, read_request};
use crate::loss::Losses;
use crate::model::{ChatRequest, ChatResponse};
use crate::ollama;
use crate::openai;
use crate::plain;
use crate::responses;
use crate::signature::holds_foreign_seal;
use crate::sse::to_bytes;
use crate::write::Target;

/// The largest request, pictures included.
pub const MOST_REQUEST_BYTES: usize = 64 * 1024 * 1024;

/// Reads a caller's request. `path_model` and `path_stream` are what the path said ([`crate::Call`]).
///
/// # Errors
/// The body is too large, no JSON object, has a name twice, or lacks what its language demands; the message says which field.
pub fn read_chat(
    surface: Surface,
    path_model: Option<&str>,
    path_stream: bool,
    body: &[u8],
) -> Result<ChatRequest, Failure> {
    let body = read_request(body, MOST_REQUEST_BYTES)?;
    match surface {
        Surface::OpenaiChat => openai::read(body),
        Surface::OpenaiResponses => responses::read(body),
        Surface::AnthropicMessages => anthropic::read(body),
        Surface::Gemini => {
            let model =
                path_model.ok_or_else(|| Failure::invalid("model", "the path names no model"))?;
            gemini::read(body, model.to_owned(), path_stream)
        }
        // What is sent for a published prompt is no chat before its template has been filled in.
        Surface::Plain => Err(Failure::new(
            FailureKind::InvalidRequest,
            "variables are read by the prompt that they are for",
        )),
    }
}

/// A request for a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Path and query.
    pub path: String,
    /// The body; `None` when the caller's own goes as it came.
    pub body: Option<Vec<u8>>,
    /// What could not be carried over.
    pub losses: Losses,
    /// Whether the answer is in the caller's own language and is passed on as it comes: a stream watched by [`crate::PassThrough`], a
    /// whole one read by [`read_response`] for what it took.
    pub native: bool,
}

/// Writes a request for a provider, whose own name of the model is `model`. `original` is the caller's body.
///
/// In the provider's own language the caller's body goes as it came; only what must change is changed (model, `include_usage`,
/// [`ChatRequest::bound`]), and nothing is dropped. A request that was changed ([`ChatRequest::changed`]) is written anew.
///
/// # Errors
/// The provider cannot take what the caller sent, such as a file that another provider keeps.
pub fn write_chat(
    request: &ChatRequest,
    original: &[u8],
    dialect: Dialect,
    model: &str,
) -> Result<Outgoing, Failure> {
    let path = dialect.chat_path(model, request.stream);
    let mut losses = Losses::default();
    let native = request.surface.native() == Some(dialect);
    if native && !request.changed && !holds_foreign_seal(original) {
        return Ok(Outgoing {
            path,
            body: changed(request, original, model)?,
            losses,
            native,
        });
    }
    let target = Target {
        request,
        dialect,
        model,
    };
    let body = match dialect {
        Dialect::Openai | Dialect::Mistral | Dialect::Moonshot => {
            openai::write(&target, &mut losses)?
        }
        Dialect::Anthropic => anthropic::write(&target, &mut losses)?,
        Dialect::Gemini => gemini::write(&target, &mut losses)?,
        Dialect::Ollama => ollama::write(&target, &mut losses)?,
    };
    Ok(Outgoing {
        path,
        body: Some(to_bytes(&body)),
        losses,
        native,
    })
}

/// The body with what must change, or `None` when nothing must.
pub(crate) fn changed(
    request: &ChatRequest,
    original: &[u8],
    model: &str,
) -> Result<Option<Vec<u8>>, Failure> {
    let counts = request.surface == Surface::OpenaiChat && request.stream && !request.stream_usage;
    let names = request.surface != Surface::Gemini && request.model != model;
    let bound = request.bound.filter(|_| request.max_output.is_none());
    if !counts && !names && bound.is_none() {
        return Ok(None);
    }
    let mut body = read_request(original, MOST_REQUEST_BYTES)?;
    if names {
        body.insert("model".to_owned(), Value::from(model));
    }
    if let Some(bound) = bound {
        put_bound(request.surface, bound, &mut body);
    }
    if counts {
        if !matches!(body.get("stream_options"), Some(Value::Object(_))) {
            body.insert("stream_options".to_owned(), Value::Object(Object::new()));
        }
        if let Some(Value::Object(options)) = body.get_mut("stream_options") {
            options.insert("include_usage".to_owned(), Value::Bool(true));
        }
    }
    Ok(Some(to_bytes(&body)))
}

fn put_bound(surface: Surface, bound: u64, body: &mut Object) {
    let (name, within) = match surface {
        Surface::OpenaiChat => ("max_completion_tokens", body),
        Surface::OpenaiResponses => ("max_output_tokens", body),
        Surface::AnthropicMessages => ("max_tokens", body),
        // It is no provider's own, so its body is always written anew.
        Surface::Plain => return,
        Surface::Gemini => {
            // Gemini takes both spellings; the caller's is kept.
            let name = ["generation_config", "generationConfig"]
                .into_iter()
                .find(|name| body.contains_key(*name))
                .unwrap_or("generationConfig");
            let config = body
                .entry(name)
                .or_insert_with(|| Value::Object(Object::new()));
            match config.as_object_mut() {
                Some(config) => ("maxOutputTokens", config),
                None => return,
            }
        }
    };
    within.insert(name.to_owned(), Value::from(bound));
}

/// Reads a provider's whole answer. `answer` is the gateway's id of the call.
///
/// # Errors
/// The answer is not what the dialect allows.
pub fn read_response(dialect: Dialect, answer: &str, body: &[u8]) -> Result<ChatResponse, Failure> {
    let body = read_answer(body)?;
    match dialect {
        Dialect::Openai | Dialect::Mistral | Dialect::Moonshot => {
            openai::read_response(body, dialect)
        }
        Dialect::Anthropic => anthropic::read_response(body),
        Dialect::Gemini => gemini::read_response(body, answer),
        Dialect::Ollama => ollama::read_response(body, answer),
    }
}

/// Writes a whole answer for a caller, and what could not be carried over. `native` says that it came from the caller's own language.
///
/// # Errors
/// The answer cannot be said in the caller's language: arguments of a call that are no JSON object.
pub fn write_response(
    surface: Surface,
    response: &ChatResponse,
    stamp: &Stamp,
    native: bool,
) -> Result<(Vec<u8>, Losses), Failure> {
    let mut losses = Losses::default();
    let body = match surface {
        Surface::OpenaiChat => openai::write_response(response, stamp, native, &mut losses),
        Surface::OpenaiResponses => responses::write_response(response, stamp, &mut losses)?,
        Surface::AnthropicMessages => {
            anthropic::write_response(response, stamp, native, &mut losses)?
        }
        Surface::Gemini => gemini::write_response(response, stamp, native, &mut losses)?,
        Surface::Plain => plain::write_response(response, stamp, &mut losses),
    };
    Ok((to_bytes(&body), losses))
}

#[cfg(test)]
#[path = "chat_fuzz.rs"]
mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;

    fn bounded(surface: Surface, dialect: Dialect, body: &str, bound: u64) -> Value {
        let mut request = read_chat(surface, Some("m"), false, body.as_bytes()).unwrap();
        request.bound = Some(bound);
        let outgoing = write_chat(&request, body.as_bytes(), dialect, "m").unwrap();
        let body = outgoing.body.unwrap_or_else(|| body.as_bytes().to_vec());
        serde_json::from_slice(&body).unwrap()
    }

    #[test]
    fn an_answer_without_a_bound_gets_the_one_that_was_reserved_for_it() {
        let chat = r#"{"model":"m","messages":[{"role":"user","content":"Hi"}]}"#;
        for (dialect, place) in [
            (Dialect::Openai, "/max_completion_tokens"),
            (Dialect::Moonshot, "/max_completion_tokens"),
            (Dialect::Mistral, "/max_tokens"),
            (Dialect::Anthropic, "/max_tokens"),
            (Dialect::Gemini, "/generationConfig/maxOutputTokens"),
            (Dialect::Ollama, "/options/num_predict"),
        ] {
            let sent = bounded(Surface::OpenaiChat, dialect, chat, 77);
            assert_eq!(sent.pointer(place), Some(&Value::from(77)), "{sent}");
        }
        let contents = r#"{"contents":[{"parts":[{"text":"Hi"}]}],"generation_config":{"topK":3}}"#;
        let sent = bounded(Surface::Gemini, Dialect::Gemini, contents, 77);
        assert_eq!(
            sent.pointer("/generation_config/maxOutputTokens"),
            Some(&Value::from(77))
        );
        assert_eq!(
            sent.pointer("/generation_config/topK"),
            Some(&Value::from(3))
        );
    }

    #[test]
    fn the_callers_own_bound_stays() {
        let chat = r#"{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"Hi"}]}"#;
        let sent = bounded(Surface::OpenaiChat, Dialect::Openai, chat, 77);
        assert_eq!(sent, serde_json::from_str::<Value>(chat).unwrap());
    }
}
