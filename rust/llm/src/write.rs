//! What all writers of requests share.

use serde_json::Value;

use crate::dialect::Dialect;
use crate::failure::Failure;
use crate::json::{Object, arguments, count};
use crate::loss::Losses;
use crate::model::{ChatRequest, Part, Reasoning, Source, Thinking, ToolCall};

/// A request that is being written for a provider.
pub(crate) struct Target<'a> {
    pub(crate) request: &'a ChatRequest,
    pub(crate) dialect: Dialect,
    /// The provider's name of the model.
    pub(crate) model: &'a str,
}

impl Target<'_> {
    /// Whether the caller spoke the provider's own language, in which unknown fields keep their meaning.
    pub(crate) fn is_native(&self) -> bool {
        self.request.surface.native() == Some(self.dialect)
    }

    /// Unknown fields go along when the languages are the same, and are reported otherwise.
    pub(crate) fn carry(
        &self,
        extra: &Object,
        place: &str,
        into: &mut Object,
        losses: &mut Losses,
    ) {
        for (name, value) in extra {
            if self.is_native() {
                into.entry(name.clone()).or_insert_with(|| value.clone());
            } else {
                losses.dropped(join(place, name));
            }
        }
    }

    /// A piece that nobody knows goes along when the languages are the same.
    pub(crate) fn carry_part(
        &self,
        part: &Object,
        place: &str,
        losses: &mut Losses,
    ) -> Option<Value> {
        if self.is_native() {
            return Some(Value::Object(part.clone()));
        }
        losses.dropped(join(
            place,
            part.get("type").and_then(Value::as_str).unwrap_or("part"),
        ));
        None
    }
}

pub(crate) fn join(place: &str, name: &str) -> String {
    if place.is_empty() {
        name.to_owned()
    } else {
        format!("{place}.{name}")
    }
}

/// The text of all pieces that are text.
pub(crate) fn plain_text(parts: &[Part]) -> String {
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(&text.text),
            Part::Refusal(text) => out.push_str(text),
            _ => {}
        }
    }
    out
}

/// The thoughts among pieces.
pub(crate) fn thoughts(parts: &[Part]) -> impl Iterator<Item = &Thinking> {
    parts.iter().filter_map(|part| match part {
        Part::Thinking(thinking) => Some(thinking),
        _ => None,
    })
}

/// A source as an address, `data:` for bytes. None for files of a provider.
pub(crate) fn as_url(source: &Source) -> Option<String> {
    match source {
        Source::Url { url, .. } => Some(url.clone()),
        Source::Data { media_type, data } => Some(format!("data:{media_type};base64,{data}")),
        Source::File(_) => None,
    }
}

/// An address as a source: `data:` (RFC 2397) with base64 is bytes.
pub(crate) fn source_of_url(url: String) -> Source {
    let data = url.strip_prefix("data:").and_then(|rest| {
        let (head, data) = rest.split_once(',')?;
        let media_type = head.strip_suffix(";base64")?;
        Some(Source::Data {
            media_type: media_type.to_owned(),
            data: data.to_owned(),
        })
    });
    data.unwrap_or(Source::Url {
        url,
        media_type: None,
    })
}

/// The media type that an address's ending says.
pub(crate) fn media_type_of(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let (_, ending) = path.rsplit_once('.')?;
    match ending.to_ascii_lowercase().as_str() {
        "png" => Some("image/png"),
        "jpg" | "jpeg" => Some("image/jpeg"),
        "gif" => Some("image/gif"),
        "webp" => Some("image/webp"),
        "pdf" => Some("application/pdf"),
        "mp3" => Some("audio/mpeg"),
        "wav" => Some("audio/wav"),
        _ => None,
    }
}

/// An effort, and whether it is the caller's own word. A budget is an effort by its size.
pub(crate) fn effort(reasoning: &Reasoning) -> Option<(&str, bool)> {
    if reasoning.enabled == Some(false) {
        return Some(("none", true));
    }
    if let Some(effort) = &reasoning.effort {
        return Some((effort, true));
    }
    match reasoning.budget? {
        0 => Some(("none", true)),
        1..=2_048 => Some(("low", false)),
        2_049..=12_288 => Some(("medium", false)),
        _ => Some(("high", false)),
    }
}

/// A budget, and whether it is the caller's own number. Efforts are budgets as Google's and OpenAI's shims translate them.
pub(crate) fn budget(reasoning: &Reasoning) -> Option<(u64, bool)> {
    if reasoning.enabled == Some(false) {
        return Some((0, true));
    }
    if let Some(budget) = reasoning.budget {
        return Some((budget, true));
    }
    match reasoning.effort.as_deref()? {
        "none" => Some((0, true)),
        "minimal" | "low" => Some((1_024, false)),
        "medium" => Some((8_192, false)),
        _ => Some((24_576, false)),
    }
}

/// The major version in a model's name: the first number after `family`.
pub(crate) fn version(model: &str, family: &str) -> Option<(u64, u64)> {
    let rest = model.split(family).nth(1)?;
    let mut numbers = rest
        .split(|c: char| !c.is_ascii_digit())
        .filter(|digits| !digits.is_empty() && digits.len() <= 2)
        .map(|digits| count(&Value::from(digits.parse::<u64>().unwrap_or(0))));
    let major = numbers.next()??;
    Some((major, numbers.next().flatten().unwrap_or(0)))
}

/// The arguments of a call, for languages that write them as an object.
pub(crate) fn call_arguments(call: &ToolCall) -> Result<Object, Failure> {
    arguments(&call.arguments).ok_or_else(|| {
        Failure::invalid(
            "messages.tool_calls.function.arguments",
            format!(
                "the arguments of a call of `{}` are no JSON object",
                call.name
            ),
        )
    })
}

/// Rewrites an id to what a provider takes: Anthropic letters, digits, `_` and `-`; Mistral nine letters and digits. The same id always
/// becomes the same, so that calls and results still meet.
pub(crate) fn call_id(id: &str, dialect: Dialect) -> String {
    match dialect {
        Dialect::Mistral => {
            if id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return id.to_owned();
            }
            let mut hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
            let letters: Vec<char> = ('a'..='z').chain('A'..='Z').chain('0'..='9').collect();
            (0..9)
                .filter_map(|_| {
                    let letter = letters.get(usize::try_from(hash % 62).ok()?).copied();
                    hash /= 62;
                    letter
                })
                .collect()
        }
        Dialect::Anthropic => id
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '_' || c == '-' {
                    c
                } else {
                    '_'
                }
            })
            .collect(),
        _ => id.to_owned(),
    }
}

/// What stands before ids that the gateway made up.
pub(crate) const MADE_UP: &str = "call_lg";

/// An id for a call whose provider gives none: the same for the same call of the same answer.
pub(crate) fn made_up_id(answer: &str, call: u64) -> String {
    let answer: String = answer
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(24)
        .collect();
    format!("{MADE_UP}{answer}_{call}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_names() {
        assert_eq!(
            version("claude-sonnet-4-5-20250929", "claude"),
            Some((4, 5))
        );
        assert_eq!(version("claude-3-7-sonnet-latest", "claude"), Some((3, 7)));
        assert_eq!(version("claude-opus-4-20250514", "claude"), Some((4, 0)));
        assert_eq!(version("gemini-2.5-flash", "gemini"), Some((2, 5)));
        assert_eq!(version("gemini-3-pro-preview", "gemini"), Some((3, 0)));
        assert_eq!(version("gemini-pro", "gemini"), None);
    }

    #[test]
    fn an_id_for_mistral_is_nine_letters_and_always_the_same() {
        let id = call_id("call_abc_123", Dialect::Mistral);
        assert_eq!(id.len(), 9);
        assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_eq!(id, call_id("call_abc_123", Dialect::Mistral));
        assert_ne!(id, call_id("call_abc_124", Dialect::Mistral));
        assert_eq!(call_id("D681PevKs", Dialect::Mistral), "D681PevKs");
        assert_eq!(call_id("a:b/c", Dialect::Anthropic), "a_b_c");
    }

    #[test]
    fn data_addresses_are_bytes() {
        let source = source_of_url("data:image/png;base64,AAAA".into());
        assert_eq!(as_url(&source).unwrap(), "data:image/png;base64,AAAA");
        assert!(matches!(source, Source::Data { .. }));
        assert!(matches!(
            source_of_url("data:,x".into()),
            Source::Url { .. }
        ));
    }
}
