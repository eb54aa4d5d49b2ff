//! What is asked of a model, as a target gets it and as its answer comes back.

use bytes::Bytes;
use lockgate_llm::{
    ChatRequest, EmbeddingsRequest, Failure, Losses, Outgoing, Stamp, Usage, read_response,
    translate_embeddings, write_chat, write_embeddings, write_response,
};

use super::ModelTarget;

/// What is asked.
#[derive(Clone, Copy)]
pub enum Question<'a> {
    /// An answer in a conversation.
    Chat(&'a ChatRequest),
    /// Texts as vectors.
    Embeddings(&'a EmbeddingsRequest),
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
    /// The answer is none.
    pub fn answer(
        &self,
        target: &ModelTarget,
        (text, native): (Bytes, bool),
        stamp: &Stamp,
    ) -> Result<(Bytes, Option<Usage>, Losses), Failure> {
        match self {
            Self::Chat(chat) => {
                let response = read_response(target.dialect, &stamp.id, &text)?;
                if native {
                    return Ok((text, response.usage, Losses::default()));
                }
                let (said, losses) = write_response(chat.surface, &response, stamp, false)?;
                Ok((said.into(), response.usage, losses))
            }
            Self::Embeddings(asked) => {
                let (said, usage) = translate_embeddings(asked, target.dialect, stamp, &text)?;
                Ok((said.into(), usage, Losses::default()))
            }
        }
    }
}
