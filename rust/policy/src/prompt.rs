//! What a caller asks of a model.

use std::sync::Arc;

use lockgate_llm::guard::Redaction;
use lockgate_llm::{ChatRequest, EmbeddingsRequest, Estimate, PromptTemplate, Role, Surface};

/// What a caller asks of a model.
#[derive(Debug)]
pub struct Prompt {
    /// The model, as the gateway names it; none when the models are listed.
    pub model: Option<Arc<str>>,
    /// The language in which it was asked.
    pub surface: Surface,
    /// What is asked.
    pub asked: Asked,
    /// The published prompt that it was filled into.
    pub template: Option<Arc<PromptTemplate>>,
    /// The values that were filled in.
    pub values: Vec<String>,
}

/// What is asked of a model.
#[derive(Debug, Clone)]
pub enum Asked {
    /// An answer in a conversation.
    Chat(Box<ChatRequest>),
    /// How many tokens a conversation has.
    Count(Box<ChatRequest>),
    /// Texts as vectors.
    Embeddings(Box<EmbeddingsRequest>),
    /// Which models there are.
    Models,
}

/// What is asked in place of what the caller asked, and what the answer gets back.
#[derive(Debug)]
pub struct Rewritten {
    /// What is asked.
    pub asked: Asked,
    /// What was taken out, when it is put back in the answer.
    pub taken_out: Option<Redaction>,
}

impl Prompt {
    /// The most tokens that the call can take; `most` is how long an answer may be when the caller names no bound.
    pub(crate) fn estimate(&self, most: u64) -> Option<Estimate> {
        match &self.asked {
            Asked::Chat(chat) => Some(Estimate::of(chat, most)),
            Asked::Embeddings(asked) => Some(Estimate {
                input: asked.worst_case(),
                output: 0,
                bounded: true,
            }),
            Asked::Count(_) | Asked::Models => None,
        }
    }

    /// Whether a model answers: a count and a list cost nothing.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(self.asked, Asked::Chat(_) | Asked::Embeddings(_))
    }

    /// Shows every text with who says it: what an author of a prompt says is no caller's, and what holds a caller's value is. Such a
    /// value is also shown alone, as the author's words around it could hide it.
    pub(crate) fn texts(&self, see: &mut dyn FnMut(Role, &str)) {
        match (&self.template, &self.asked) {
            (Some(template), Asked::Chat(chat)) => {
                for (place, message) in chat.messages.iter().enumerate() {
                    let role = template.said_by(place);
                    message.texts(&mut |_, text| see(role, text));
                }
                self.values.iter().for_each(|value| see(Role::User, value));
            }
            (_, asked) => asked.texts(see),
        }
    }
}

impl Asked {
    fn texts(&self, see: &mut dyn FnMut(Role, &str)) {
        match self {
            Self::Chat(chat) | Self::Count(chat) => chat.texts(see),
            Self::Embeddings(asked) => asked.texts(see),
            Self::Models => {}
        }
    }
}
