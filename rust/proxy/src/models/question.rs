//! What is asked of a model, as a target gets it and as its answer comes back.

use bytes::Bytes;
use lockgate_llm::{
    ChatRequest, ChatResponse, ClientStream, EmbeddingsRequest, Failure, FinishReason, Losses,
    Outgoing, Stamp, Usage, check_count, estimated_count, read_response, translate_embeddings,
    write_chat, write_count, write_embeddings, write_response,
};
use lockgate_policy::{AnswerGuard, Refusal};

use super::ModelTarget;

/// What is asked.
#[derive(Clone, Copy)]
pub enum Question<'a> {
    /// An answer in a conversation.
    Chat(&'a ChatRequest),
    /// How many tokens a conversation has.
    Count(&'a ChatRequest),
    /// Texts as vectors.
    Embeddings(&'a EmbeddingsRequest),
}

/// How an answer comes about.
pub enum How {
    /// The provider is asked this.
    Provider(Outgoing),
    /// The gateway knows it, with what it could not say as well as the provider.
    Known((Vec<u8>, Losses)),
}

/// What is known of an answer beside its words.
#[derive(Debug, Clone, Copy, Default)]
pub struct Took {
    /// What it took.
    pub usage: Option<Usage>,
    /// Why it ended.
    pub reason: Option<FinishReason>,
}

/// A whole answer as the caller gets it.
pub struct Answered {
    /// In the caller's language.
    pub said: Bytes,
    /// What it took, and why it ended.
    pub took: Took,
    /// What could not be carried over.
    pub losses: Losses,
    /// Whether it came to an end of its own.
    pub has_ended: bool,
}

/// Why an answer does not reach the caller.
pub enum Unanswered {
    /// It is none.
    Failed(Failure),
    /// A policy withheld it; what it took.
    Withheld(Box<Refusal>, Took),
}

impl Took {
    fn of(response: &ChatResponse) -> Self {
        Self {
            usage: response.usage,
            reason: response.reason(),
        }
    }
}

impl From<Failure> for Unanswered {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Question<'_> {
    /// What is asked, as the conventions of OpenTelemetry name it; they have no name for a count.
    pub const fn operation(&self) -> &'static str {
        match self {
            Self::Chat(_) => "chat",
            Self::Count(_) => "count_tokens",
            Self::Embeddings(_) => "embeddings",
        }
    }

    /// The chat, when a stream is asked for.
    pub fn streamed(&self) -> Option<&ChatRequest> {
        match self {
            Self::Chat(chat) => Some(*chat).filter(|chat| chat.stream),
            Self::Count(_) | Self::Embeddings(_) => None,
        }
    }

    /// The request for a target, or what is answered without asking it; `body` is the caller's.
    ///
    /// # Errors
    /// The target's provider cannot be asked this.
    pub fn write(&self, target: &ModelTarget, body: &[u8]) -> Result<How, Failure> {
        let outgoing = match self {
            Self::Chat(chat) => write_chat(chat, body, target.dialect, &target.model)?,
            Self::Count(chat) => match write_count(chat, body, target.dialect, &target.model)? {
                Some(outgoing) => outgoing,
                None => return Ok(How::Known(estimated_count(chat))),
            },
            Self::Embeddings(asked) => {
                let (body, losses) = write_embeddings(asked, target.dialect, &target.model)?;
                let path = target.dialect.embeddings_path(&target.model);
                Outgoing {
                    // A dialect without a path was refused above.
                    path: path.unwrap_or_default(),
                    body: Some(body),
                    losses,
                    native: false,
                }
            }
        };
        Ok(How::Provider(outgoing))
    }

    /// What the call is, for those who keep answers.
    pub fn call(&self) -> &'static str {
        match self {
            Self::Chat(_) => "chat",
            Self::Count(_) => "count",
            Self::Embeddings(_) => "embeddings",
        }
    }

    /// The whole answer of a target for the caller.
    ///
    /// # Errors
    /// The answer is none, or may not reach the caller.
    pub fn answer(
        &self,
        target: &ModelTarget,
        (text, native): (Bytes, bool),
        stamp: &Stamp,
        guard: &mut AnswerGuard,
    ) -> Result<Answered, Unanswered> {
        match self {
            Self::Chat(chat) => {
                let mut response = read_response(target.dialect, &stamp.id, &text)?;
                let took = Took::of(&response);
                let has_ended = response.has_ended();
                let judged = guard.whole(&mut response);
                let changed = judged.map_err(|refusal| Unanswered::Withheld(refusal, took))?;
                let (said, losses) = match native && !changed {
                    true => (text, Losses::default()),
                    false => {
                        let said = write_response(chat.surface, &response, stamp, native)?;
                        (said.0.into(), said.1)
                    }
                };
                Ok(Answered {
                    said,
                    took,
                    losses,
                    has_ended,
                })
            }
            Self::Count(_) => {
                check_count(&text)?;
                Ok(Answered {
                    said: text,
                    took: Took::default(),
                    losses: Losses::default(),
                    has_ended: false,
                })
            }
            Self::Embeddings(asked) => {
                let (said, usage) = translate_embeddings(asked, target.dialect, stamp, &text)?;
                Ok(Answered {
                    said: said.into(),
                    took: Took {
                        usage,
                        reason: None,
                    },
                    losses: Losses::default(),
                    has_ended: true,
                })
            }
        }
    }

    /// What a stream said, as the whole answer that the caller asked for; whether it is of the caller's language.
    ///
    /// # Errors
    /// It cannot be said so, or may not reach the caller.
    pub fn write_again(
        chat: &ChatRequest,
        (mut response, native): (ChatResponse, bool),
        stamp: &Stamp,
        guard: &mut AnswerGuard,
    ) -> Result<Answered, Unanswered> {
        let took = Took::of(&response);
        let judged = guard.whole(&mut response);
        judged.map_err(|refusal| Unanswered::Withheld(refusal, took))?;
        let (said, losses) = write_response(chat.surface, &response, stamp, native)?;
        Ok(Answered {
            said: said.into(),
            took,
            losses,
            has_ended: true,
        })
    }

    /// A whole answer as the stream that the caller asked for; nothing when it cannot be said as one.
    ///
    /// # Errors
    /// The answer is none, or may not reach the caller.
    pub fn stream_again(
        chat: &ChatRequest,
        mut response: ChatResponse,
        stamp: &Stamp,
        guard: &mut AnswerGuard,
    ) -> Result<Option<Answered>, Unanswered> {
        let took = Took::of(&response);
        let judged = guard.whole(&mut response);
        judged.map_err(|refusal| Unanswered::Withheld(refusal, took))?;
        let Some(events) = response.events() else {
            return Ok(None);
        };
        let mut client = ClientStream::new(chat.surface, stamp.clone(), chat.stream_usage);
        let mut said = Vec::new();
        for event in &events {
            client.write(event, &mut said);
        }
        if let Some(failure) = client.failure() {
            return Err(failure.clone().into());
        }
        Ok(Some(Answered {
            said: said.into(),
            took,
            losses: client.losses().clone(),
            has_ended: true,
        }))
    }
}
