//! The answer of a service, judged by the API's description.

use http::{Method, StatusCode, header};

use crate::openapi::{Form, Given, Operation};
use crate::request::{RequestView, ResponseView};
use crate::verdict::{Refusal, ResponseVerdict};

use super::complaint::{Part, check_all};
use super::reasons::ANSWER;

/// Whether the answer is one that the operation gives; no more than `up_to` bytes of its body are looked at.
pub fn judge_answer(
    operation: &Operation,
    request: &RequestView<'_>,
    response: &ResponseView<'_>,
    up_to: usize,
) -> Result<ResponseVerdict, Box<Refusal>> {
    let refuse = |detail: String| Err(Box::new(Refusal::new(&ANSWER, detail)));
    let status = response.status;
    let Some(answer) = operation.answer(status.as_u16()) else {
        return if status.is_success() {
            refuse(format!("the status {} is not listed", status.as_u16()))
        } else {
            Ok(ResponseVerdict::Pass)
        };
    };
    let given = Given {
        path: &[],
        query: &[],
        headers: response.headers,
        cookies: &[],
    };
    check_all(&answer.fields, &given, &ANSWER)?;
    let without_body = request.method == Method::HEAD
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT);
    if without_body || answer.content.is_empty() {
        return Ok(ResponseVerdict::Pass);
    }
    let form = match answer.content.form(response.headers) {
        Ok(Form::Opaque) => return Ok(ResponseVerdict::Pass),
        Ok(form) => form,
        Err(_) => {
            let listed = answer.content.listed();
            return refuse(format!("the answer has none of the types {listed}"));
        }
    };
    if response.headers.contains_key(header::CONTENT_ENCODING) {
        return Ok(ResponseVerdict::Undecided(
            "the answer is compressed".into(),
        ));
    }
    match response.body {
        None => Ok(ResponseVerdict::NeedBody(up_to)),
        Some(body) if body.len() > up_to => {
            Ok(ResponseVerdict::Undecided("the answer is too large".into()))
        }
        Some(body) => match form.check(body) {
            Ok(()) => Ok(ResponseVerdict::Pass),
            Err(complaint) => Err(Part::Body.refusal(&ANSWER, &complaint)),
        },
    }
}
