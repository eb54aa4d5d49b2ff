//! How many tokens a chat has before it is asked (`POST /v1/messages/count_tokens`).

use crate::anthropic;
use crate::chat::{Outgoing, changed};
use crate::dialect::Dialect;
use crate::estimate::Estimate;
use crate::failure::Failure;
use crate::json::{count, object, read_answer};
use crate::loss::Losses;
use crate::model::ChatRequest;
use crate::signature::holds_foreign_seal;
use crate::sse::to_bytes;
use crate::write::Target;

/// Members of a chat that a count does not take.
const OF_ANSWERS: [&str; 2] = ["max_tokens", "stream"];

/// Writes the question for a provider, whose own name of the model is `model`; `None` for one that does not count. `original` is the
/// caller's body, which goes as it came but for the model.
///
/// # Errors
/// The provider cannot take what the caller sent.
pub fn write_count(
    request: &ChatRequest,
    original: &[u8],
    dialect: Dialect,
    model: &str,
) -> Result<Option<Outgoing>, Failure> {
    if dialect != Dialect::Anthropic {
        return Ok(None);
    }
    let mut losses = Losses::default();
    let body = if request.changed || holds_foreign_seal(original) {
        let target = Target {
            request,
            dialect,
            model,
        };
        let mut body = anthropic::write(&target, &mut losses)?;
        for name in OF_ANSWERS {
            body.shift_remove(name);
        }
        Some(to_bytes(&body))
    } else {
        changed(request, original, model)?
    };
    Ok(Some(Outgoing {
        path: "/v1/messages/count_tokens".to_owned(),
        body,
        losses,
        native: true,
    }))
}

/// Checks that a provider's answer is a count.
///
/// # Errors
/// It is none.
pub fn check_count(text: &[u8]) -> Result<(), Failure> {
    let answer = read_answer(text)?;
    match answer.get("input_tokens").and_then(count) {
        Some(_) => Ok(()),
        None => Err(Failure::bad_answer("the provider's answer holds no count")),
    }
}

/// The most tokens that a chat can have, for a provider that does not count: a bound, and said to be no count.
#[must_use]
pub fn estimated_count(request: &ChatRequest) -> (Vec<u8>, Losses) {
    let mut losses = Losses::default();
    losses.changed("input_tokens");
    let most = Estimate::of(request, 0).input;
    let answer = object! {"input_tokens": most, "estimate": true};
    (to_bytes(&answer), losses)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::{Part, Role, Surface, read_chat};

    const BODY: &str = r#"{"model":"fast","messages":[{"role":"user","content":"Hi"}],"x":1}"#;

    fn read() -> ChatRequest {
        read_chat(Surface::AnthropicMessages, None, false, BODY.as_bytes()).unwrap()
    }

    fn sent(request: &ChatRequest) -> String {
        let outgoing = write_count(request, BODY.as_bytes(), Dialect::Anthropic, "claude-x");
        let outgoing = outgoing.unwrap().unwrap();
        assert_eq!(outgoing.path, "/v1/messages/count_tokens");
        String::from_utf8(outgoing.body.unwrap()).unwrap()
    }

    #[test]
    fn a_provider_that_counts_gets_the_callers_words() {
        assert_eq!(sent(&read()), BODY.replace("fast", "claude-x"));
    }

    #[test]
    fn what_a_policy_changed_is_counted_without_members_of_answers() {
        let mut request = read();
        request.changed = true;
        request.messages[0].parts = vec![Part::text("[EMAIL_1]")];
        let sent: Value = serde_json::from_str(&sent(&request)).unwrap();
        assert_eq!(
            sent.pointer("/messages/0/content/0/text")
                .or(sent.pointer("/messages/0/content")),
            Some(&Value::from("[EMAIL_1]"))
        );
        assert!(sent.get("max_tokens").is_none() && sent.get("stream").is_none());
        assert_eq!(request.messages[0].role, Role::User);
    }

    #[test]
    fn whoever_does_not_count_is_estimated_and_marked() {
        for dialect in Dialect::ALL {
            let outgoing = write_count(&read(), BODY.as_bytes(), dialect, "m").unwrap();
            assert_eq!(outgoing.is_some(), dialect == Dialect::Anthropic);
        }
        let (answer, losses) = estimated_count(&read());
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["estimate"], Value::Bool(true));
        assert!(answer["input_tokens"].as_u64().unwrap() >= 2);
        assert_eq!(losses.header().unwrap(), "changed=input_tokens");
    }

    #[test]
    fn an_answer_without_a_count_is_none() {
        assert!(check_count(br#"{"input_tokens":14}"#).is_ok());
        for text in [&b"{}"[..], b"14", br#"{"input_tokens":"14"}"#] {
            assert_eq!(check_count(text).unwrap_err().status, 502);
        }
    }
}
