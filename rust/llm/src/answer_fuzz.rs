use lockgate_fuzzing::near;
use serde_json::Value;

use crate::dialect::{Dialect, Surface};
use crate::{Stamp, read_error, read_response, write_error, write_response};

const SEEDS: &[&str] = &[
    include_str!("../tests/golden/answers/openai.parallel.json"),
    include_str!("../tests/golden/answers/anthropic.thinking.json"),
    include_str!("../tests/golden/answers/anthropic.parallel.json"),
    include_str!("../tests/golden/answers/gemini.parallel.json"),
    include_str!("../tests/golden/answers/gemini.blocked.json"),
    include_str!("../tests/golden/answers/mistral.parallel.json"),
    include_str!("../tests/golden/answers/ollama.parallel.json"),
    r#"{"error":{"message":"x","type":"overloaded_error","code":529,"details":[{"retryDelay":"3s"}]}}"#,
    r#"{"detail":[{"loc":["body"],"msg":"x"}]}"#,
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
    "-1",
    "1e999",
    "\"index\":18446744073709551615",
    "\"arguments\":",
    "\"input\":",
    "\"usage\":",
    "\"candidates\":[",
    "\"error\":",
    "\"retryDelay\":\"1e308s\"",
    "\"status\":",
    "<html>",
];

#[test]
fn what_providers_answer_is_written_for_every_caller_or_is_a_failure() {
    let stamp = Stamp {
        id: "c0ffee".into(),
        now: 1,
        model: "fast".into(),
    };
    bolero::check!()
        .with_iterations(2_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            for dialect in Dialect::ALL {
                let failure = read_error(dialect, 503, Some("1"), input);
                for surface in Surface::ALL {
                    assert!(
                        serde_json::from_slice::<Value>(&write_error(surface, &failure)).is_ok()
                    );
                }
                let Ok(response) = read_response(dialect, "c0ffee", input) else {
                    continue;
                };
                for surface in Surface::ALL {
                    let native = surface.native() == Some(dialect);
                    if let Ok((body, _)) = write_response(surface, &response, &stamp, native) {
                        assert!(serde_json::from_slice::<Value>(&body).is_ok());
                    }
                }
            }
        });
}
