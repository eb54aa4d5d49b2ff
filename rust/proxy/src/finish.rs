//! Answers of services as policies let them pass.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Response, response};
use http_body_util::BodyExt as _;
use lockgate_policy::{Body, Refusal, Reply, ResponseView, gateway_reasons as reasons};
use lockgate_recording::Decision;

use crate::body::{AnyBody, Prefixed, ReadStart, full, read_start};
use crate::forward::Answer;
use crate::record::Observation;
use crate::service::{Exchange, Judged};

/// How long the body of an answer may take that policies must see. One that takes longer is a stream, which they cannot see.
const SHOWN_WITHIN: Duration = Duration::from_secs(10);

impl Exchange<'_> {
    /// Lets policies see an answer: its head, and the body when one of them needs it.
    pub(crate) async fn finish(
        &self,
        judged: &mut Judged<'_>,
        answer: Answer,
        seen: &mut Observation,
    ) -> Result<Response<AnyBody>, Box<Refusal>> {
        // Not the service failed: a policy refused what it answered.
        let mut refused = |refusal: Box<Refusal>| {
            seen.event.decision = Decision::Refuse;
            refusal
        };
        let Answer { mut head, body } = answer;
        if !judged.route.chain.sees_responses() {
            return Ok(Response::from_parts(head, body));
        }
        let Some(limit) = self.judge_head(judged, &head).map_err(&mut refused)? else {
            return Ok(Response::from_parts(head, body));
        };
        match read_start(Bytes::new(), body, limit, Some(SHOWN_WITHIN)).await {
            Ok(ReadStart::Whole(bytes)) => {
                let replaced = self.judge_body(judged, &head, Some(&bytes));
                let replaced = replaced.map_err(&mut refused)?;
                // The body that is sent has a length of its own.
                head.headers.remove(CONTENT_LENGTH);
                Ok(Response::from_parts(head, full(replaced.unwrap_or(bytes))))
            }
            Ok(ReadStart::Part(start, rest)) => {
                self.judge_body(judged, &head, None).map_err(&mut refused)?;
                let body = Prefixed::new(start, rest).boxed_unsync();
                Ok(Response::from_parts(head, body))
            }
            Err(_) => Err(Box::new(Refusal::new(
                &reasons::UPSTREAM_FAILED,
                "the service broke off within its answer",
            ))),
        }
    }

    /// Gives how many bytes of the body a policy needs, when one does.
    fn judge_head(
        &self,
        judged: &mut Judged<'_>,
        head: &response::Parts,
    ) -> Result<Option<usize>, Box<Refusal>> {
        let variables = judged.route.template.variables(&judged.arrived.path);
        let view = self.view(judged.arrived, judged.client, &variables, Body::Absent);
        let mut env = self.env(judged.now, &judged.facts);
        let chain = &judged.route.chain;
        let progress = &mut judged.progress;
        self.fenced(|| chain.judge_response(&view, &shown(head), progress, &mut env))?
    }

    /// Gives the body when a policy replaced it. `None` is one that policies cannot look at.
    fn judge_body(
        &self,
        judged: &mut Judged<'_>,
        head: &response::Parts,
        body: Option<&[u8]>,
    ) -> Result<Option<Bytes>, Box<Refusal>> {
        let variables = judged.route.template.variables(&judged.arrived.path);
        let view = self.view(judged.arrived, judged.client, &variables, Body::Absent);
        let mut env = self.env(judged.now, &judged.facts);
        let chain = &judged.route.chain;
        let answer = (&shown(head), body);
        let progress = &mut judged.progress;
        self.fenced(|| chain.judge_body(&view, answer, progress, &mut env))?
    }
}

const fn shown(head: &response::Parts) -> ResponseView<'_> {
    ResponseView {
        status: head.status,
        headers: &head.headers,
        body: None,
    }
}

/// An answer of the gateway itself.
pub fn respond(reply: Reply) -> Response<AnyBody> {
    let mut response = Response::new(full(Bytes::clone(&reply.body)));
    *response.status_mut() = reply.status;
    response.headers_mut().extend(reply.headers);
    response
}
