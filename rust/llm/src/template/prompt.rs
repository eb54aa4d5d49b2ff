//! A published prompt: what a model is told and asked with the values that a caller sent.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Number, Value};

use super::TextWithVariables;
use crate::chat::MOST_REQUEST_BYTES;
use crate::dialect::Surface;
use crate::failure::Failure;
use crate::json::{read_request, short};
use crate::model::{ChatRequest, Message, Part, Role};

/// The most bytes of a character in JSON, where it is written as two escapes.
const ESCAPED: usize = 12;
/// The most faults of one request that are named.
const MOST_FAULTS: usize = 8;

/// A prompt with variables.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptTemplate {
    /// The model that is asked, as the gateway names it.
    pub model: Arc<str>,
    /// What it is told and asked, in order.
    pub messages: Vec<(Role, TextWithVariables)>,
    /// What callers send.
    pub variables: Vec<PromptVariable>,
    /// The most tokens of an answer.
    pub max_output: Option<u64>,
    /// How much the answers to one question may differ.
    pub temperature: Option<Number>,
}

/// A value that callers send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptVariable {
    /// Its name.
    pub name: String,
    /// What stands for it when it is not sent; without it, it must be.
    pub default: Option<String>,
    /// The most characters.
    pub max_length: usize,
}

/// A prompt with the values that a caller sent.
#[derive(Debug)]
pub struct FilledPrompt {
    /// What is asked.
    pub chat: ChatRequest,
    /// The values alone: the words around one may hide what it says.
    pub values: Vec<String>,
}

impl PromptVariable {
    /// What may be sent for it.
    fn takes(&self) -> String {
        let many = self.max_length;
        format!("text or a number of at most {many} characters")
    }
}

impl PromptTemplate {
    /// Fills in the values of a body, which is a JSON object of variables.
    ///
    /// # Errors
    /// The body is no such object: what is wrong with which variable, and what it takes.
    pub fn fill(&self, body: &[u8], stream: bool) -> Result<FilledPrompt, Failure> {
        let sent = read_request(body, self.most_body())?;
        let mut values: HashMap<&str, String> = HashMap::with_capacity(self.variables.len());
        let mut faults: Vec<(String, String)> = Vec::new();
        for (name, value) in sent {
            let Some(variable) = self.variable(&name) else {
                let name = short(&name);
                let fault = format!("`{name}` is no variable of this prompt");
                faults.push((name, fault));
                continue;
            };
            match read_value(variable, value) {
                Ok(value) => drop(values.insert(&variable.name, value)),
                Err(fault) => faults.push((variable.name.clone(), fault)),
            }
        }
        for variable in &self.variables {
            let name = &variable.name;
            let named = values.contains_key(name.as_str())
                || faults.iter().any(|(faulty, _)| faulty == name);
            if variable.default.is_none() && !named {
                let fault = format!("`{name}` is missing; send {}", variable.takes());
                faults.push((name.clone(), fault));
            }
        }
        if let Some((first, _)) = faults.first() {
            let named = faults.iter().take(MOST_FAULTS);
            let mut words: Vec<&str> = named.map(|(_, fault)| fault.as_str()).collect();
            if faults.len() > MOST_FAULTS {
                words.push("and more");
            }
            return Err(Failure::invalid(first.clone(), words.join("; ")));
        }
        Ok(FilledPrompt {
            chat: self.request(&values, stream),
            values: values.into_values().collect(),
        })
    }

    fn request(&self, sent: &HashMap<&str, String>, stream: bool) -> ChatRequest {
        let value = |name: &str| {
            let default = || self.variable(name)?.default.as_deref();
            sent.get(name).map(String::as_str).or_else(default)
        };
        let messages = self.messages.iter().map(|(role, text)| {
            // INVARIANT: what has no default was sent.
            let text = text.fill(|name| value(name).unwrap_or_default());
            Message::new(*role, vec![Part::text(text)])
        });
        ChatRequest {
            messages: messages.collect(),
            max_output: self.max_output,
            temperature: self.temperature.clone(),
            stream,
            ..ChatRequest::new(Surface::Plain, &*self.model)
        }
    }

    fn variable(&self, name: &str) -> Option<&PromptVariable> {
        let mut variables = self.variables.iter();
        variables.find(|variable| variable.name == name)
    }

    /// The most bytes of a body that holds nothing but its variables.
    #[must_use]
    pub fn most_body(&self) -> usize {
        let members = self.variables.iter().map(|variable| {
            let value = variable.max_length.saturating_mul(ESCAPED);
            value.saturating_add(variable.name.len() * ESCAPED)
        });
        let sum = members.fold(4 * 1024, usize::saturating_add);
        sum.min(MOST_REQUEST_BYTES)
    }

    /// The most bytes that its texts can become.
    #[must_use]
    pub fn most_bytes(&self) -> usize {
        let most = |name: &str| {
            // A character has at most four bytes in UTF-8.
            self.variable(name)
                .map_or(0, |variable| variable.max_length.saturating_mul(4))
        };
        let texts = self.messages.iter();
        texts.fold(0, |sum: usize, (_, text)| {
            sum.saturating_add(text.most_bytes(most))
        })
    }

    /// What callers send, in words: `text`, and `audience` if you like.
    #[must_use]
    pub fn takes(&self) -> String {
        let names = |optional: bool| {
            let variables = self.variables.iter();
            let wanted = variables.filter(|variable| variable.default.is_some() == optional);
            let names: Vec<String> = wanted
                .map(|variable| format!("`{}`", variable.name))
                .collect();
            names.join(", ")
        };
        match (names(false), names(true)) {
            (needed, optional) if needed.is_empty() && optional.is_empty() => {
                "send an empty JSON object: `{}`".to_owned()
            }
            (needed, optional) if optional.is_empty() => {
                format!("send a JSON object with {needed}")
            }
            (needed, optional) if needed.is_empty() => {
                format!("send a JSON object, with {optional} if you like")
            }
            (needed, optional) => {
                format!("send a JSON object with {needed}, and with {optional} if you like")
            }
        }
    }

    /// Who says the message at this place, for those who judge what is said: one that holds a variable is the caller's, whatever its
    /// role is, and any other is the author's.
    #[must_use]
    pub fn said_by(&self, place: usize) -> Role {
        let holds_variable =
            |(_, text): &(Role, TextWithVariables)| text.variables().next().is_some();
        if self.messages.get(place).is_some_and(holds_variable) {
            Role::User
        } else {
            Role::System
        }
    }
}

/// The text of a value. Nothing else than text and numbers has one that everybody would write alike.
fn read_value(variable: &PromptVariable, value: Value) -> Result<String, String> {
    let name = &variable.name;
    let text = match value {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        other => {
            let found = match other {
                Value::Null => "`null`",
                Value::Bool(_) => "`true` or `false`",
                Value::Array(_) => "a list",
                _ => "an object",
            };
            return Err(format!("`{name}` is {found}; send {}", variable.takes()));
        }
    };
    let length = text.chars().count();
    if length > variable.max_length {
        let most = variable.max_length;
        return Err(format!(
            "`{name}` has {length} characters; send at most {most}"
        ));
    }
    Ok(text)
}

#[cfg(test)]
#[path = "prompt_tests.rs"]
mod tests;
