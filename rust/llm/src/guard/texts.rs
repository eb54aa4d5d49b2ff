//! The texts of a prompt, wherever they stand in it.

use serde_json::Value;

use crate::embeddings::{EmbeddingsInput, EmbeddingsRequest};
use crate::json::Object;
use crate::model::{ChatRequest, Message, Part, Role};

/// Members that hold bytes and seals rather than text.
const OPAQUE: [&str; 3] = ["data", "signature", "encrypted_content"];

/// What takes the place of a text, which may stand under a name; `None` leaves it.
pub type Change<'a> = dyn FnMut(Option<&str>, &str) -> Option<String> + 'a;

impl ChatRequest {
    /// Shows every text with who says it. Thoughts are left out: they are the model's own, and sealed.
    pub fn texts(&self, see: &mut dyn FnMut(Role, &str)) {
        for message in &self.messages {
            message.texts(see);
        }
    }

    /// Changes texts, the name of the user among them. Thoughts stay: their provider takes them back only as it sealed them.
    pub fn change_texts(&mut self, change: &mut Change<'_>) {
        for message in &mut self.messages {
            change_parts(&mut message.parts, change);
        }
        if let Some(user) = &mut self.user {
            put(None, user, change);
        }
    }
}

impl Message {
    /// Shows every text of it with who says it.
    pub fn texts(&self, see: &mut dyn FnMut(Role, &str)) {
        see_parts(self.role, &self.parts, see);
    }
}

impl EmbeddingsRequest {
    /// Shows every text; tokens are none.
    pub fn texts(&self, see: &mut dyn FnMut(Role, &str)) {
        if let EmbeddingsInput::Texts(texts) = &self.input {
            texts.iter().for_each(|text| see(Role::User, text));
        }
    }

    /// Changes texts.
    pub fn change_texts(&mut self, change: &mut Change<'_>) {
        if let EmbeddingsInput::Texts(texts) = &mut self.input {
            texts.iter_mut().for_each(|text| put(None, text, change));
        }
        if let Some(user) = &mut self.user {
            put(None, user, change);
        }
    }
}

fn see_parts(role: Role, parts: &[Part], see: &mut dyn FnMut(Role, &str)) {
    for part in parts {
        match part {
            Part::Text(text) => see(role, &text.text),
            Part::Refusal(text) => see(role, text),
            Part::ToolCall(call) => see(role, &call.arguments),
            // What a tool has read is somebody else's, whoever hands it over.
            Part::ToolResult(result) => see_parts(Role::Tool, &result.parts, see),
            Part::Other(object) => see_object(object, &mut |text| see(role, text)),
            Part::Media(_) | Part::Thinking(_) => {}
        }
    }
}

pub(super) fn see_object(object: &Object, see: &mut dyn FnMut(&str)) {
    for (name, value) in object {
        if !OPAQUE.contains(&name.as_str()) {
            see_value(value, see);
        }
    }
}

fn see_value(value: &Value, see: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => see(text),
        Value::Array(list) => list.iter().for_each(|value| see_value(value, see)),
        Value::Object(object) => see_object(object, see),
        _ => {}
    }
}

fn change_parts(parts: &mut [Part], change: &mut Change<'_>) {
    for part in parts {
        match part {
            Part::Text(text) => put(None, &mut text.text, change),
            Part::Refusal(text) => put(None, text, change),
            Part::ToolCall(call) => change_json(&mut call.arguments, change),
            Part::ToolResult(result) => change_parts(&mut result.parts, change),
            Part::Other(object) => change_object(object, change),
            Part::Media(_) | Part::Thinking(_) => {}
        }
    }
}

fn put(name: Option<&str>, text: &mut String, change: &mut Change<'_>) {
    if let Some(changed) = change(name, text) {
        *text = changed;
    }
}

/// Changes the texts within the text of a JSON value, which stays as it was written when nothing changes.
fn change_json(text: &mut String, change: &mut Change<'_>) {
    let Ok(mut value) = serde_json::from_str::<Value>(text) else {
        return put(None, text, change);
    };
    let mut changed = false;
    change_value(None, &mut value, &mut |name, text| {
        let new = change(name, text);
        changed |= new.is_some();
        new
    });
    if changed {
        *text = value.to_string();
    }
}

fn change_object(object: &mut Object, change: &mut Change<'_>) {
    for (name, value) in object.iter_mut() {
        if !OPAQUE.contains(&name.as_str()) {
            change_value(Some(name), value, change);
        }
    }
}

fn change_value(name: Option<&str>, value: &mut Value, change: &mut Change<'_>) {
    match value {
        Value::String(text) => put(name, text, change),
        Value::Array(list) => {
            for value in list {
                change_value(name, value, change);
            }
        }
        Value::Object(object) => change_object(object, change),
        _ => {}
    }
}
