//! What the tests of policies share: a gateway as text, a request, an explanation.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests; no test file uses all of it"
)]

pub mod tokens;

use std::sync::Arc;

use lockgate_config::{Problem, Source, sha256_hex};
use lockgate_policy::{
    Body, Counters, Env, ExplainRequest, Facts, Form, Found, Outcome, Progress, RequestView,
    Revision, Step, Timestamp, Trace, explain, problem_response,
};

pub const KEY: &str = "lg_example_key";
pub const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// A gateway with one API whose version has these policies and routes (YAML, indented by 10).
pub fn document(policies: &str, routes: &str) -> String {
    let hash = sha256_hex(KEY.as_bytes());
    format!(
        "lockgate: 1
purposes: optional
upstreams:
  orders: {{ targets: [\"http://127.0.0.1:9001\"] }}
  other: {{ targets: [\"http://127.0.0.1:9002\"] }}
applications:
  shop: {{ plan: gold, scopes: [orders:read], keys: [{{ sha256: {hash} }}] }}
  old:
    keys: [{{ sha256: {old}, expires: 2020-01-01 }}]
apis:
  orders:
    versions:
      v1:
        base: /orders
        upstream: orders
{policies}{routes}",
        old = sha256_hex(b"lg_old"),
    )
}

pub fn section(name: &str, lines: &[&str]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let lines: String = lines
        .iter()
        .map(|line| format!("          - {line}\n"))
        .collect();
    format!("        {name}:\n{lines}")
}

pub fn with(policies: &[&str]) -> String {
    document(&section("policies", policies), "")
}

pub fn compile(text: &str) -> Revision {
    Revision::check(&Source::text("gateway.yaml", text))
        .unwrap_or_else(|problems| panic!("{problems:#?}"))
        .0
}

pub fn problems(text: &str) -> Vec<Problem> {
    Revision::check(&Source::text("gateway.yaml", text))
        .err()
        .unwrap_or_default()
}

pub fn messages(text: &str) -> String {
    problems(text)
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

pub fn call(method: &str, url: &str, headers: &[(&str, &str)]) -> ExplainRequest {
    ExplainRequest {
        method: method.into(),
        url: url.into(),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
        ..ExplainRequest::default()
    }
}

pub fn trace(document: &str, request: &ExplainRequest) -> Trace {
    explain(&compile(document), request, NOW).unwrap()
}

pub fn code(trace: &Trace) -> &str {
    trace.code.as_deref().unwrap_or_default()
}

/// Sends requests one after the other through one set of counters; gives the codes, empty for a forwarded one.
pub fn send(
    revision: &Revision,
    counters: &Arc<Counters>,
    times: impl IntoIterator<Item = u64>,
) -> Vec<String> {
    times
        .into_iter()
        .map(|micros| {
            let (method, headers, facts) =
                (http::Method::GET, http::HeaderMap::new(), Facts::default());
            let Found::Route(at) =
                revision
                    .router
                    .find("localhost", "/orders/7", &method, &headers)
            else {
                panic!("no route")
            };
            let view = RequestView {
                method: &method,
                scheme: "http",
                host: "localhost",
                path: "/orders/7",
                query: None,
                version: http::Version::HTTP_11,
                headers: &headers,
                client: [192, 0, 2, 1].into(),
                certificate: None,
                body: Body::Absent,
                variables: &[],
                identity: None,
                prompt: None,
            };
            let mut env = Env {
                now: Timestamp(micros),
                facts: &facts,
                directory: &revision.directory,
                counters,
            };
            let route = &revision.routes[at];
            match route.advance(&view, &mut Progress::default(), &mut env) {
                Step::Decided(Outcome::Forward) => String::new(),
                Step::Decided(Outcome::Refuse(refusal)) => {
                    let answer = problem_response(&refusal, "1", Form::Json);
                    let retry = answer
                        .headers()
                        .get("retry-after")
                        .map_or("", |value| value.to_str().unwrap());
                    format!("{} {retry}", refusal.reason.code)
                }
                other => panic!("{other:?}"),
            }
        })
        .collect()
}

/// The code of a request whose facts cannot be found out.
pub fn without_facts(gateway: &str, request: &ExplainRequest) -> String {
    judged(&compile(gateway), request, None, |_| {
        lockgate_policy::Fact::Unavailable(Arc::from("not reachable"))
    })
}

/// Decides about a request with a client certificate and facts; gives the code, empty for a forwarded request.
pub fn judged(
    revision: &Revision,
    request: &ExplainRequest,
    certificate: Option<&lockgate_policy::ClientCertificate>,
    fact: impl Fn(&lockgate_policy::FactRequest) -> lockgate_policy::Fact,
) -> String {
    let method: http::Method = request.method.parse().unwrap();
    let mut headers = http::HeaderMap::new();
    for (name, value) in &request.headers {
        headers.append(
            http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
            value.parse().unwrap(),
        );
    }
    let (path, query) = request
        .url
        .split_once('?')
        .map_or((request.url.as_str(), None), |(path, query)| {
            (path, Some(query))
        });
    let route = revision
        .route("localhost", path, &method, &headers)
        .unwrap();
    let view = RequestView {
        method: &method,
        scheme: "http",
        host: "localhost",
        path,
        query,
        version: http::Version::HTTP_11,
        headers: &headers,
        client: [192, 0, 2, 1].into(),
        certificate,
        body: request
            .body
            .as_ref()
            .map_or(Body::Absent, |body| Body::Read(body.as_bytes())),
        variables: &[],
        identity: None,
        prompt: None,
    };
    let mut facts = Facts::default();
    let mut progress = Progress::default();
    loop {
        let mut env = Env {
            now: NOW,
            facts: &facts,
            directory: &revision.directory,
            counters: &Arc::default(),
        };
        match route.advance(&view, &mut progress, &mut env) {
            Step::Decided(Outcome::Forward) => return String::new(),
            Step::Decided(Outcome::Refuse(refusal)) => return refusal.reason.code.to_owned(),
            Step::Need(lockgate_policy::Need::Fact(wanted)) => {
                let answer = fact(&wanted);
                facts.put(wanted, answer);
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Decides about a request at a time with the given counters; gives the code, empty for a forwarded request, and the fields that
/// the caller sees.
pub fn answer(
    revision: &Revision,
    counters: &Arc<Counters>,
    now: Timestamp,
    request: &ExplainRequest,
) -> (String, Vec<(String, String)>) {
    let method: http::Method = request.method.parse().unwrap();
    let mut headers = http::HeaderMap::new();
    for (name, value) in &request.headers {
        let name: http::HeaderName = name.parse().unwrap();
        headers.append(name, value.parse().unwrap());
    }
    let route = revision.route("localhost", &request.url, &method, &headers);
    let route = route.unwrap();
    let view = RequestView {
        method: &method,
        scheme: "http",
        host: "localhost",
        path: &request.url,
        query: None,
        version: http::Version::HTTP_11,
        headers: &headers,
        client: [192, 0, 2, 1].into(),
        certificate: None,
        body: Body::Absent,
        variables: &[],
        identity: None,
        prompt: None,
    };
    let mut progress = Progress::default();
    let mut env = Env {
        now,
        facts: &Facts::default(),
        directory: &revision.directory,
        counters,
    };
    let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
    match route.advance(&view, &mut progress, &mut env) {
        Step::Decided(Outcome::Forward) => {
            let fields = progress.edits.iter().map(|edit| match edit {
                lockgate_policy::ResponseEdit::Add(name, value) => (name.to_string(), text(value)),
                other => panic!("{other:?}"),
            });
            (String::new(), fields.collect())
        }
        Step::Decided(Outcome::Refuse(refusal)) => (
            refusal.reason.code.to_owned(),
            refusal
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), text(value)))
                .collect(),
        ),
        other => panic!("{other:?}"),
    }
}
