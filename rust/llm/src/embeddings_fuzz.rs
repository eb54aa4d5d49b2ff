use lockgate_fuzzing::near;

use super::*;

const SEEDS: &[&str] = &[
    r#"{"model":"small","input":["a","b"],"encoding_format":"base64","dimensions":2,"user":"u"}"#,
    r#"{"model":"small","input":[[1,2],[3]]}"#,
    r#"{"model":"m","embeddings":[[1,0.5],[0,-1]],"prompt_eval_count":2}"#,
    r#"{"embeddings":[{"values":[1,0.5]}]}"#,
    r#"{"model":"m","data":[{"embedding":[1,0.5],"index":0}],"usage":{"prompt_tokens":2,"total_tokens":2}}"#,
];
const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    ",",
    "null",
    "1e999",
    "-1",
    "\"input\":",
    "\"values\":",
    "\"usage\":{}",
];

#[test]
fn embeddings_are_translated_or_refused() {
    let stamp = Stamp {
        id: "c0ffee".into(),
        now: 1,
        model: "small".into(),
    };
    let asked = read_embeddings(SEEDS[0].as_bytes()).unwrap();
    bolero::check!()
        .with_iterations(2_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let request = read_embeddings(input);
            for dialect in Dialect::ALL {
                if let Ok(request) = &request
                    && let Ok((body, _)) = write_embeddings(request, dialect, "m")
                {
                    assert!(serde_json::from_slice::<Value>(&body).is_ok());
                }
                if let Ok((body, _)) = translate_embeddings(&asked, dialect, &stamp, input) {
                    assert!(serde_json::from_slice::<Value>(&body).is_ok());
                }
            }
        });
}
