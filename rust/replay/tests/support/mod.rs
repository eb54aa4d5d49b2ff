//! A gateway without a network: it decides about requests as a node does, and records them.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests; no test file uses all of it"
)]

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use lockgate_config::Source;
use lockgate_policy::{
    Body, ClientCertificate, Counters, Env, Fact, Facts, Need, Outcome, Progress, RequestView,
    Revision, Step, Timestamp, evidence,
};
use lockgate_recording::{
    Decision, Event, KEY_FILE, Redactor, SegmentOptions, SegmentWriter, write_beginning,
};
use lockgate_replay::{Expectation, Report, replay};
use serde_json::Value;

pub const START: u64 = 1_800_000_000_000_000;
pub const SECOND: u64 = 1_000_000;
const KEY: [u8; 32] = [9; 32];

/// A request as a test writes it.
#[derive(Clone)]
pub struct Call<'a> {
    pub after: u64,
    pub latency: u64,
    pub method: &'a str,
    pub path: &'a str,
    pub headers: Vec<(&'a str, String)>,
    pub body: Option<&'a str>,
    pub certificate: Option<ClientCertificate>,
    /// What is answered to a fact request.
    pub fact: Option<Value>,
}

pub fn call<'a>(path: &'a str, headers: &[(&'a str, &str)]) -> Call<'a> {
    Call {
        after: SECOND,
        latency: 1_000,
        method: "GET",
        path,
        headers: headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect(),
        body: None,
        certificate: None,
        fact: None,
    }
}

pub fn compile(text: &str) -> Revision {
    Revision::check(&Source::text("gateway.yaml", text))
        .unwrap_or_else(|problems| panic!("{problems:#?}"))
        .0
}

/// A gateway with one version that has these policies and routes.
pub fn document(applications: &str, policies: &[&str], routes: &[&str]) -> String {
    let list = |name: &str, lines: &[&str]| {
        let lines: String = lines
            .iter()
            .map(|line| format!("          - {line}\n"))
            .collect();
        if lines.is_empty() {
            String::new()
        } else {
            format!("        {name}:\n{lines}")
        }
    };
    format!(
        "lockgate: 1
purposes: optional
upstreams:
  orders: {{ targets: [\"http://127.0.0.1:9001\"] }}
  other: {{ targets: [\"http://127.0.0.1:9002\"] }}
applications: {{ {applications} }}
apis:
  orders:
    versions:
      v1:
        base: /orders
        upstream: orders
{}{}",
        list("policies", policies),
        list("routes", routes)
    )
}

/// A folder with what a gateway recorded.
pub struct Recorded {
    folder: tempfile::TempDir,
    pub events: Vec<Event>,
}

impl Recorded {
    pub fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Another folder with events that a test has changed.
    pub fn of(events: Vec<Event>) -> Self {
        Self::made(events, None)
    }

    /// The same, of a node that knew what was used when it started.
    pub fn begun(events: Vec<Event>, usage: Value) -> Self {
        Self::made(events, Some(usage))
    }

    fn made(events: Vec<Event>, usage: Option<Value>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(folder.path().join(KEY_FILE));
        key.unwrap().write_all(&KEY).unwrap();
        let redactor = Redactor::new(KEY, [""; 0]);
        let mut writer =
            SegmentWriter::open(folder.path(), SegmentOptions::default(), START).unwrap();
        if let Some(usage) = usage {
            write_beginning(folder.path(), START, usage).unwrap();
        }
        for event in &events {
            let mut event = event.clone();
            redactor.redact(&mut event);
            writer.append(&event, START);
        }
        writer.finish(START);
        Self { folder, events }
    }

    /// What replays say of it.
    pub fn replay(&self, base: &str, candidate: &str) -> Report {
        self.replay_expecting(base, candidate, &Expectation::default())
    }

    pub fn replay_expecting(
        &self,
        base: &str,
        candidate: &str,
        expectation: &Expectation,
    ) -> Report {
        let (base, candidate) = (compile(base), compile(candidate));
        replay(
            base,
            candidate,
            self.folder.path(),
            expectation,
            Vec::new(),
            &mut |_| true,
        )
        .unwrap()
    }

    pub fn remove_key(&self) {
        std::fs::remove_file(self.folder.path().join(KEY_FILE)).unwrap();
    }
}

/// Decides about calls, one after the other, and records them.
pub fn record(text: &str, calls: &[Call<'_>]) -> Recorded {
    let revision = compile(text);
    let counters = Arc::new(Counters::default());
    let mut at = START;
    let mut held = Vec::new();
    let events = calls.iter().enumerate().map(|(number, call)| {
        at += call.after;
        held.retain(|(end, _)| *end > at);
        let (mut event, progress) = decide(&revision, &counters, at, call);
        event.id = format!("request-{number}").into();
        held.push((at + call.latency, progress));
        event
    });
    Recorded::of(events.collect())
}

/// One decision, as the data plane makes and records it.
pub fn decide(
    revision: &Revision,
    counters: &Arc<Counters>,
    at: u64,
    call: &Call<'_>,
) -> (Event, Progress) {
    let method = Method::from_bytes(call.method.as_bytes()).unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in &call.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    let mut event = Event {
        at,
        latency_us: call.latency,
        revision: revision.id.to_string().into(),
        method: call.method.to_owned().into(),
        host: "localhost".into(),
        path: call.path.into(),
        client: Some([192, 0, 2, 7].into()),
        headers: call
            .headers
            .iter()
            .map(|(name, value)| (*name, value))
            .collect(),
        status: 200,
        has_body: call.body.is_some(),
        ..Event::default()
    };
    let mut progress = Progress::default();
    let route = match revision.route("localhost", call.path, &method, &headers) {
        Ok(route) => route,
        Err(refusal) => {
            event.decision = Decision::Refuse;
            event.code = Some(refusal.reason.code.into());
            event.status = refusal.reason.status;
            return (event, progress);
        }
    };
    let mut facts = Facts::to_record();
    let variables = route.template.variables(call.path);
    let mut body = match call.body {
        None => Body::Absent,
        Some(body) => Body::Unread(Some(body.len() as u64)),
    };
    let outcome = loop {
        let view = RequestView {
            method: &method,
            scheme: "http",
            host: "localhost",
            path: call.path,
            query: None,
            version: Version::HTTP_11,
            headers: &headers,
            client: [192, 0, 2, 7].into(),
            certificate: call.certificate.as_ref(),
            body,
            variables: &variables,
            identity: None,
            prompt: None,
        };
        let mut env = Env {
            now: Timestamp(at),
            facts: &facts,
            directory: &revision.directory,
            counters,
        };
        match route.advance(&view, &mut progress, &mut env) {
            Step::Decided(outcome) => break outcome,
            Step::Need(Need::Body(limit)) => {
                let bytes = call.body.unwrap_or_default().as_bytes();
                body = if bytes.len() > limit {
                    Body::TooLarge(limit)
                } else {
                    event.bytes_in = bytes.len() as u64;
                    if let Some(record) = &route.record_body {
                        event.keep_body(bytes, record.up_to.as_usize());
                    }
                    Body::Read(bytes)
                };
            }
            Step::Need(Need::Recorded(what)) => panic!("live traffic lacks nothing: {what}"),
            Step::Need(Need::Fact(wanted)) => {
                let fact = match &call.fact {
                    Some(value) => Fact::read(&wanted, value).unwrap(),
                    None => Fact::Unavailable("it is down".into()),
                };
                facts.put(wanted, fact);
            }
        }
    };
    if let Some(identity) = &progress.identity {
        event.application = identity.application.as_ref().map(|known| known.id.clone());
        event.claims = identity.claims.clone();
    }
    event.facts = evidence::record(&facts, call.certificate.as_ref(), event.claims.as_ref());
    match outcome {
        Outcome::Forward => event.tries = 1,
        Outcome::Respond(reply) => {
            event.decision = Decision::Respond;
            event.code = Some(reply.code.into());
        }
        Outcome::Refuse(refusal) => {
            event.decision = Decision::Refuse;
            event.code = Some(refusal.reason.code.into());
            event.status = refusal.reason.status;
        }
    }
    (event, progress)
}

/// A file beside a test.
pub fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}
