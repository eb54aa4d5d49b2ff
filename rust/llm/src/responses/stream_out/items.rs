//! The items of a streamed response: opened, filled piece by piece, and closed.

use serde_json::Value;

use crate::json::{Object, object};
use crate::model::Signature;
use crate::responses::response::{call, message, output_text, reasoning, refusal, seal};
use crate::signature::Belongs;

use super::Writer;
use super::open::{Kind, Open};

impl Writer {
    /// Where the open item stands, and its piece, which is always the first.
    pub(super) fn item_event(&self, place: &str) -> Object {
        let id = self
            .open
            .as_ref()
            .map(|open| open.id.as_str())
            .unwrap_or_default();
        let mut event = object! {"item_id": id, "output_index": self.output.len()};
        if !place.is_empty() {
            event.insert(place.to_owned(), Value::from(0));
        }
        event
    }

    pub(super) fn open(&mut self, kind: Kind, out: &mut Vec<u8>) {
        self.close("completed", out);
        let prefix = match kind {
            Kind::Text | Kind::Refusal => "msg",
            Kind::Thinking => "rs",
            Kind::Call { .. } => "fc",
        };
        let id = format!("{prefix}_{}_{}", self.stamp.id, self.output.len());
        let item = match &kind {
            Kind::Text | Kind::Refusal => message(&id, "in_progress", Vec::new()),
            Kind::Thinking => reasoning(&id, "", None),
            Kind::Call {
                id: call_id, name, ..
            } => call(&id, "in_progress", call_id, name, ""),
        };
        self.open = Some(Open {
            kind: kind.clone(),
            id,
            text: String::new(),
        });
        let index = self.output.len();
        self.emit(
            "response.output_item.added",
            object! {"output_index": index, "item": item},
            out,
        );
        let (name, place, part) = match kind {
            Kind::Text => (
                "response.content_part.added",
                "content_index",
                output_text(""),
            ),
            Kind::Refusal => ("response.content_part.added", "content_index", refusal("")),
            Kind::Thinking => (
                "response.reasoning_summary_part.added",
                "summary_index",
                Value::Object(object! {"type": "summary_text", "text": ""}),
            ),
            Kind::Call { .. } => return,
        };
        let mut event = self.item_event(place);
        event.insert("part".to_owned(), part);
        self.emit(name, event, out);
    }

    pub(super) fn close(&mut self, status: &str, out: &mut Vec<u8>) {
        self.close_sealed(None, status, out);
    }

    pub(super) fn close_sealed(&mut self, seal: Option<String>, status: &str, out: &mut Vec<u8>) {
        let Some(open) = &self.open else {
            return;
        };
        let (id, text) = (open.id.clone(), open.text.clone());
        let (item, done) = match &open.kind {
            Kind::Text => (
                message(&id, status, vec![output_text(&text)]),
                Some((
                    "response.output_text.done",
                    "response.content_part.done",
                    "content_index",
                    output_text(&text),
                )),
            ),
            Kind::Refusal => (
                message(&id, status, vec![refusal(&text)]),
                Some((
                    "response.refusal.done",
                    "response.content_part.done",
                    "content_index",
                    refusal(&text),
                )),
            ),
            Kind::Thinking => (
                reasoning(&id, &text, seal.as_deref()),
                Some((
                    "response.reasoning_summary_text.done",
                    "response.reasoning_summary_part.done",
                    "summary_index",
                    Value::Object(object! {"type": "summary_text", "text": text.as_str()}),
                )),
            ),
            Kind::Call {
                id: call_id, name, ..
            } => {
                let arguments = if text.is_empty() { "{}" } else { text.as_str() };
                (call(&id, status, call_id, name, arguments), None)
            }
        };
        match done {
            Some((text_name, part_name, place, part)) => {
                let mut event = self.item_event(place);
                let field = if text_name == "response.refusal.done" {
                    "refusal"
                } else {
                    "text"
                };
                event.insert(field.to_owned(), Value::from(text));
                if text_name == "response.output_text.done" {
                    event.insert("logprobs".to_owned(), Value::Array(Vec::new()));
                }
                self.emit(text_name, event, out);
                let mut event = self.item_event(place);
                event.insert("part".to_owned(), part);
                self.emit(part_name, event, out);
            }
            None => {
                let mut event = self.item_event("");
                event.insert(
                    "arguments".to_owned(),
                    item.get("arguments").cloned().unwrap_or_default(),
                );
                self.emit("response.function_call_arguments.done", event, out);
            }
        }
        self.open = None;
        self.item_done(item, out);
    }

    pub(super) fn item_done(&mut self, item: Object, out: &mut Vec<u8>) {
        let index = self.output.len();
        let event = object! {"output_index": index, "item": item.clone()};
        self.emit("response.output_item.done", event, out);
        self.output.push(Value::Object(item));
    }

    /// A thought without text that holds a seal.
    pub(super) fn holder(&mut self, signature: &Signature, belongs: Belongs, out: &mut Vec<u8>) {
        self.close("completed", out);
        let id = format!("rs_{}_{}", self.stamp.id, self.output.len());
        let index = self.output.len();
        let added = object! {"output_index": index, "item": reasoning(&id, "", None)};
        self.emit("response.output_item.added", added, out);
        self.item_done(reasoning(&id, "", Some(&seal(signature, belongs))), out);
    }
}
