//! Embeddings, for callers of OpenAI's surface.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::answer::Stamp;
use crate::chat::MOST_REQUEST_BYTES;
use crate::dialect::Dialect;
use crate::failure::Failure;
use crate::json::{Fields, Object, count, object, put, read_answer, read_request};
use crate::loss::Losses;
use crate::openai::{read_usage, write_usage};
use crate::sse::to_bytes;
use crate::usage::Usage;

/// The most texts of one call.
const MOST_INPUTS: usize = 2_048;

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbeddingsRequest {
    /// The model, as the caller named it.
    pub model: String,
    /// Texts, or tokens of OpenAI's.
    pub input: EmbeddingsInput,
    /// The length of the vectors.
    pub dimensions: Option<u64>,
    /// Whether vectors are sent as base64 of little-endian 32-bit floats, as OpenAI's SDKs ask.
    pub base64: bool,
    /// Who asks.
    pub user: Option<String>,
    /// Fields that this crate does not know.
    pub extra: Object,
}

/// What is embedded.
#[derive(Debug, Clone, PartialEq)]
pub enum EmbeddingsInput {
    /// Texts.
    Texts(Vec<String>),
    /// Tokens, which only OpenAI's tokenizer gave a meaning.
    Tokens(Value),
}

/// Reads a caller's request.
///
/// # Errors
/// As [`crate::read_chat`].
pub fn read_embeddings(body: &[u8]) -> Result<EmbeddingsRequest, Failure> {
    let mut fields = Fields::new(read_request(body, MOST_REQUEST_BYTES)?, "");
    let model = fields.needed_text("model")?;
    let wrong = || {
        Failure::invalid(
            "input",
            "`input` is neither text nor a list of texts or tokens",
        )
    };
    let input = match fields.take("input").ok_or_else(wrong)? {
        Value::String(text) => EmbeddingsInput::Texts(vec![text]),
        Value::Array(list) if list.is_empty() => {
            return Err(Failure::invalid(
                "input",
                "`input` is an empty list; send at least one text",
            ));
        }
        Value::Array(list) if list.len() > MOST_INPUTS => {
            return Err(Failure::invalid(
                "input",
                format!(
                    "`input` has {} texts; send at most {MOST_INPUTS}",
                    list.len()
                ),
            ));
        }
        Value::Array(list) if list.iter().all(Value::is_string) => EmbeddingsInput::Texts(
            list.into_iter()
                .filter_map(|text| text.as_str().map(str::to_owned))
                .collect(),
        ),
        tokens @ Value::Array(_) => EmbeddingsInput::Tokens(tokens),
        _ => return Err(wrong()),
    };
    Ok(EmbeddingsRequest {
        model,
        input,
        dimensions: fields.count("dimensions")?,
        base64: fields.text("encoding_format")?.as_deref() == Some("base64"),
        user: fields.text("user")?,
        extra: fields.rest(),
    })
}

impl EmbeddingsRequest {
    /// The most tokens that it may take: one a byte.
    #[must_use]
    pub fn worst_case(&self) -> u64 {
        match &self.input {
            EmbeddingsInput::Texts(texts) => texts.iter().map(|text| text.len() as u64 + 4).sum(),
            EmbeddingsInput::Tokens(tokens) => tokens.to_string().len() as u64,
        }
    }
}

/// Writes a request for a provider.
///
/// # Errors
/// The provider has no embeddings, or takes no tokens.
pub fn write_embeddings(
    request: &EmbeddingsRequest,
    dialect: Dialect,
    model: &str,
) -> Result<(Vec<u8>, Losses), Failure> {
    let mut losses = Losses::default();
    let input = match (&request.input, dialect) {
        (EmbeddingsInput::Texts(texts), _) => Value::from(texts.clone()),
        (EmbeddingsInput::Tokens(tokens), Dialect::Openai) => tokens.clone(),
        (EmbeddingsInput::Tokens(_), _) => {
            return Err(Failure::invalid(
                "input",
                format!(
                    "{} takes texts, no tokens of another model; send texts",
                    dialect.name()
                ),
            ));
        }
    };
    let mut body = match dialect {
        Dialect::Openai => {
            let mut body = object! {"model": model, "input": input};
            put(&mut body, "dimensions", request.dimensions);
            put(&mut body, "user", request.user.clone());
            // Asked for as the caller asked: its answer goes on as it comes.
            let format = if request.base64 { "base64" } else { "float" };
            body.insert("encoding_format".to_owned(), Value::from(format));
            body.extend(request.extra.clone());
            return Ok((to_bytes(&body), losses));
        }
        Dialect::Mistral => {
            let mut body = object! {"model": model, "input": input};
            put(&mut body, "output_dimension", request.dimensions);
            body
        }
        Dialect::Ollama => {
            let mut body = object! {"model": model, "input": input};
            put(&mut body, "dimensions", request.dimensions);
            body
        }
        Dialect::Gemini => {
            let name = format!("models/{}", model.strip_prefix("models/").unwrap_or(model));
            let texts = input.as_array().cloned().unwrap_or_default();
            let requests: Vec<Value> = texts
                .into_iter()
                .map(|text| {
                    let parts = vec![Value::Object(object! {"text": text})];
                    let mut one =
                        object! {"model": name.as_str(), "content": object! {"parts": parts}};
                    put(&mut one, "outputDimensionality", request.dimensions);
                    Value::Object(one)
                })
                .collect();
            object! {"requests": requests}
        }
        Dialect::Anthropic | Dialect::Moonshot => {
            return Err(Failure::invalid(
                "model",
                format!(
                    "{} has no embeddings; name a model of another provider",
                    dialect.name()
                ),
            ));
        }
    };
    if request.user.is_some() {
        losses.dropped("user");
    }
    for (name, value) in &request.extra {
        // Mistral's callers use OpenAI's surface with fields of Mistral's.
        if dialect == Dialect::Mistral {
            body.insert(name.clone(), value.clone());
        } else {
            losses.dropped(name);
        }
    }
    Ok((to_bytes(&body), losses))
}

/// Reads a provider's answer and writes it for the caller, with what it took.
///
/// # Errors
/// The answer is not what the dialect allows.
pub fn translate_embeddings(
    request: &EmbeddingsRequest,
    dialect: Dialect,
    stamp: &Stamp,
    body: &[u8],
) -> Result<(Vec<u8>, Option<Usage>), Failure> {
    let mut answer = read_answer(body)?;
    let wrong = || Failure::bad_answer("the provider's answer has no vectors");
    let usage = match dialect {
        Dialect::Ollama => answer
            .get("prompt_eval_count")
            .and_then(count)
            .map(only_input),
        Dialect::Gemini => answer
            .get("usageMetadata")
            .and_then(|usage| usage.get("promptTokenCount"))
            .and_then(count)
            .map(only_input),
        _ => answer
            .get("usage")
            .and_then(Value::as_object)
            .and_then(|usage| read_usage(usage).input)
            .map(only_input),
    };
    if dialect == Dialect::Openai {
        return Ok((body.to_vec(), usage));
    }
    let list = match dialect {
        Dialect::Mistral => answer.shift_remove("data"),
        _ => answer.shift_remove("embeddings"),
    };
    let Some(Value::Array(list)) = list else {
        return Err(wrong());
    };
    let mut data = Vec::with_capacity(list.len());
    for (index, item) in list.into_iter().enumerate() {
        let vector = match (dialect, item) {
            (Dialect::Ollama, Value::Array(vector)) => vector,
            (Dialect::Mistral, Value::Object(mut item)) => match item.shift_remove("embedding") {
                Some(Value::Array(vector)) => vector,
                _ => return Err(wrong()),
            },
            (_, Value::Object(mut item)) => match item.shift_remove("values") {
                Some(Value::Array(vector)) => vector,
                _ => return Err(wrong()),
            },
            _ => return Err(wrong()),
        };
        let embedding = if request.base64 {
            Value::from(in_base64(&vector).ok_or_else(wrong)?)
        } else {
            Value::Array(vector)
        };
        data.push(Value::Object(object! {
            "object": "embedding",
            "index": index,
            "embedding": embedding,
        }));
    }
    let model = answer
        .get("model")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let mut out = object! {"object": "list", "data": data, "model": stamp.model(model)};
    let mut said = write_usage(&usage.unwrap_or_default());
    said.shift_remove("completion_tokens");
    said.insert(
        "total_tokens".to_owned(),
        usage
            .and_then(|usage| usage.input)
            .map_or(Value::Null, Value::from),
    );
    out.insert("usage".to_owned(), Value::Object(said));
    Ok((to_bytes(&out), usage))
}

fn only_input(input: u64) -> Usage {
    Usage {
        input: Some(input),
        output: Some(0),
        ..Usage::default()
    }
}

fn in_base64(vector: &[Value]) -> Option<String> {
    let mut bytes = Vec::with_capacity(vector.len() * 4);
    for number in vector {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "32 bits are what OpenAI's SDKs read"
        )]
        let number = number.as_f64()? as f32;
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    Some(STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp() -> Stamp {
        Stamp {
            id: "c0ffee".into(),
            now: 1,
            model: "small".into(),
        }
    }

    #[test]
    fn texts_become_vectors_in_the_form_that_was_asked() {
        let body =
            br#"{"model":"small","input":["a","b"],"encoding_format":"base64","dimensions":2}"#;
        let request = read_embeddings(body).unwrap();
        let cases = [
            (
                Dialect::Ollama,
                r#"{"model":"m","input":["a","b"],"dimensions":2}"#,
                r#"{"model":"m","embeddings":[[1,0.5],[0,-1]],"prompt_eval_count":2}"#,
            ),
            (
                Dialect::Mistral,
                r#"{"model":"m","input":["a","b"],"output_dimension":2}"#,
                r#"{"model":"m","data":[{"embedding":[1,0.5],"index":0},{"embedding":[0,-1],"index":1}],"usage":{"prompt_tokens":2,"total_tokens":2}}"#,
            ),
            (
                Dialect::Gemini,
                r#"{"requests":[{"model":"models/m","content":{"parts":[{"text":"a"}]},"outputDimensionality":2},{"model":"models/m","content":{"parts":[{"text":"b"}]},"outputDimensionality":2}]}"#,
                r#"{"embeddings":[{"values":[1,0.5]},{"values":[0,-1]}]}"#,
            ),
        ];
        for (dialect, sent, answer) in cases {
            let (out, losses) = write_embeddings(&request, dialect, "m").unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), sent);
            assert!(losses.is_empty());
            let (out, usage) =
                translate_embeddings(&request, dialect, &stamp(), answer.as_bytes()).unwrap();
            let out: Value = serde_json::from_slice(&out).unwrap();
            let bytes = STANDARD
                .decode(out["data"][0]["embedding"].as_str().unwrap())
                .unwrap();
            assert_eq!(
                bytes,
                [1.0_f32.to_le_bytes(), 0.5_f32.to_le_bytes()].concat()
            );
            assert_eq!(out["data"][1]["index"], 1);
            let known = (dialect != Dialect::Gemini).then_some(2);
            assert_eq!(usage.and_then(|usage| usage.input), known);
            assert_eq!(
                out["usage"]["prompt_tokens"],
                known.map_or(Value::Null, Value::from)
            );
        }
    }

    #[test]
    fn what_a_provider_cannot_do_is_said() {
        let tokens = read_embeddings(br#"{"model":"small","input":[[1,2],[3]]}"#).unwrap();
        assert!(write_embeddings(&tokens, Dialect::Openai, "m").is_ok());
        let failure = write_embeddings(&tokens, Dialect::Ollama, "m").unwrap_err();
        assert_eq!(
            failure.message,
            "ollama takes texts, no tokens of another model; send texts"
        );
        let texts = read_embeddings(br#"{"model":"small","input":"a"}"#).unwrap();
        let failure = write_embeddings(&texts, Dialect::Anthropic, "m").unwrap_err();
        assert_eq!(
            failure.message,
            "anthropic has no embeddings; name a model of another provider"
        );
        assert_eq!(
            read_embeddings(br#"{"model":"a","input":[]}"#)
                .unwrap_err()
                .param
                .as_deref(),
            Some("input")
        );
    }
}

#[cfg(test)]
#[path = "embeddings_fuzz.rs"]
mod fuzz;
