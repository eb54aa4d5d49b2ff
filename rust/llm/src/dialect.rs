//! What providers speak, and what callers speak to the gateway.

use serde::{Deserialize, Serialize};

/// What a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// OpenAI chat completions, and servers that copy them (llama.cpp, vLLM).
    Openai,
    /// Anthropic Messages.
    Anthropic,
    /// Gemini `generateContent`.
    Gemini,
    /// Mistral chat completions.
    Mistral,
    /// Ollama `/api/chat`.
    Ollama,
    /// Moonshot (Kimi) chat completions.
    Moonshot,
}

/// How a provider takes its key. The key itself is no business of this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authentication {
    /// The field, in lower case.
    pub field: &'static str,
    /// What stands before the key.
    pub prefix: &'static str,
    /// Fields that every call carries besides.
    pub also: &'static [(&'static str, &'static str)],
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Openai,
        Self::Anthropic,
        Self::Gemini,
        Self::Mistral,
        Self::Ollama,
        Self::Moonshot,
    ];

    /// The name in documents and events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Mistral => "mistral",
            Self::Ollama => "ollama",
            Self::Moonshot => "moonshot",
        }
    }

    /// The dialect of a name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }

    /// Path and query of a chat call. A model's name is escaped, as it comes from the caller.
    #[must_use]
    pub fn chat_path(self, model: &str, stream: bool) -> String {
        match self {
            Self::Openai | Self::Mistral | Self::Moonshot => "/v1/chat/completions".to_owned(),
            Self::Anthropic => "/v1/messages".to_owned(),
            Self::Ollama => "/api/chat".to_owned(),
            Self::Gemini => {
                let model = escape(model.strip_prefix("models/").unwrap_or(model));
                if stream {
                    format!("/v1beta/models/{model}:streamGenerateContent?alt=sse")
                } else {
                    format!("/v1beta/models/{model}:generateContent")
                }
            }
        }
    }

    /// Path of an embeddings call, where there is one.
    #[must_use]
    pub fn embeddings_path(self, model: &str) -> Option<String> {
        match self {
            Self::Openai | Self::Mistral => Some("/v1/embeddings".to_owned()),
            Self::Ollama => Some("/api/embed".to_owned()),
            Self::Gemini => {
                let model = escape(model.strip_prefix("models/").unwrap_or(model));
                Some(format!("/v1beta/models/{model}:batchEmbedContents"))
            }
            Self::Anthropic | Self::Moonshot => None,
        }
    }

    /// How the key is sent.
    #[must_use]
    pub fn authentication(self) -> Authentication {
        match self {
            Self::Openai | Self::Mistral | Self::Moonshot | Self::Ollama => Authentication {
                field: "authorization",
                prefix: "Bearer ",
                also: &[],
            },
            Self::Anthropic => Authentication {
                field: "x-api-key",
                prefix: "",
                also: &[("anthropic-version", "2023-06-01")],
            },
            Self::Gemini => Authentication {
                field: "x-goog-api-key",
                prefix: "",
                also: &[],
            },
        }
    }
}

/// What a caller speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Surface {
    /// `POST /v1/chat/completions`.
    OpenaiChat,
    /// `POST /v1/responses`.
    OpenaiResponses,
    /// `POST /v1/messages`.
    AnthropicMessages,
    /// `POST /v1beta/models/{model}:generateContent`, also under `/v1`.
    Gemini,
    /// The variables of a published prompt, and the text of its answer.
    Plain,
}

impl Surface {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::OpenaiChat,
        Self::OpenaiResponses,
        Self::AnthropicMessages,
        Self::Gemini,
        Self::Plain,
    ];

    /// The name in events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenaiChat => "openai_chat",
            Self::OpenaiResponses => "openai_responses",
            Self::AnthropicMessages => "anthropic_messages",
            Self::Gemini => "gemini",
            Self::Plain => "plain",
        }
    }

    /// The dialect of which it is the surface: between the two, nothing is translated.
    #[must_use]
    pub fn native(self) -> Option<Dialect> {
        match self {
            Self::OpenaiChat => Some(Dialect::Openai),
            Self::AnthropicMessages => Some(Dialect::Anthropic),
            Self::Gemini => Some(Dialect::Gemini),
            Self::OpenaiResponses | Self::Plain => None,
        }
    }

    /// The media type of a streamed answer.
    #[must_use]
    pub fn stream_media_type(self) -> &'static str {
        "text/event-stream"
    }
}

/// What a caller asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// A chat.
    Chat {
        /// The language.
        surface: Surface,
        /// The model, where the path names it.
        model: Option<String>,
        /// Whether the path asks for a stream; in other surfaces the body does.
        stream: bool,
    },
    /// `POST /v1/messages/count_tokens`: how many tokens a chat of Anthropic's has.
    Count,
    /// `POST /v1/embeddings`.
    Embeddings,
    /// The list of models, in the language of a surface.
    Models(Surface),
}

impl Call {
    /// What a method and a path (without query, after any prefix of the route) ask for.
    #[must_use]
    pub fn of(method: &str, path: &str) -> Option<Self> {
        let chat = |surface| Self::Chat {
            surface,
            model: None,
            stream: false,
        };
        match (method, path) {
            ("POST", "/v1/chat/completions") => return Some(chat(Surface::OpenaiChat)),
            ("POST", "/v1/responses") => return Some(chat(Surface::OpenaiResponses)),
            ("POST", "/v1/messages") => return Some(chat(Surface::AnthropicMessages)),
            ("POST", "/v1/messages/count_tokens") => return Some(Self::Count),
            ("POST", "/v1/embeddings") => return Some(Self::Embeddings),
            ("GET", "/v1/models") => return Some(Self::Models(Surface::OpenaiChat)),
            ("GET", "/v1beta/models") => return Some(Self::Models(Surface::Gemini)),
            _ => {}
        }
        let rest = ["/v1beta/models/", "/v1/models/"]
            .into_iter()
            .find_map(|prefix| path.strip_prefix(prefix))?;
        let (model, verb) = rest.rsplit_once(':')?;
        let stream = match (method, verb) {
            ("POST", "generateContent") => false,
            ("POST", "streamGenerateContent") => true,
            _ => return None,
        };
        if model.is_empty() || model.contains('/') {
            return None;
        }
        Some(Self::Chat {
            surface: Surface::Gemini,
            model: Some(model.to_owned()),
            stream,
        })
    }
}

/// Percent-encodes what may not stand in one segment of a path (RFC 3986 §3.3).
fn escape(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for half in [byte >> 4, byte & 15] {
                out.push(
                    char::from_digit(u32::from(half), 16).map_or('0', |c| c.to_ascii_uppercase()),
                );
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found_by_path() {
        let gemini = Call::of("POST", "/v1/models/gemini-3-pro:streamGenerateContent");
        assert_eq!(
            gemini,
            Some(Call::Chat {
                surface: Surface::Gemini,
                model: Some("gemini-3-pro".into()),
                stream: true
            })
        );
        assert_eq!(Call::of("POST", "/v1/embeddings"), Some(Call::Embeddings));
        assert_eq!(
            Call::of("GET", "/v1beta/models"),
            Some(Call::Models(Surface::Gemini))
        );
        assert_eq!(Call::of("GET", "/v1/chat/completions"), None);
        assert_eq!(Call::of("POST", "/v1beta/models/a/b:generateContent"), None);
        assert_eq!(Call::of("POST", "/v1beta/models/:generateContent"), None);
        assert_eq!(Call::of("POST", "/v1beta/models/x:countTokens"), None);
    }

    #[test]
    fn a_models_name_cannot_leave_its_segment() {
        assert_eq!(
            Dialect::Gemini.chat_path("../x?key=1#", false),
            "/v1beta/models/..%2Fx%3Fkey%3D1%23:generateContent"
        );
    }
}
