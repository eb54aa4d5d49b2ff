use lockgate_fuzzing::near;

use super::*;

const SEEDS: &[&str] = &[
    r#"{"active":true,"exp":4102444800,"scope":"a"}"#,
    r#"{"active":true,"exp":1}"#,
    r#"{"active":"true","exp":4102444800}"#,
    r#"[{"active":true}]"#,
];
const WORDS: &[&str] = &[
    "true",
    "false",
    "null",
    "\"",
    "-1",
    "1e99",
    "18446744073709551615",
    "{",
    "}",
    ":",
    ",",
];

#[test]
fn no_answer_is_used_for_longer_than_the_document_says() {
    let endpoint = Endpoint {
        url: "https://id.example.com".into(),
        allow_private: false,
        client: None,
        keep: Duration::from_secs(60),
        keep_negative: Duration::from_secs(5),
    };
    bolero::check!()
        .with_iterations(2_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let Ok(answer) = serde_json::from_slice::<Value>(input) else {
                return;
            };
            let kept = keep_answer(&endpoint, &answer, Timestamp::from_seconds(1_800_000_000));
            assert!(kept <= endpoint.keep);
            assert!(answer["active"] == true || kept <= endpoint.keep_negative);
        });
}
