//! How many tokens a request may take, before it is sent.

use serde_json::Value;

use crate::json::Object;
use crate::model::{ChatRequest, Format, Media, MediaKind, Part, Source, Tool};

/// What a turn, a call or a tool takes besides its text, at most.
const FRAME: u64 = 16;
/// What a picture takes at most with the providers of today.
const PICTURE: u64 = 16_384;
/// The same, looked at from afar (`detail: low`).
const SMALL_PICTURE: u64 = 1_024;
/// A file or address of unknown content: no bound, only a large number.
const UNSEEN: u64 = 65_536;
/// The most tokens for a second of sound is below 100, and a second of it has more bytes than that.
const SOUND_BYTES_PER_TOKEN: u64 = 4;

/// The worst case of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// The prompt.
    pub input: u64,
    /// All that may be generated.
    pub output: u64,
    /// Whether `input` is a bound. It is none when the prompt refers to content that the gateway does not see.
    pub bounded: bool,
}

/// What a request may take, but for the length of an answer that the caller does not bound: that is the model's to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// The prompt.
    pub input: u64,
    /// Whether `input` is a bound.
    pub bounded: bool,
    /// The most that the caller asks for in one answer, where it names a bound.
    pub max_output: Option<u64>,
    /// How many answers.
    pub candidates: u64,
}

impl Figures {
    /// The figures of a chat.
    ///
    /// Text takes at most one token a byte: tokenizers of all providers are made of bytes, and no token is shorter than one. English
    /// takes about a quarter of it, so a reservation is some four times too high until the provider says what the call took. That
    /// is the price of a bound: an average would let a budget be overspent by whoever writes in another script.
    #[must_use]
    pub fn of(request: &ChatRequest) -> Self {
        let mut sum = Sum {
            tokens: FRAME,
            bounded: true,
        };
        for message in &request.messages {
            sum.tokens += FRAME;
            sum.parts(&message.parts);
            sum.object(&message.extra);
        }
        for tool in request.tools.iter().flatten() {
            sum.tokens += 4 * FRAME;
            match tool {
                Tool::Function(function) => {
                    sum.text(&function.name);
                    sum.text(function.description.as_deref().unwrap_or_default());
                    sum.object(&function.extra);
                    if let Some(schema) = &function.parameters {
                        sum.object(schema);
                    }
                }
                // A tool of the provider's own may read whatever it finds.
                Tool::Other(other) => {
                    sum.object(other);
                    sum.bounded = false;
                }
            }
        }
        if let Some(Format::Schema { schema, .. }) = &request.format {
            sum.object(schema);
        }
        Self {
            input: sum.tokens,
            bounded: sum.bounded,
            max_output: request.max_output,
            candidates: request.candidates.unwrap_or(1).max(1),
        }
    }

    /// The worst case; `most_output` is the model's own limit, for requests that set none.
    #[must_use]
    pub fn within(&self, most_output: u64) -> Estimate {
        let output = self.max_output.unwrap_or(most_output);
        Estimate {
            input: self.input,
            output: output.saturating_mul(self.candidates),
            bounded: self.bounded,
        }
    }
}

impl Estimate {
    /// The worst case of a chat. `most_output` is the model's own limit, for requests that set none.
    #[must_use]
    pub fn of(request: &ChatRequest, most_output: u64) -> Self {
        Figures::of(request).within(most_output)
    }

    /// Input and output together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

struct Sum {
    tokens: u64,
    bounded: bool,
}

impl Sum {
    fn text(&mut self, text: &str) {
        self.bytes(text.len());
    }

    fn bytes(&mut self, bytes: usize) {
        self.tokens = self.tokens.saturating_add(bytes as u64);
    }

    fn object(&mut self, object: &Object) {
        for (name, value) in object {
            self.text(name);
            self.bytes(4);
            self.value(value);
        }
    }

    /// Bytes of a value as JSON, without writing it.
    fn value(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.bytes(text.len() + 2),
            Value::Array(list) => {
                for item in list {
                    self.bytes(2);
                    self.value(item);
                }
            }
            Value::Object(object) => self.object(object),
            Value::Null | Value::Bool(_) => self.bytes(5),
            Value::Number(_) => self.bytes(24),
        }
    }

    fn parts(&mut self, parts: &[Part]) {
        for part in parts {
            self.tokens = self.tokens.saturating_add(4);
            match part {
                Part::Text(text) => self.text(&text.text),
                Part::Refusal(text) => self.text(text),
                Part::Thinking(thinking) => {
                    self.text(&thinking.text);
                    // An encrypted thought is as long as its seal.
                    self.text(
                        thinking
                            .signature
                            .as_ref()
                            .map(|seal| seal.value.as_str())
                            .unwrap_or_default(),
                    );
                }
                Part::ToolCall(call) => {
                    self.tokens = self.tokens.saturating_add(FRAME);
                    self.text(&call.name);
                    self.text(&call.arguments);
                }
                Part::ToolResult(result) => {
                    self.tokens = self.tokens.saturating_add(FRAME);
                    self.parts(&result.parts);
                }
                Part::Media(media) => self.media(media),
                Part::Other(other) => {
                    self.object(other);
                    self.bounded = false;
                }
            }
        }
    }

    fn media(&mut self, media: &Media) {
        let tokens = match (media.kind, &media.source) {
            (MediaKind::Image, _) if media.detail.as_deref() == Some("low") => SMALL_PICTURE,
            (MediaKind::Image, _) => PICTURE,
            // A page takes some 3,000 tokens, and a kilobyte at least.
            (MediaKind::Document, Source::Data { data, .. }) => {
                (data.len() as u64).saturating_mul(3)
            }
            (MediaKind::Audio, Source::Data { data, .. }) => {
                data.len() as u64 / SOUND_BYTES_PER_TOKEN
            }
            (_, Source::Url { .. } | Source::File(_)) => {
                self.bounded = false;
                UNSEEN
            }
        };
        self.tokens = self.tokens.saturating_add(tokens);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Surface, read_chat};

    fn estimate(body: &str) -> Estimate {
        let request = read_chat(Surface::OpenaiChat, None, false, body.as_bytes()).unwrap();
        Estimate::of(&request, 1_000)
    }

    #[test]
    fn text_is_never_more_tokens_than_estimated() {
        let text = "🧑‍🚀 наука 科学".repeat(10);
        let body = format!(
            r#"{{"model":"x","messages":[{{"role":"user","content":"{text}"}}],"max_completion_tokens":7}}"#
        );
        let found = estimate(&body);
        assert!(found.input >= text.len() as u64 && found.bounded);
        assert_eq!(found.output, 7);
    }

    #[test]
    fn every_part_of_a_request_counts() {
        let base = estimate(r#"{"model":"x","messages":[]}"#).input;
        let long = "x".repeat(1_000);
        for body in [
            format!(
                r#"{{"model":"x","messages":[{{"role":"user","content":"a","name":"{long}"}}]}}"#
            ),
            format!(
                r#"{{"model":"x","messages":[{{"role":"tool","tool_call_id":"a","content":"{long}"}}]}}"#
            ),
            format!(
                r#"{{"model":"x","messages":[{{"role":"assistant","tool_calls":[{{"id":"a","type":"function","function":{{"name":"f","arguments":"{long}"}}}}]}}]}}"#
            ),
            format!(
                r#"{{"model":"x","messages":[],"tools":[{{"type":"function","function":{{"name":"f","description":"{long}"}}}}]}}"#
            ),
            format!(
                r#"{{"model":"x","messages":[],"tools":[{{"type":"function","function":{{"name":"f","parameters":{{"a":["{long}"]}}}}}}]}}"#
            ),
            format!(
                r#"{{"model":"x","messages":[],"response_format":{{"type":"json_schema","json_schema":{{"name":"a","schema":{{"{long}":1}}}}}}}}"#
            ),
        ] {
            assert!(estimate(&body).input >= base + 1_000, "{body}");
        }
    }

    #[test]
    fn what_is_not_seen_is_no_bound() {
        let file = estimate(
            r#"{"model":"x","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}]}"#,
        );
        assert!(!file.bounded && file.input >= UNSEEN);
        assert_eq!(
            estimate(r#"{"model":"x","messages":[],"n":3}"#).output,
            3_000
        );
    }
}
