//! One request of a case and what is expected of it, read and checked.

use std::num::NonZeroUsize;

use lockgate_config::{Problem, Raw, Span, Spanned};
use lockgate_policy::{ExplainAnswer, ExplainRequest, Revision, Timestamp, explain, reasons};

use crate::application::identify;
use crate::expect::{Decision, Expect, ExpectForwarded};
use crate::file::{Fields, WrittenAnswer, WrittenExpect, WrittenRequest, WrittenStep};

use super::case::Step;

/// Reads a step of a case whose clock begins at `at`.
pub fn read_step(
    step: WrittenStep,
    at: Option<Timestamp>,
    revision: &Revision,
) -> Result<Step, Problem> {
    let Spanned {
        span,
        value: written,
    } = step.request;
    let application = written.application.clone();
    let both = |what: &str| Problem::new(&span, format!("{what} has both `body` and `json`"));
    let mut request = request(written).ok_or_else(|| both("the request"))?;
    request.certificate = step.certificate;
    let facts = step.facts.unwrap_or_default();
    request.facts = facts.iter().map(|Raw(node)| node.to_json()).collect();
    let answered = step.answer.map(answer).unwrap_or(Some(ExplainAnswer {
        status: 200,
        headers: Vec::new(),
        body: String::new(),
    }));
    request.answer = Some(answered.ok_or_else(|| both("the answer"))?);
    let unreadable = |message: String| Problem::new(&span, message);
    let trace = explain(revision, &request, at.unwrap_or_default()).map_err(unreadable)?;
    if let Some(application) = &application {
        identify(&mut request, application, &trace, revision)?;
    }
    Ok(Step {
        line: span.line,
        after: step
            .after
            .map(lockgate_config::Duration::get)
            .unwrap_or_default(),
        in_flight: step.in_flight.map_or(0, NonZeroUsize::get),
        request,
        expect: expect(step.expect)?,
    })
}

fn request(written: WrittenRequest) -> Option<ExplainRequest> {
    let (headers, body) = content(&written.headers, written.body, written.json.as_ref())?;
    Some(ExplainRequest {
        method: written.method,
        url: written.url,
        headers,
        body,
        client: written.client,
        ..ExplainRequest::default()
    })
}

fn answer(written: WrittenAnswer) -> Option<ExplainAnswer> {
    let (headers, body) = content(&written.headers, written.body, written.json.as_ref())?;
    Some(ExplainAnswer {
        status: written.status,
        headers,
        body: body.unwrap_or_default(),
    })
}

type Content = (Vec<(String, String)>, Option<String>);

/// Fields and body; `json` names its type unless the fields do. `None` when both sorts of body are written.
fn content(fields: &Fields, body: Option<String>, json: Option<&Raw>) -> Option<Content> {
    let mut headers = fields.pairs();
    let body = match (body, json) {
        (Some(_), Some(_)) => return None,
        (body, None) => body,
        (None, Some(Raw(node))) => {
            if !fields.has("content-type") {
                headers.push(("Content-Type".into(), "application/json".into()));
            }
            Some(node.to_json().to_string())
        }
    };
    Some((headers, body))
}

fn expect(written: WrittenExpect) -> Result<Expect, Problem> {
    if let Some(code) = written
        .code
        .as_ref()
        .filter(|_| written.decision == Decision::Refuse)
    {
        known(code)?;
    }
    let forwarded = written.forwarded;
    Ok(Expect {
        decision: written.decision,
        code: written.code.map(|code| code.value),
        status: written.status,
        headers: written.headers.pairs(),
        without: written.without,
        body: written.body,
        application: written.application,
        route: written.route,
        policies: written.policies,
        rules: written.rules,
        forwarded: ExpectForwarded {
            path: forwarded.path,
            query: forwarded.query,
            headers: forwarded.headers.pairs(),
            without: forwarded.without,
            cache: forwarded.cache,
        },
    })
}

/// A code that no policy has would make a case fail for ever, or for the wrong reason.
fn known(code: &Spanned<String>) -> Result<(), Problem> {
    let codes: Vec<&str> = reasons().map(|reason| reason.code).collect();
    if codes.contains(&code.as_str()) {
        return Ok(());
    }
    let span: &Span = &code.span;
    let problem = Problem::unknown(span, "reason code", code, &codes);
    Err(match lockgate_config::nearest(code, &codes) {
        Some(_) => problem,
        None => Problem::new(span, problem.message)
            .help("`lockgate policies KIND` lists the codes of a kind"),
    })
}
