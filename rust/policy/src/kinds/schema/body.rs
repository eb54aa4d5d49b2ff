//! The body of a request, judged by the API's description.

use lockgate_inspection::json;

use crate::openapi::{Form, Operation};
use crate::payload;
use crate::request::{Body, RequestView};
use crate::verdict::Verdict;

use super::complaint::{Part, media_type};
use super::reasons::REFUSED;

/// Whether the body is one that the operation takes; no more than `up_to` bytes of it are looked at.
pub fn judge_body(
    operation: &Operation,
    request: &RequestView<'_>,
    up_to: usize,
) -> Result<(), Verdict> {
    let Some(rule) = &operation.body else {
        let body = payload::readable_body(request, up_to)?;
        return if body.is_empty() {
            Ok(())
        } else {
            Err(Verdict::deny(&REFUSED, "this operation takes no body"))
        };
    };
    let absent = || {
        if rule.required {
            Err(Verdict::deny(&REFUSED, "the body is missing"))
        } else {
            Ok(())
        }
    };
    if matches!(
        request.body,
        Body::Absent | Body::Unread(Some(0)) | Body::Read([])
    ) {
        return absent();
    }
    let form = rule.content.form(request.headers);
    let form = form.map_err(|why| media_type(why, &rule.content))?;
    let json = rule.content.json();
    if matches!(form, Form::Opaque) && json.is_none() {
        return Ok(());
    }
    let body = payload::readable_body(request, up_to)?;
    if body.is_empty() {
        return absent();
    }
    let complain = |complaint| Verdict::Deny(Part::Body.refusal(&REFUSED, &complaint));
    form.check(body).map_err(complain)?;
    match json {
        // Services that do not look at `Content-Type` would read it as JSON.
        Some(json) if !matches!(form, Form::Json(..)) && json::looks_like_json(body) => {
            json.check(body).map_err(complain)
        }
        _ => Ok(()),
    }
}
