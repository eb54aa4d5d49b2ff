//! What was decided live, as far as the recording says.

use lockgate_policy::gateway_reasons::{ANSWER_WITHHELD, BODY_TOO_LARGE};
use lockgate_policy::is_block;
use lockgate_recording::{Decision, Event};

/// What policies decided live; nothing when the recording does not say.
pub fn recorded(event: &Event) -> Option<(Decision, Option<&str>)> {
    // The caller left before there was an answer.
    if event.status == 0 {
        return None;
    }
    match (event.decision, event.code.as_deref()) {
        // The service had been asked when the body turned out to be too long.
        (Decision::Forward, Some(code)) if code == BODY_TOO_LARGE.code => {
            Some((Decision::Refuse, Some(code)))
        }
        // It had begun when its end was withheld.
        (Decision::Forward, _) if is_withheld(event) => {
            Some((Decision::Refuse, Some(ANSWER_WITHHELD.code)))
        }
        (Decision::Forward, _) => Some((Decision::Forward, None)),
        // The policies had let it through.
        (Decision::Refuse, Some(code)) if is_of_services(code) => Some((Decision::Forward, None)),
        (decision, code) => Some((decision, code)),
    }
}

fn is_withheld(event: &Event) -> bool {
    let call = event.model_call.as_ref();
    call.and_then(|call| call.failure.as_deref()) == Some(ANSWER_WITHHELD.code)
}

fn is_of_services(code: &str) -> bool {
    code.starts_with("upstream.") || code.starts_with("aggregate.")
}

/// Whether a request was refused for what no policy decides and no recording keeps.
pub fn is_outside_policies(event: &Event) -> bool {
    event.code.as_deref().is_some_and(|code| {
        // What was blocked for a time was never the policies' to decide: nothing says what they would have counted.
        matches!(
            code,
            "request.malformed" | "request.timeout" | "gateway.draining"
        ) || is_block(code)
    })
}
