//! What a recording holds of a call to a model, in the form that policies judge.

use std::sync::Arc;

use lockgate_llm::guard::{Class, Signal};
use lockgate_llm::{Figures, Role};
use lockgate_policy::gateway_reasons::ANSWER_WITHHELD;
use lockgate_policy::{RecordedPrompt, RecordedText, RecordedTexts, TakenOut};
use lockgate_recording::{Event, ModelCall, Said, Word, Words};

/// What was asked of a model. Events of older releases name the model of a call that was answered, and no more.
pub fn prompt(event: &Event) -> Option<Arc<RecordedPrompt>> {
    let prompt = match (&event.prompt, &event.model_call) {
        (Some(prompt), _) => RecordedPrompt {
            model: prompt.model.clone(),
            figures: prompt.input.map(|input| Figures {
                input,
                bounded: !prompt.unbounded,
                max_output: prompt.max_output,
                candidates: prompt.candidates.unwrap_or(1),
            }),
            texts: prompt.words.as_ref().map(texts),
        },
        (None, Some(call)) if !call.model.is_empty() => RecordedPrompt {
            model: Some(call.model.clone()),
            ..RecordedPrompt::default()
        },
        _ => return None,
    };
    Some(Arc::new(prompt))
}

/// What a recording says of the answer of a model.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// There was none.
    None,
    /// There was one.
    NotKept,
    /// What it said.
    Kept(RecordedTexts),
}

impl Answer {
    /// The answer to a recorded request.
    pub fn read(event: &Event) -> Self {
        match (&event.answer, &event.model_call) {
            (Some(words), _) => Self::Kept(texts(words)),
            (None, Some(call)) if is_answered(call) => Self::NotKept,
            _ => Self::None,
        }
    }
}

fn is_answered(call: &ModelCall) -> bool {
    let failure = call.failure.as_deref();
    !call.model.is_empty()
        && !call.given_back
        && failure.is_none_or(|code| code == ANSWER_WITHHELD.code)
}

fn texts(words: &Words) -> RecordedTexts {
    let mut cut = words.cut;
    let said = words.said.iter().filter_map(|said| {
        let text = text(said);
        // What a later release wrote and this one cannot read is not there.
        cut |= text.is_none();
        text
    });
    let said = said.collect();
    RecordedTexts { said, cut }
}

fn text(said: &Said) -> Option<RecordedText> {
    let role = match &*said.by {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        _ => return None,
    };
    let taken_out = match &said.taken_out {
        None => None,
        Some(known) => Some(TakenOut {
            classes: all(&known.data, Class::named)?,
            signals: all(&known.attempts, Signal::named)?,
        }),
    };
    Some(RecordedText {
        role,
        text: said.text.to_string(),
        taken_out,
    })
}

fn all<T>(words: &[Word], named: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    words.iter().map(|word| named(word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(by: &'static str, data: &[&'static str]) -> Event {
        let said = Said {
            by: by.into(),
            text: "a [EMAIL_1]".into(),
            taken_out: Some(lockgate_recording::TakenOut {
                data: data.iter().map(|word| (*word).into()).collect(),
                attempts: vec!["override".into()],
            }),
        };
        let words = Words {
            said: vec![said],
            cut: false,
        };
        Event {
            prompt: Some(Box::new(lockgate_recording::Prompt {
                model: Some("fast".into()),
                words: Some(words),
                ..lockgate_recording::Prompt::default()
            })),
            ..Event::default()
        }
    }

    #[test]
    fn what_a_later_release_has_taken_out_is_not_taken_for_known() {
        let texts = |event: &Event| prompt(event).unwrap().texts.clone().unwrap();
        let known = texts(&asked("user", &["email"]));
        assert_eq!((known.said.len(), known.cut), (1, false));
        for event in [asked("oracle", &["email"]), asked("user", &["passport"])] {
            let texts = texts(&event);
            assert_eq!((texts.said.len(), texts.cut), (0, true));
        }
    }

    #[test]
    fn a_recording_of_an_older_release_names_the_model_alone() {
        let event = Event {
            v: 2,
            model_call: Some(Box::new(ModelCall {
                model: "fast".into(),
                ..ModelCall::default()
            })),
            ..Event::default()
        };
        let known = prompt(&event).unwrap();
        assert_eq!(
            (known.model.as_deref(), known.figures),
            (Some("fast"), None)
        );
        assert_eq!(Answer::read(&event), Answer::NotKept);
        assert_eq!(prompt(&Event::default()), None);
    }
}
