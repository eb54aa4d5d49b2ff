//! What a recording keeps of what was asked of a model and answered.

use lockgate_llm::Role;
use lockgate_policy::{RecordedPrompt, RecordedTexts};
use lockgate_recording::{Prompt, Said, Word, Words};

/// What was asked. The recorder takes keys and personal data out of it.
pub fn prompt(prompt: RecordedPrompt) -> Prompt {
    let figures = prompt.figures;
    Prompt {
        model: prompt.model,
        input: figures.map(|figures| figures.input),
        unbounded: figures.is_some_and(|figures| !figures.bounded),
        max_output: figures.and_then(|figures| figures.max_output),
        candidates: figures
            .map(|figures| figures.candidates)
            .filter(|candidates| *candidates != 1),
        words: prompt.texts.map(words),
    }
}

/// What was answered, and whether that is all of it.
pub fn answer((texts, is_whole): (Vec<String>, bool)) -> Words {
    let said = texts.into_iter().map(|text| Said {
        by: Word::Borrowed("assistant"),
        text: text.into(),
        taken_out: None,
    });
    Words {
        said: said.collect(),
        cut: !is_whole,
    }
}

fn words(texts: RecordedTexts) -> Words {
    let said = texts.said.into_iter().map(|said| Said {
        by: Word::Borrowed(role(said.role)),
        text: said.text.into(),
        taken_out: None,
    });
    Words {
        said: said.collect(),
        cut: texts.cut,
    }
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    }
}
