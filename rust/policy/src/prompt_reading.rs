//! Reading what a caller asks of a model.

use std::sync::Arc;

use http::HeaderMap;
use http::header::ACCEPT;
use lockgate_llm::{Call, Failure, PromptTemplate, Surface, read_chat, read_embeddings};

use crate::need::Need;
use crate::prompt::{Asked, AskedFor, Prompt, Recalled};
use crate::reason::{BODY_TOO_LARGE, MODEL_REQUEST, MODEL_UNKNOWN, NO_ROUTE, PROMPT_VARIABLES};
use crate::recorded_prompt::RecordedPrompt;
use crate::request::{Body, RequestView};
use crate::verdict::{Refusal, Verdict};

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
        Refusal::new(&MODEL_REQUEST, failure.message).into()
    }
}

impl From<Refusal> for Unread {
    fn from(refusal: Refusal) -> Self {
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
    let call = call.ok_or_else(|| Refusal::new(&NO_ROUTE, "no call to a model has this path"))?;
    let (surface, asked, name) = match (call, recorded) {
        (Call::Models(surface), _) => {
            return Ok(Prompt {
                model: None,
                surface: listed_for(request, surface),
                asked: Asked::Models,
                template: None,
                values: Vec::new(),
            });
        }
        (Call::Chat { surface, .. }, Some(prompt)) => {
            let (asked, name) = recall(prompt, AskedFor::Answer)?;
            (surface, asked, name)
        }
        (Call::Count, Some(prompt)) => {
            let (asked, name) = recall(prompt, AskedFor::Count)?;
            (Surface::AnthropicMessages, asked, name)
        }
        (Call::Embeddings, Some(prompt)) => {
            let (asked, name) = recall(prompt, AskedFor::Vectors)?;
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
        (Call::Count, None) => {
            let chat = read_chat(Surface::AnthropicMessages, None, false, body(request)?)?;
            let name = chat.model.clone();
            (
                Surface::AnthropicMessages,
                Asked::Count(Box::new(chat)),
                name,
            )
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
            template: None,
            values: Vec::new(),
        }),
        None => Err(unknown(models).into()),
    }
}

/// What was recorded of a call, and the model that it named.
fn recall(prompt: &Arc<RecordedPrompt>, asked_for: AskedFor) -> Result<(Asked, String), Unread> {
    let name = prompt.model.as_ref();
    let name =
        name.ok_or_else(|| Refusal::new(&MODEL_REQUEST, "what was asked could not be read"))?;
    let asked = Asked::Recorded(Recalled {
        asked_for,
        prompt: prompt.clone(),
        redacted: Vec::new(),
    });
    Ok((asked, name.to_string()))
}

/// Fills what a request sends into a published prompt. Of a recorded call whose body was not kept, figures are known and no words.
pub(crate) fn fill(
    request: &RequestView<'_>,
    template: &Arc<PromptTemplate>,
    recorded: Option<&Arc<RecordedPrompt>>,
    note: &mut dyn FnMut(&str, &Asked),
) -> Result<Prompt, Unread> {
    let prompt = |asked, values| Prompt {
        model: Some(template.model.clone()),
        surface: Surface::Plain,
        asked,
        template: Some(template.clone()),
        values,
    };
    if let Some(known) = recorded.filter(|_| !matches!(request.body, Body::Read(_))) {
        let (asked, _) = recall(known, AskedFor::Answer)?;
        return Ok(prompt(asked, Vec::new()));
    }
    let body = body_within(request, template.most_body())?;
    let filled = template.fill(body, wants_stream(request.headers));
    let filled = filled.map_err(|failure| {
        let refusal = Refusal::new(&PROMPT_VARIABLES, failure.message);
        Unread::from(refusal.with_remedy(template.takes()))
    })?;
    let asked = Asked::Chat(Box::new(filled.chat));
    note(&template.model, &asked);
    Ok(prompt(asked, filled.values))
}

/// Whether the answer is wanted in pieces: `Accept` names their media type before any other (RFC 9110 §12.5.1).
fn wants_stream(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| {
        let first = accept.split([',', ';']).next().unwrap_or_default();
        first.trim().eq_ignore_ascii_case("text/event-stream")
    })
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
    body_within(request, MOST)
}

/// The body, when it has at most so many bytes. What is known to have more is not asked for again.
fn body_within<'a>(request: &RequestView<'a>, most: usize) -> Result<&'a [u8], Unread> {
    if matches!(request.body, Body::TooLarge(known) if most <= known) {
        let detail = format!("the body has more than {most} bytes");
        return Err(Refusal::new(&BODY_TOO_LARGE, detail).into());
    }
    request.body_within(most).map_err(|verdict| match verdict {
        Verdict::Deny(refusal) => Unread::Refused(refusal),
        Verdict::Need(Need::Body(limit)) => Unread::Need(limit),
        _ => Refusal::new(&MODEL_REQUEST, "the body cannot be read").into(),
    })
}
