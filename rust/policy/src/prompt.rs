//! What a caller asks of a model.

use std::sync::Arc;

use lockgate_llm::guard::{Class, Redaction, Shapes};
use lockgate_llm::{
    ChatRequest, EmbeddingsRequest, Estimate, Figures, PromptTemplate, Role, Surface,
};

use crate::need::Need;
use crate::recorded_prompt::{RecordedPrompt, TakenOut};

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
    /// What a recording holds of a call: live, nothing is asked so.
    Recorded(Recalled),
}

/// A call that was recorded, as a replay judges it.
#[derive(Debug, Clone)]
pub struct Recalled {
    /// What was asked for.
    pub asked_for: AskedFor,
    /// What is known of it.
    pub prompt: Arc<RecordedPrompt>,
    /// What policies took out of it before a provider would see it.
    pub redacted: Vec<Class>,
}

/// What a recorded call asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedFor {
    /// An answer in words.
    Answer,
    /// How many tokens a chat has.
    Count,
    /// Texts as vectors.
    Vectors,
}

/// What is asked in place of what the caller asked, and what the answer gets back.
#[derive(Debug)]
pub struct Rewritten {
    /// What is asked.
    pub asked: Asked,
    /// What was taken out, when it is put back in the answer.
    pub taken_out: Option<Redaction>,
}

/// A text of a prompt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    pub role: Role,
    pub text: &'a str,
    /// What was found in the whole text, when only a part of it was recorded.
    pub taken_out: Option<&'a TakenOut>,
}

impl<'a> Said<'a> {
    /// A text that is here.
    const fn whole(role: Role, text: &'a str) -> Self {
        Self {
            role,
            text,
            taken_out: None,
        }
    }

    /// What of keys and personal data it holds, or held.
    pub(crate) fn classes(&self, shapes: &Shapes) -> Vec<Class> {
        match self.taken_out {
            Some(known) => known.classes.clone(),
            None => {
                let found = shapes.find(self.text).into_iter();
                found.map(|finding| finding.class).collect()
            }
        }
    }
}

impl Prompt {
    /// The most tokens that the call can take; `most` is how long an answer may be when the caller names no bound.
    pub(crate) fn estimate(&self, most: u64) -> Result<Option<Estimate>, Need> {
        match (&self.asked, self.asked.figures()) {
            (Asked::Recorded(_), None) => Err(Need::Recorded("the most that the call could take")),
            (_, figures) => Ok(figures.map(|figures| figures.within(most))),
        }
    }

    /// Whether a model answers: a count and a list cost nothing.
    pub(crate) fn is_answered(&self) -> bool {
        match &self.asked {
            Asked::Chat(_) | Asked::Embeddings(_) => true,
            Asked::Recorded(recalled) => recalled.asked_for != AskedFor::Count,
            Asked::Count(_) | Asked::Models => false,
        }
    }

    /// Shows every text with who says it: what an author of a prompt says is no caller's, and what holds a caller's value is. Such a
    /// value is also shown alone, as the author's words around it could hide it.
    ///
    /// # Errors
    /// What of them was not recorded.
    pub(crate) fn texts(&self, see: &mut dyn FnMut(Said<'_>)) -> Result<(), Need> {
        if let Asked::Recorded(recalled) = &self.asked {
            match &recalled.prompt.texts {
                None => return Err(Need::Recorded("the prompt")),
                Some(texts) if texts.cut => return Err(Need::Recorded("the end of the prompt")),
                Some(_) => {}
            }
        }
        match (&self.template, &self.asked) {
            (Some(template), Asked::Chat(chat)) => {
                for (place, message) in chat.messages.iter().enumerate() {
                    let role = template.said_by(place);
                    message.texts(&mut |_, text| see(Said::whole(role, text)));
                }
                for value in &self.values {
                    see(Said::whole(Role::User, value));
                }
            }
            (_, asked) => asked.texts(see),
        }
        Ok(())
    }
}

impl Asked {
    /// How much is asked for; `None` when no model is asked, or nobody wrote it down.
    pub(crate) fn figures(&self) -> Option<Figures> {
        match self {
            Self::Chat(chat) => Some(Figures::of(chat)),
            Self::Embeddings(asked) => Some(Figures {
                input: asked.worst_case(),
                bounded: true,
                max_output: Some(0),
                candidates: 1,
            }),
            Self::Count(_) | Self::Models => None,
            Self::Recorded(recalled) => recalled.prompt.figures,
        }
    }

    /// Shows every text that is there.
    pub(crate) fn texts(&self, see: &mut dyn FnMut(Said<'_>)) {
        let mut sent = |role, text: &str| see(Said::whole(role, text));
        match self {
            Self::Chat(chat) | Self::Count(chat) => chat.texts(&mut sent),
            Self::Embeddings(asked) => asked.texts(&mut sent),
            Self::Models => {}
            Self::Recorded(recalled) => {
                for said in recalled.prompt.texts.iter().flat_map(|texts| &texts.said) {
                    see(Said {
                        role: said.role,
                        text: &said.text,
                        taken_out: said.taken_out.as_ref(),
                    });
                }
            }
        }
    }
}
