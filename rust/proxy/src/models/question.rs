//! What is asked of a model, as a target gets it and as its answer comes back.

use bytes::Bytes;
use lockgate_llm::{
    ChatRequest, EmbeddingsRequest, Failure, Losses, Outgoing, Stamp, Usage, read_response,
    translate_embeddings, write_chat, write_embeddings, write_response,
};
use lockgate_policy::{AnswerGuard, Refusal};

use super::ModelTarget;

/// What is asked.
#[derive(Clone, Copy)]
pub enum Question<'a> {
    /// An answer in a conversation.
    Chat(&'a ChatRequest),
    /// Texts as vectors.
    Embeddings(&'a EmbeddingsRequest),
}

/// Why an answer does not reach the caller.
pub enum Unanswered {
    /// It is none.
    Failed(Failure),
    /// A policy withheld it; what it took.
    Withheld(Box<Refusal>, Option<Usage>),
}

impl From<Failure> for Unanswered {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Question<'_> {
    /// The chat, when a stream is asked for.
    pub fn streamed(&self) -> Option<&ChatRequest> {
        match self {
            Self::Chat(chat) => Some(*chat).filter(|chat| chat.stream),
            Self::Embeddings(_) => None,
        }
    }

    /// The request for a target; `body` is the caller's.
    ///
    /// # Errors
    /// The target's provider cannot be asked this.
    pub fn write(&self, target: &ModelTarget, body: &[u8]) -> Result<Outgoing, Failure> {
        match self {
            Self::Chat(chat) => write_chat(chat, body, target.dialect, &target.model),
            Self::Embeddings(asked) => {
                let (body, losses) = write_embeddings(asked, target.dialect, &target.model)?;
                let path = target.dialect.embeddings_path(&target.model);
                Ok(Outgoing {
                    // A dialect without a path was refused above.
                    path: path.unwrap_or_default(),
                    body: Some(body),
                    losses,
                    native: false,
                })
            }
        }
    }

    /// The whole answer of a target for the caller, what it took, and what could not be carried over.
    ///
    /// # Errors
    /// The answer is none, or may not reach the caller.
    pub fn answer(
        &self,
        target: &ModelTarget,
        (text, native): (Bytes, bool),
        stamp: &Stamp,
        guard: &mut AnswerGuard,
    ) -> Result<(Bytes, Option<Usage>, Losses), Unanswered> {
        match self {
            Self::Chat(chat) => {
                let mut response = read_response(target.dialect, &stamp.id, &text)?;
                let usage = response.usage;
                let judged = guard.whole(&mut response);
                let changed = judged.map_err(|refusal| Unanswered::Withheld(refusal, usage))?;
                if native && !changed {
                    return Ok((text, usage, Losses::default()));
                }
                let (said, losses) = write_response(chat.surface, &response, stamp, native)?;
                Ok((said.into(), usage, losses))
            }
            Self::Embeddings(asked) => {
                let (said, usage) = translate_embeddings(asked, target.dialect, stamp, &text)?;
                Ok((said.into(), usage, Losses::default()))
            }
        }
    }
}
