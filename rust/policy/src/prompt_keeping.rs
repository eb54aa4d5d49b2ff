//! What a recording keeps of what is asked of a model.

use std::sync::Arc;

use crate::prompt::Asked;
use crate::recorded_prompt::{RecordedPrompt, RecordedText, RecordedTexts};

/// The most texts that are kept of a prompt.
const MOST_TEXTS: usize = 1_024;
/// The longest name of a model that is kept, in bytes; no document has longer ones.
const LONGEST_NAME: usize = 256;

/// What is kept of a prompt, with at most `words` bytes of its texts.
pub fn kept_of(model: &str, asked: &Asked, words: Option<usize>) -> RecordedPrompt {
    let model = cut(model, LONGEST_NAME);
    RecordedPrompt {
        model: Some(Arc::from(model)),
        figures: asked.figures(),
        texts: words.map(|limit| texts_of(asked, limit)),
    }
}

fn texts_of(asked: &Asked, limit: usize) -> RecordedTexts {
    let mut kept = RecordedTexts::default();
    let mut left = limit;
    asked.texts(&mut |said| {
        if kept.cut || kept.said.len() >= MOST_TEXTS {
            kept.cut = true;
            return;
        }
        let text = cut(said.text, left);
        left -= text.len();
        kept.cut = text.len() < said.text.len();
        kept.said.push(RecordedText {
            role: said.role,
            text: text.to_owned(),
            taken_out: None,
        });
    });
    kept
}

/// The first bytes of a text, up to a character.
fn cut(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lockgate_llm::{Surface, read_chat};

    fn chat(words: &str) -> Asked {
        let body = serde_json::json!({ "model": "m", "max_tokens": 7, "n": 2, "messages": [
            { "role": "system", "content": "be brief" }, { "role": "user", "content": words } ] });
        let body = body.to_string();
        Asked::Chat(Box::new(
            read_chat(Surface::OpenaiChat, None, false, body.as_bytes()).unwrap(),
        ))
    }

    #[test]
    fn figures_are_kept_without_a_word() {
        let kept = kept_of("fast", &chat("a secret"), None);
        let figures = kept.figures.unwrap();
        assert_eq!((figures.max_output, figures.candidates), (Some(7), 2));
        assert!(figures.bounded && figures.input > 16);
        assert_eq!((kept.model.as_deref(), kept.texts), (Some("fast"), None));
    }

    #[test]
    fn words_are_kept_up_to_the_limit_and_cut_at_a_character() {
        let texts = |limit| {
            let kept = kept_of("fast", &chat("ünter"), Some(limit));
            let texts = kept.texts.unwrap();
            let said: Vec<String> = texts.said.into_iter().map(|said| said.text).collect();
            (said, texts.cut)
        };
        assert_eq!(texts(100), (vec!["be brief".into(), "ünter".into()], false));
        assert_eq!(texts(9), (vec!["be brief".into(), String::new()], true));
        assert_eq!(texts(3), (vec!["be ".into()], true));
    }
}
