//! What came of a request, whoever judged it.

use std::borrow::Cow;
use std::sync::Arc;

use lockgate_policy::{ExplainRequest, Trace};

/// What became of one request: of a trace of the engine, or of a request to a running gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Came {
    /// `forward`, `respond`, `refuse` or `need`.
    pub decision: &'static str,
    /// The reason code.
    pub code: Option<String>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// Fields of the answer.
    pub headers: Vec<(String, String)>,
    /// The body of the answer.
    pub body: Option<String>,
    /// The application that was identified.
    pub application: Option<Arc<str>>,
    /// The id of the route.
    pub route: Option<Arc<str>>,
    /// What the service got.
    pub forwarded: Option<CameForwarded>,
    /// What each policy said, in the order of the chain.
    pub verdicts: Vec<CameVerdict>,
}

/// What a service got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameForwarded {
    /// The path.
    pub path: String,
    /// The query.
    pub query: Option<String>,
    /// All fields.
    pub headers: Vec<(String, String)>,
    /// Whether the cache had a part in it.
    pub cache: bool,
}

/// What a policy said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameVerdict {
    /// The policy.
    pub id: Arc<str>,
    /// The word; `None` when it was not asked.
    pub word: Option<Cow<'static, str>>,
    /// Its reason.
    pub code: Option<Cow<'static, str>>,
    /// The rules of its settings that found something, those that are only tried out among them.
    pub rules: Vec<Arc<str>>,
}

impl Came {
    /// What the engine says of a request.
    pub fn of(trace: &Trace, request: &ExplainRequest) -> Self {
        let forwarded = trace.forwarded.as_ref().map(|forwarded| {
            let changed = |name: &str| {
                let mut names = forwarded.headers.iter().map(|(changed, _)| changed);
                names.any(|changed| changed.eq_ignore_ascii_case(name))
            };
            let mut headers: Vec<(String, String)> = request
                .headers
                .iter()
                .filter(|(name, _)| !changed(name))
                .cloned()
                .collect();
            let set = forwarded.headers.iter();
            headers.extend(set.filter_map(|(name, value)| Some((name.clone(), value.clone()?))));
            CameForwarded {
                path: forwarded.path.clone(),
                query: forwarded.query.clone(),
                headers,
                cache: forwarded.cache,
            }
        });
        Self {
            decision: trace.decision,
            code: trace.code.clone(),
            status: trace.status,
            headers: trace.headers.clone(),
            body: trace.body.clone(),
            application: trace.application.clone(),
            route: trace.route.as_ref().map(|route| route.id.clone()),
            forwarded,
            verdicts: trace
                .policies
                .iter()
                .map(|policy| CameVerdict {
                    id: policy.id.clone(),
                    word: policy.verdict.map(|word| word.as_str().into()),
                    code: policy.code.map(Into::into),
                    rules: policy
                        .found_by
                        .iter()
                        .chain(&policy.tried)
                        .cloned()
                        .collect(),
                })
                .collect(),
        }
    }
}
