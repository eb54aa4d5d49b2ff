use lockgate_fuzzing::near;

use super::*;
use crate::estimate::Estimate;

const SEEDS: &[&str] = &[
    include_str!("../tests/golden/requests/openai_chat.tools.json"),
    include_str!("../tests/golden/requests/openai_chat.thinking.json"),
    include_str!("../tests/golden/requests/anthropic_messages.tools.json"),
    include_str!("../tests/golden/requests/anthropic_messages.thinking.json"),
    include_str!("../tests/golden/requests/gemini.tools.json"),
    include_str!("../tests/golden/requests/gemini.thinking.json"),
    include_str!("../tests/golden/requests/openai_responses.tools.json"),
    include_str!("../tests/golden/requests/openai_responses.image.json"),
    include_str!("../tests/golden/requests/openai_chat.image.json"),
];
const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    ",",
    ":",
    "null",
    "0",
    "-1",
    "1e999",
    "\"type\":",
    "\"text\"",
    "\"thinking\"",
    "\"signature\":",
    "\"lockgate.gemini.call.x\"",
    "\"lockgate.anthropic.redacted.x\"",
    "\"role\":\"assistant\"",
    "\"role\":\"tool\"",
    "\"content\":",
    "\"tool_calls\":[",
    "\"functionCall\":",
    "\"n\":18446744073709551615",
    "\"max_tokens\":0",
    "\"stream\":true",
    "\\ud800",
    "\u{e9}",
];

#[test]
fn a_request_that_is_read_can_be_written_for_every_provider_or_is_refused() {
    bolero::check!()
        .with_iterations(2_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            for surface in Surface::ALL {
                let Ok(request) = read_chat(surface, Some("fast"), false, input) else {
                    continue;
                };
                let estimate = Estimate::of(&request, 1_000);
                assert!(estimate.total() >= estimate.input);
                for dialect in Dialect::ALL {
                    let Ok(outgoing) = write_chat(&request, input, dialect, "claude-opus-5-5")
                    else {
                        continue;
                    };
                    if let Some(body) = &outgoing.body {
                        assert!(serde_json::from_slice::<Value>(body).is_ok());
                    }
                    let header = outgoing.losses.header().unwrap_or_default();
                    assert!(
                        header.len() <= 1_100
                            && header.bytes().all(|byte| (b' '..0x7f).contains(&byte))
                    );
                }
            }
        });
}

#[test]
fn what_is_written_in_the_callers_own_language_reads_the_same() {
    bolero::check!()
        .with_iterations(2_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            for surface in Surface::ALL {
                let (Some(dialect), Ok(request)) = (
                    surface.native(),
                    read_chat(surface, Some("fast"), false, input),
                ) else {
                    continue;
                };
                again(&request, dialect);
            }
        });
}

/// Writes a request in its own language and reads it again.
pub(crate) fn again(request: &ChatRequest, dialect: Dialect) {
    let target = Target {
        request,
        dialect,
        model: &request.model,
    };
    let mut losses = Losses::default();
    let written = match dialect {
        Dialect::Anthropic => anthropic::write(&target, &mut losses),
        Dialect::Gemini => gemini::write(&target, &mut losses),
        _ => openai::write(&target, &mut losses),
    };
    let Ok(written) = written else {
        return;
    };
    let first = to_bytes(&written);
    let read = read_chat(
        request.surface,
        Some(&request.model),
        request.stream,
        &first,
    )
    .unwrap();
    let target = Target {
        request: &read,
        dialect,
        model: &read.model,
    };
    let written = match dialect {
        Dialect::Anthropic => anthropic::write(&target, &mut losses),
        Dialect::Gemini => gemini::write(&target, &mut losses),
        _ => openai::write(&target, &mut losses),
    };
    let second = to_bytes(&written.unwrap());
    assert_eq!(
        String::from_utf8_lossy(&first),
        String::from_utf8_lossy(&second)
    );
}
