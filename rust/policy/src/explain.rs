//! One request, explained: its route, each policy with its origin and verdict, and what becomes of it.

mod decided;
mod model_answer;
mod request;
mod trace;

use std::sync::Arc;

use http::Version;
use http::header::HeaderMap;
use serde_json::Value;

use crate::canonical::canonical_path;
use crate::chain::{Progress, Step};
use crate::counters::Counters;
use crate::env::Env;
use crate::facts::{Fact, Facts};
use crate::need::Need;
use crate::reason;
use crate::request::{Body, RequestView};
use crate::revision::Revision;
use crate::time::Timestamp;
use crate::verdict::Refusal;

use decided::decided;
use request::Parsed;
pub use request::{ExplainAnswer, ExplainCertificate, ExplainRequest};
pub use trace::{Forwarded, Trace, TracedPolicy, TracedRoute};

/// A request that was explained. What it holds of limits on requests in flight is given back when this is dropped.
pub struct Explained {
    /// The explanation.
    pub trace: Trace,
    /// How many of the facts that were given nobody asked for.
    pub unasked_facts: usize,
    _held: Progress,
}

/// Explains a request against a revision, with fresh counters.
///
/// # Errors
/// What is wrong with the request as it was written.
pub fn explain(
    revision: &Revision,
    request: &ExplainRequest,
    now: Timestamp,
) -> Result<Trace, String> {
    explain_with(revision, request, now, &Arc::default()).map(|explained| explained.trace)
}

/// Explains a request with counters that other requests have used.
///
/// # Errors
/// What is wrong with the request as it was written.
pub fn explain_with(
    revision: &Revision,
    request: &ExplainRequest,
    now: Timestamp,
    counters: &Arc<Counters>,
) -> Result<Explained, String> {
    let parsed = Parsed::read(request, now)?;
    let mut progress = Progress::default();
    let mut given = request.facts.iter();
    let trace = judge(revision, &parsed, &mut given, counters, &mut progress)?;
    Ok(Explained {
        trace,
        unasked_facts: given.len(),
        _held: progress,
    })
}

fn judge(
    revision: &Revision,
    parsed: &Parsed,
    given: &mut std::slice::Iter<'_, Value>,
    counters: &Arc<Counters>,
    progress: &mut Progress,
) -> Result<Trace, String> {
    let body = parsed.body.as_deref();
    let mut view = RequestView {
        method: &parsed.method,
        scheme: &parsed.scheme,
        host: "",
        path: "",
        query: parsed.query.as_deref(),
        version: Version::HTTP_11,
        headers: &parsed.headers,
        client: parsed.client,
        certificate: parsed.certificate.as_ref(),
        body: body.map_or(Body::Absent, |body| Body::Unread(Some(body.len() as u64))),
        variables: &[],
        identity: None,
        prompt: None,
    };
    let mut facts = Facts::default();
    let refused = |view: &RequestView<'_>, refusal: &Refusal| {
        let mut env = Env {
            now: parsed.at,
            facts: &Facts::default(),
            directory: &revision.directory,
            counters,
        };
        let mut headers: HeaderMap = refusal.headers.iter().cloned().collect();
        for edit in revision.unrouted_edits(view, &mut env) {
            edit.apply(&mut headers);
        }
        Trace::empty().refused(refusal, &headers)
    };
    let path = match canonical_path(&parsed.path) {
        Ok(path) => path,
        Err(error) => {
            let refusal = Refusal::new(&reason::BAD_PATH, error.to_string());
            return Ok(refused(&view, &refusal));
        }
    };
    view.host = &parsed.host;
    view.path = &path;
    let route = match revision.route(&parsed.host, &path, &parsed.method, &parsed.headers) {
        Ok(route) => route,
        Err(refusal) => return Ok(refused(&view, &refusal)),
    };
    let variables = route.template.variables(&path);
    view.variables = &variables;
    loop {
        let mut env = Env {
            now: parsed.at,
            facts: &facts,
            directory: &revision.directory,
            counters,
        };
        match route.advance(&view, progress, &mut env) {
            Step::Need(Need::Body(limit)) => {
                let body = body.unwrap_or_default();
                view.body = if body.len() > limit {
                    Body::TooLarge(limit)
                } else {
                    Body::Read(body)
                };
            }
            // What is explained was not recorded.
            Step::Need(Need::Recorded(_)) => {
                return Ok(Trace {
                    decision: "need",
                    ..Trace::on(route, progress, &view)
                });
            }
            Step::Need(Need::Fact(wanted)) => {
                let Some(value) = given.next() else {
                    return Ok(Trace {
                        decision: "need",
                        ..Trace::on(route, progress, &view)
                    });
                };
                let fact = Fact::read(&wanted, value)?;
                facts.put(wanted, fact);
            }
            Step::Decided(outcome) => {
                let route = (revision, route);
                return Ok(decided(route, progress, &view, &mut env, outcome, parsed));
            }
        }
    }
}
