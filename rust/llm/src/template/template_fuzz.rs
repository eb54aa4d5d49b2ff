use lockgate_fuzzing::near;
use serde_json::Number;

use super::*;
use crate::{Dialect, Role, write_chat};

const TEXTS: &[&str] = &[
    "Summarise this for {{audience}}: {{text}}",
    r#"Answer as {"summary": {"of": "{{text}}"}} and \{{nothing}} else"#,
    "{{ text }}{{text}}\n{{audience}}",
];
const MARKS: &[&str] = &[
    "{{", "}}", "{", "}", "\\", " ", "\n", "text", "audience", "\u{e9}",
];
const BODIES: &[&str] = &[
    r#"{"text":"Hello {{audience}}","audience":"{{text}}"}"#,
    r#"{"text":12.5}"#,
    r#"{"text":"\ud83d\ude00","tone":null}"#,
];
const WORDS: &[&str] = &[
    "{",
    "}",
    "\"",
    ",",
    ":",
    "null",
    "true",
    "[]",
    "1e999",
    "\"text\":",
    "\"audience\":",
    "\\u0000",
    "{{text}}",
];

#[test]
fn a_text_that_is_read_holds_values_as_they_are_and_nothing_twice() {
    bolero::check!()
        .with_iterations(4_000)
        .with_generator(near(TEXTS, MARKS))
        .for_each(|input| {
            let text = input.text();
            let Ok(read) = TextWithVariables::parse(&text) else {
                return;
            };
            // A value that looks like a variable stays one that looks like it.
            let filled = read.fill(|_| "{{text}}");
            let variables = read.variables().count();
            assert!(filled.matches("{{text}}").count() >= variables);
            assert!(filled.len() <= read.most_bytes(|_| "{{text}}".len()));
            if !text.contains("{{") {
                assert_eq!(read.fill(|_| ""), text);
            }
        });
}

#[test]
fn variables_fill_the_prompt_or_are_refused_in_words() {
    let prompt = PromptTemplate {
        model: "fast".into(),
        messages: [(Role::System, TEXTS[1]), (Role::User, TEXTS[0])]
            .map(|(role, text)| (role, TextWithVariables::parse(text).unwrap()))
            .into(),
        variables: vec![
            PromptVariable {
                name: "text".into(),
                default: None,
                max_length: 40,
            },
            PromptVariable {
                name: "audience".into(),
                default: Some("all".into()),
                max_length: 20,
            },
        ],
        max_output: Some(50),
        temperature: Number::from_f64(0.2),
    };
    bolero::check!()
        .with_iterations(4_000)
        .with_generator(near(BODIES, WORDS))
        .for_each(|input| match prompt.fill(input, false) {
            Ok(FilledPrompt { chat, values }) => {
                assert!(values.len() <= prompt.variables.len());
                assert_eq!(chat.messages.len(), 2);
                let mut bytes = 0;
                chat.texts(&mut |_, text| bytes += text.len());
                assert!(bytes <= prompt.most_bytes());
                for dialect in Dialect::ALL {
                    assert!(
                        write_chat(&chat, input, dialect, "m")
                            .unwrap()
                            .body
                            .is_some()
                    );
                }
            }
            Err(failure) => assert!(failure.message.len() <= 4_000 && failure.status < 500),
        });
}
