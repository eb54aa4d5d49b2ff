//! Reading what a caller asks of a model.

use std::sync::Arc;

use lockgate_llm::{Call, Failure, Surface, read_chat, read_embeddings};

use crate::prompt::{Asked, Prompt, Recalled};
use crate::reason::{BODY_TOO_LARGE, MODEL_REQUEST, MODEL_UNKNOWN, NO_ROUTE};
use crate::recorded_prompt::RecordedPrompt;
use crate::request::{Body, RequestView};
use crate::verdict::{Need, Refusal, Verdict};

/// The largest request to a model, in bytes. Pictures travel within it.
const MOST: usize = 32 * 1024 * 1024;

/// Why a prompt is not there.
#[derive(Debug)]
pub(crate) enum Unread {
    /// The body, of at most so many bytes.
    Need(usize),
    /// It cannot be read.
    Refused(Box<Refusal>),
}

impl From<Failure> for Unread {
    fn from(failure: Failure) -> Self {
        Self::refused(Refusal::new(&MODEL_REQUEST, failure.message))
    }
}

impl Unread {
    fn refused(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

/// Where a prompt is read.
pub(crate) struct Reading<'a> {
    pub request: &'a RequestView<'a>,
    /// The request's path without the version's base.
    pub path: &'a str,
    /// The models that may be named.
    pub models: &'a [Arc<str>],
    /// What was recorded of it, when the request was.
    pub recorded: Option<&'a Arc<RecordedPrompt>>,
}

/// Reads what a request asks of a model; `note` hears of it before anybody looks whether there is such a model.
pub(crate) fn read(
    reading: &Reading<'_>,
    note: &mut dyn FnMut(&str, &Asked),
) -> Result<Prompt, Unread> {
    let Reading {
        request,
        path,
        models,
        recorded,
    } = *reading;
    let call = Call::of(request.method.as_str(), path);
    let call = call.ok_or_else(|| {
        Unread::refused(Refusal::new(&NO_ROUTE, "no call to a model has this path"))
    })?;
    let (surface, asked, name) = match (call, recorded) {
        (Call::Models(surface), _) => {
            return Ok(Prompt {
                model: None,
                surface: listed_for(request, surface),
                asked: Asked::Models,
            });
        }
        (Call::Chat { surface, .. }, Some(prompt)) => {
            let (asked, name) = recall(prompt, false)?;
            (surface, asked, name)
        }
        (Call::Embeddings, Some(prompt)) => {
            let (asked, name) = recall(prompt, true)?;
            (Surface::OpenaiChat, asked, name)
        }
        (
            Call::Chat {
                surface,
                model,
                stream,
            },
            None,
        ) => {
            let chat = read_chat(surface, model.as_deref(), stream, body(request)?)?;
            let name = chat.model.clone();
            (surface, Asked::Chat(Box::new(chat)), name)
        }
        (Call::Embeddings, None) => {
            let asked = read_embeddings(body(request)?)?;
            let name = asked.model.clone();
            let asked = Asked::Embeddings(Box::new(asked));
            (Surface::OpenaiChat, asked, name)
        }
    };
    note(&name, &asked);
    match models.iter().find(|known| ***known == *name) {
        Some(model) => Ok(Prompt {
            model: Some(model.clone()),
            surface,
            asked,
        }),
        None => Err(Unread::refused(unknown(models))),
    }
}

/// What was recorded of a call, and the model that it named.
fn recall(prompt: &Arc<RecordedPrompt>, embeddings: bool) -> Result<(Asked, String), Unread> {
    let name = prompt.model.as_ref().ok_or_else(|| {
        Unread::refused(Refusal::new(
            &MODEL_REQUEST,
            "what was asked could not be read",
        ))
    })?;
    let asked = Asked::Recorded(Recalled {
        embeddings,
        prompt: prompt.clone(),
        redacted: Vec::new(),
    });
    Ok((asked, name.to_string()))
}

/// The language of a list of models: three client libraries ask for it by one path, and tell themselves apart by their fields.
fn listed_for(request: &RequestView<'_>, surface: Surface) -> Surface {
    let has = |name| request.headers.contains_key(name);
    if has("anthropic-version") {
        Surface::AnthropicMessages
    } else if has("x-goog-api-client") || has("x-goog-api-key") {
        Surface::Gemini
    } else {
        surface
    }
}

/// Names what there is: the name that was asked for is the caller's, and is not repeated.
fn unknown(models: &[Arc<str>]) -> Refusal {
    Refusal::new(
        &MODEL_UNKNOWN,
        format!("the models here are `{}`", models.join("`, `")),
    )
}

fn body<'a>(request: &RequestView<'a>) -> Result<&'a [u8], Unread> {
    if matches!(request.body, Body::TooLarge(known) if known >= MOST) {
        let detail = format!("the body has more than {MOST} bytes");
        return Err(Unread::refused(Refusal::new(&BODY_TOO_LARGE, detail)));
    }
    request.body_within(MOST).map_err(|verdict| match verdict {
        Verdict::Deny(refusal) => Unread::Refused(refusal),
        Verdict::Need(Need::Body(limit)) => Unread::Need(limit),
        _ => Unread::refused(Refusal::new(&MODEL_REQUEST, "the body cannot be read")),
    })
}
