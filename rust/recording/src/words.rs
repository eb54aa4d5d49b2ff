//! What was said in a call to a model: recorded only where the document says so, and never with a key in it.

use std::ops::Not;
use std::sync::LazyLock;

use lockgate_llm::guard::{Class, Injection, Redaction, Shapes};
use serde::{Deserialize, Serialize};

use crate::mask::Mask;
use crate::text::{Text, Word};

/// What was asked of a model: in figures, and in words where the document says so.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Prompt {
    /// The model, as the caller named it; absent when what was asked could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Text>,
    /// The most tokens that the question can take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<u64>,
    /// Whether `input` is no bound: the question refers to what the gateway does not see.
    #[serde(skip_serializing_if = "Not::not")]
    pub unbounded: bool,
    /// The most tokens that the caller asked for in one answer, where it named a bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output: Option<u64>,
    /// How many answers it asked for, when not one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidates: Option<u64>,
    /// What it said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<Words>,
}

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Words {
    /// The texts, in order.
    pub said: Vec<Said>,
    /// Whether more was said.
    #[serde(skip_serializing_if = "Not::not")]
    pub cut: bool,
}

/// One text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Said {
    /// Who says it: `system`, `user`, `assistant`, `tool`.
    pub by: Word,
    /// The text; placeholders such as `[EMAIL_1]` stand where something was taken out.
    pub text: Text,
    /// What was found in it, when something was taken out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_out: Option<TakenOut>,
}

/// What a text held before something was taken out of it: all that guards look for, so that a replay can judge it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TakenOut {
    /// Keys and personal data, by their names: `secret`, `email`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<Word>,
    /// Attempts to talk the model out of its instructions, by their names: `override`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Word>,
}

/// The detectors of the policies. Tests of their crate build them.
static DETECTORS: LazyLock<Option<(Shapes, Injection)>> =
    LazyLock::new(|| Some((Shapes::new().ok()?, Injection::new().ok()?)));

impl Words {
    /// Takes out everything that is a key or personal data by its shape, whatever policies there are.
    pub(crate) fn mask(&mut self, mask: &Mask) {
        let Some((shapes, injection)) = &*DETECTORS else {
            self.said.clear();
            self.cut = true;
            return;
        };
        let mut redaction = Redaction::default();
        for said in &self.said {
            redaction.spare(&said.text);
        }
        let last = self.said.len().saturating_sub(1);
        for (at, said) in self.said.iter_mut().enumerate() {
            // Masked again, it stays as it is.
            if said.taken_out.is_some() {
                continue;
            }
            let mut text = &*said.text;
            if self.cut && at == last {
                // What the limit cut through may be the beginning of a key.
                text = text.get(..shapes.sound_until(text)).unwrap_or_default();
            }
            let redacted = redaction.redact(shapes, &Class::ALL, text);
            let masked = mask.shapes(&redacted.text);
            if redacted.replaced == 0 && masked.is_none() {
                if text.len() < said.text.len() {
                    said.text = text.into();
                }
                continue;
            }
            let mut data: Vec<Word> = Vec::new();
            for finding in shapes.find(text) {
                let name = Word::Borrowed(finding.class.name());
                if !data.contains(&name) {
                    data.push(name);
                }
            }
            let attempts = injection.signals(text).into_iter();
            let attempts = attempts.map(|signal| Word::Borrowed(signal.name()));
            said.taken_out = Some(TakenOut {
                data,
                attempts: attempts.collect(),
            });
            said.text = masked.unwrap_or(redacted.text).into();
        }
    }
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
