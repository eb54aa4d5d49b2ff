use super::*;

fn prompt() -> PromptTemplate {
    let variable = |name: &str, default: Option<&str>, max_length| PromptVariable {
        name: name.into(),
        default: default.map(Into::into),
        max_length,
    };
    PromptTemplate {
        model: "fast".into(),
        messages: [
            (Role::System, "You write for {{audience}}."),
            (Role::System, "Never say more than you know."),
            (Role::User, "{{text}}"),
        ]
        .map(|(role, text)| (role, TextWithVariables::parse(text).unwrap()))
        .into(),
        variables: vec![
            variable("text", None, 12),
            variable("audience", Some("all"), 8),
        ],
        max_output: Some(50),
        temperature: Number::from_f64(0.2),
    }
}

fn texts(body: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let chat = prompt().fill(body.as_bytes(), false).unwrap().chat;
    chat.texts(&mut |_, text| texts.push(text.to_owned()));
    texts.remove(1);
    texts
}

#[test]
fn values_are_text_or_numbers_and_defaults_stand_in() {
    assert_eq!(texts(r#"{"text":"Hi"}"#), ["You write for all.", "Hi"]);
    assert_eq!(
        texts(r#"{"text":12.5,"audience":"us"}"#),
        ["You write for us.", "12.5"]
    );
    assert_eq!(texts(r#"{"text":""}"#), ["You write for all.", ""]);
}

#[test]
fn a_value_that_looks_like_a_variable_is_a_value() {
    assert_eq!(
        texts(r#"{"text":"{{audience}}"}"#),
        ["You write for all.", "{{audience}}"]
    );
}

#[test]
fn what_is_wrong_is_named_with_what_to_send() {
    for (body, message) in [
        (
            "{}",
            "`text` is missing; send text or a number of at most 12 characters",
        ),
        (
            r#"{"text":null}"#,
            "`text` is `null`; send text or a number of at most 12 characters",
        ),
        (
            r#"{"text":["a"]}"#,
            "`text` is a list; send text or a number of at most 12 characters",
        ),
        (
            r#"{"text":"1234567890123"}"#,
            "`text` has 13 characters; send at most 12",
        ),
        (
            r#"{"text":"a","tone":"b"}"#,
            "`tone` is no variable of this prompt",
        ),
        (
            r#"{"tone":true}"#,
            "`tone` is no variable of this prompt; `text` is missing; send text or a number of at most 12 characters",
        ),
        ("[]", "the body is no JSON object"),
    ] {
        let failure = prompt().fill(body.as_bytes(), false).unwrap_err();
        assert_eq!(failure.message, message);
        assert_eq!(failure.status, 400);
    }
    assert_eq!(
        prompt().takes(),
        "send a JSON object with `text`, and with `audience` if you like"
    );
}

#[test]
fn characters_count_and_not_bytes() {
    assert_eq!(texts(r#"{"text":"éééééééééééé"}"#)[1].chars().count(), 12);
    let escaped = "\\ud83d\\ude00".repeat(12);
    assert_eq!(
        texts(&format!(r#"{{"text":"{escaped}"}}"#))[1],
        "\u{1f600}".repeat(12)
    );
}

#[test]
fn a_body_larger_than_its_variables_is_not_read() {
    let padding = " ".repeat(prompt().most_body());
    let failure = prompt()
        .fill(format!(r#"{{"text":"a"{padding}}}"#).as_bytes(), false)
        .unwrap_err();
    assert_eq!(failure.status, 413);
}

#[test]
fn a_message_that_holds_a_variable_is_judged_as_the_callers() {
    let said: Vec<Role> = (0..4).map(|place| prompt().said_by(place)).collect();
    assert_eq!(said, [Role::User, Role::System, Role::User, Role::System]);
}
