//! Reading what a caller asks of a model.

use std::sync::Arc;

use lockgate_llm::{Call, Failure, Surface, read_chat, read_embeddings};

use crate::prompt::{Asked, Prompt};
use crate::reason::{MODEL_REQUEST, MODEL_UNKNOWN, NO_ROUTE};
use crate::request::RequestView;
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

/// Reads what a request asks of one of `models`; `path` is the request's without the version's base.
pub(crate) fn read(
    (request, path): (&RequestView<'_>, &str),
    models: &[Arc<str>],
) -> Result<Prompt, Unread> {
    let call = Call::of(request.method.as_str(), path);
    let call = call.ok_or_else(|| {
        Unread::refused(Refusal::new(&NO_ROUTE, "no call to a model has this path"))
    })?;
    let (surface, asked, name) = match call {
        Call::Models(surface) => {
            return Ok(Prompt {
                model: None,
                surface: listed_for(request, surface),
                asked: Asked::Models,
            });
        }
        Call::Chat {
            surface,
            model,
            stream,
        } => {
            let chat = read_chat(surface, model.as_deref(), stream, body(request)?)?;
            let name = chat.model.clone();
            (surface, Asked::Chat(Box::new(chat)), name)
        }
        Call::Embeddings => {
            let asked = read_embeddings(body(request)?)?;
            let name = asked.model.clone();
            let asked = Asked::Embeddings(Box::new(asked));
            (Surface::OpenaiChat, asked, name)
        }
    };
    match models.iter().find(|known| ***known == *name) {
        Some(model) => Ok(Prompt {
            model: Some(model.clone()),
            surface,
            asked,
        }),
        None => Err(Unread::refused(unknown(models))),
    }
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
    request.body_within(MOST).map_err(|verdict| match verdict {
        Verdict::Deny(refusal) => Unread::Refused(refusal),
        Verdict::Need(Need::Body(limit)) => Unread::Need(limit),
        _ => Unread::refused(Refusal::new(&MODEL_REQUEST, "the body cannot be read")),
    })
}
