//! What a collector of OpenTelemetry is told of requests: spans, made from their events.
//!
//! A core hands the outline of an event over and goes on; it never waits. A thread of its own redacts outlines as the recorder redacts
//! events, makes spans of them and sends these by OTLP. What a collector does not take in time costs spans, never requests.
//!
//! | file | what it holds |
//! |---|---|
//! | `plan` | what the document asks for, checked |
//! | `traced` | what is known of a request beside its event |
//! | `spans` | events as spans, by the conventions of OpenTelemetry |
//! | `exporter` | batches, and when one is sent again |
//! | `collector` | one export over HTTP |

mod attributes;
mod collector;
mod exporter;
mod plan;
mod spans;
mod traced;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use http::HeaderMap;
use lockgate_config::{Problem, TruncateAddress};
use lockgate_policy::Revision;
use lockgate_recording::{Event, KEY_FILE, Redactor, Text, read_key};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::{mpsc, watch};

use crate::recording::{secret_names, shown};
use crate::trace::Sampler;
use crate::upstream::Forbidden;

use collector::Collector;
use exporter::Exporter;
pub use plan::Plan;
use spans::resource;
pub use traced::{Traced, Whom};

/// Requests that wait for the collector; what comes when they are so many is dropped and counted.
const WAITING: usize = 8192;
/// The longest path or query that is told, in bytes, so that those that wait have a bound.
const MOST_TEXT: usize = 4096;
/// The word of a verdict that refuses.
const DENY: &str = "deny";

/// The way to a collector.
#[derive(Debug)]
pub struct Telemetry {
    sampler: Sampler,
    truncate: TruncateAddress,
    waiting: mpsc::Sender<Ended>,
    counts: Arc<Counts>,
    made_from: MadeFrom,
    stop: watch::Sender<bool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// A request that has ended.
#[derive(Debug)]
struct Ended {
    event: Event,
    traced: Box<Traced>,
}

/// What became of spans.
#[derive(Debug, Default)]
struct Counts {
    exported: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    problem: Mutex<Problems>,
}

/// What is wrong with exports.
#[derive(Debug, Default)]
struct Problems {
    /// What went wrong last, when the last export did.
    last: Option<String>,
    /// Whether somebody was told since it began.
    is_told: bool,
}

/// The same at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Spans that the collector took.
    pub exported: u64,
    /// Spans that found no room to wait.
    pub dropped: u64,
    /// Spans that the collector refused, or did not take as often as it was asked.
    pub failed: u64,
}

/// The same goes on; another one begins anew.
#[derive(Debug, PartialEq)]
struct MadeFrom {
    settings: String,
    headers: HeaderMap,
}

impl Telemetry {
    /// The way to the collector that a document asks for; `previous` goes on when nothing about it has changed, and its counts go on in
    /// any case.
    ///
    /// # Errors
    /// The key of the recording cannot be read, or the thread cannot be started.
    pub fn open(
        plan: Option<Plan>,
        revision: &Revision,
        previous: Option<&Arc<Self>>,
    ) -> Result<Option<Arc<Self>>, Problem> {
        let Some(plan) = plan else {
            return Ok(None);
        };
        let document = &revision.document;
        let (names, recording) = (secret_names(revision), document.recording.as_ref());
        let settings = (&plan.settings, &names, recording, &document.node.name);
        let made_from = MadeFrom {
            settings: serde_json::to_string(&settings).unwrap_or_default(),
            headers: plan.headers.clone(),
        };
        // Files of certificates may have changed without the document.
        let goes_on =
            |previous: &&Arc<Self>| previous.made_from == made_from && plan.settings.tls.is_none();
        if let Some(previous) = previous.filter(goes_on) {
            return Ok(Some(previous.clone()));
        }
        let problem =
            |message: String| Problem::in_file("document", format!("`telemetry`: {message}"));
        let key = key(revision).map_err(|message| {
            problem(message).help("make the folder of `recording` one that this user can read")
        })?;
        let counts = previous.map_or_else(Arc::default, |previous| previous.counts.clone());
        let (waiting, taken) = mpsc::channel(WAITING);
        let (stop, stopped) = watch::channel(false);
        let forbidden = Forbidden {
            admin: Some(document.admin.bind),
        };
        let exporter = Exporter::new(
            (taken, stopped),
            Collector::new(plan.service, plan.headers, forbidden),
            Redactor::new(key, names),
            resource(&plan.settings.service_name, document.node.name.as_deref()),
            counts.clone(),
        );
        let sampler = Sampler::of(plan.settings.sample);
        let unstarted = |error: std::io::Error| problem(format!("no thread: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(unstarted)?;
        let thread = std::thread::Builder::new()
            .name("telemetry".into())
            .spawn(move || runtime.block_on(exporter.run()))
            .map_err(unstarted)?;
        Ok(Some(Arc::new(Self {
            sampler,
            truncate: recording
                .map(|recording| recording.client_address)
                .unwrap_or_default(),
            waiting,
            counts,
            made_from,
            stop,
            thread: Mutex::new(Some(thread)),
        })))
    }

    /// Which of the traces that begin here are sampled.
    pub const fn sampler(&self) -> Sampler {
        self.sampler
    }

    /// Hands a request over without waiting.
    pub fn push(&self, event: &Event, traced: Box<Traced>) {
        match self.waiting.try_reserve() {
            Ok(place) => place.send(Ended {
                event: self.outline(event),
                traced,
            }),
            Err(_) => self.counts.dropped(traced.spans()),
        }
    }

    /// What spans are made of, without fields and bodies.
    fn outline(&self, event: &Event) -> Event {
        let is_short = |text: &&Text| text.len() <= MOST_TEXT;
        let refused = event.verdicts.iter().filter(|said| said.word == DENY);
        Event {
            at: event.at,
            id: event.id.clone(),
            revision: event.revision.clone(),
            listener: event.listener.clone(),
            client: event.client.map(|client| shown(client, self.truncate)),
            method: event.method.clone(),
            scheme: event.scheme.clone(),
            host: event.host.clone(),
            path: Some(&event.path)
                .filter(is_short)
                .cloned()
                .unwrap_or_default(),
            query: event.query.as_ref().filter(is_short).cloned(),
            version: event.version.clone(),
            api: event.api.clone(),
            api_version: event.api_version.clone(),
            route: event.route.clone(),
            application: event.application.clone(),
            decision: event.decision,
            code: event.code.clone(),
            verdicts: refused.cloned().collect(),
            status: event.status,
            grpc_status: event.grpc_status,
            broke_off: event.broke_off,
            upstream: event.upstream.clone(),
            tries: event.tries,
            bytes_in: event.bytes_in,
            bytes_out: event.bytes_out,
            latency_us: event.latency_us,
            model_call: event.model_call.clone(),
            ..Event::default()
        }
    }

    /// What became of spans so far.
    pub fn stats(&self) -> Stats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Stats {
            exported: read(&self.counts.exported),
            dropped: read(&self.counts.dropped),
            failed: read(&self.counts.failed),
        }
    }

    /// What went wrong last, when the last export did.
    pub fn problem(&self) -> Option<String> {
        self.counts.problem.lock().last.clone()
    }

    /// A sentence for people when exports begin to go wrong; once until one went well again.
    pub fn notice(&self) -> Option<String> {
        let mut problem = self.counts.problem.lock();
        let last = problem.last.clone().filter(|_| !problem.is_told)?;
        problem.is_told = true;
        Some(format!("telemetry: {last}"))
    }

    /// Sends what waits, as far as the collector takes it within a few seconds. Later requests are dropped and counted.
    pub fn end(&self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

impl Counts {
    fn exported(&self, spans: u64) {
        self.exported.fetch_add(spans, Ordering::Relaxed);
    }

    fn dropped(&self, spans: u64) {
        self.dropped.fetch_add(spans, Ordering::Relaxed);
    }

    fn failed(&self, spans: u64) {
        self.failed.fetch_add(spans, Ordering::Relaxed);
    }

    fn say(&self, last: Option<String>) {
        let mut problem = self.problem.lock();
        problem.is_told &= last.is_some();
        problem.last = last;
    }
}

/// What credentials are hashed with: the key of the recording, so that a mark is the same in both; one that nobody knows otherwise.
fn key(revision: &Revision) -> Result<[u8; 32], String> {
    let Some(recording) = &revision.document.recording else {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| error.to_string())?;
        return Ok(key);
    };
    let directory = revision.base.join(&recording.directory);
    read_key(&directory).map_err(|error| {
        let path = directory.join(KEY_FILE);
        format!("the key `{}` cannot be read: {error}", path.display())
    })
}

#[cfg(test)]
mod tests;
