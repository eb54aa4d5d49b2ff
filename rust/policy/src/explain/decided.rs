//! What becomes of a request once its policies have decided.

use bytes::Bytes;
use http::header::HeaderMap;

use crate::chain::{Outcome, Progress};
use crate::env::Env;
use crate::reason;
use crate::request::{Body, RequestView, ResponseView};
use crate::revision::{Revision, Route, RouteTarget};
use crate::verdict::Refusal;

use super::model_answer::model_answer;
use super::request::{Answer, Parsed};
use super::trace::{Trace, written};

/// The explanation of a request about which `outcome` was decided.
pub(super) fn decided(
    (revision, route): (&Revision, &Route),
    progress: &mut Progress,
    view: &RequestView<'_>,
    env: &mut Env<'_>,
    outcome: Outcome,
    parsed: &Parsed,
) -> Trace {
    let refuse = |progress: &Progress, refusal: &Refusal| {
        let mut headers: HeaderMap = refusal.headers.iter().cloned().collect();
        edit(&mut headers, progress);
        Trace::on(route, progress, view).refused(refusal, &headers)
    };
    match outcome {
        Outcome::Forward if matches!(route.target, RouteTarget::Nobody) => {
            let refusal = Refusal::new(&reason::NO_ROUTE, "nobody answers this route");
            refuse(progress, &refusal)
        }
        Outcome::Forward => {
            let (mut status, mut headers, mut body) = (None, HeaderMap::new(), None);
            if let Some(mut answer) = parsed.answer.clone() {
                if route.target.is_model() && answer.status.is_success() {
                    match model_answer(&revision.document, progress, &answer.body) {
                        Ok(Some(said)) => answer.body = said,
                        Ok(None) => {}
                        Err(refusal) => return refuse(progress, &refusal),
                    }
                }
                match judge_answer(route, progress, view, env, &answer) {
                    Ok(replaced) => body = Some(replaced),
                    Err(refusal) => return refuse(progress, &refusal),
                }
                status = Some(answer.status.as_u16());
                headers.clone_from(&answer.headers);
            }
            edit(&mut headers, progress);
            Trace {
                decision: "forward",
                status,
                headers: written(&headers),
                body: body.map(|body| String::from_utf8_lossy(&body).into_owned()),
                ..Trace::on(route, progress, view)
            }
        }
        Outcome::Refuse(refusal) => refuse(progress, &refusal),
        Outcome::Respond(reply) => {
            let mut headers: HeaderMap = reply.headers.iter().cloned().collect();
            edit(&mut headers, progress);
            Trace {
                decision: "respond",
                status: Some(reply.status.as_u16()),
                code: Some(reply.code.into()),
                headers: written(&headers),
                body: Some(String::from_utf8_lossy(&reply.body).into_owned()),
                forwarded: None,
                ..Trace::on(route, progress, view)
            }
        }
    }
}

/// Lets policies see the service's answer; gives the body that the caller gets.
fn judge_answer(
    route: &Route,
    progress: &mut Progress,
    view: &RequestView<'_>,
    env: &mut Env<'_>,
    answer: &Answer,
) -> Result<Bytes, Box<Refusal>> {
    // Its body went to the service.
    let view = RequestView {
        body: Body::Absent,
        ..*view
    };
    let seen = ResponseView {
        status: answer.status,
        headers: &answer.headers,
        body: None,
    };
    let chain = &route.chain;
    let Some(limit) = chain.judge_response(&view, &seen, progress, env)? else {
        return Ok(answer.body.clone());
    };
    let body = Some(&*answer.body).filter(|body| body.len() <= limit);
    let replaced = chain.judge_body(&view, (&seen, body), progress, env)?;
    Ok(replaced.unwrap_or_else(|| answer.body.clone()))
}

fn edit(headers: &mut HeaderMap, progress: &Progress) {
    for edit in &progress.edits {
        edit.clone().apply(headers);
    }
}
