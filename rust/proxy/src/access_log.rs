//! One line of JSON for each request, written by a thread of its own.

use std::io::Write;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use jiff::Timestamp;
use lockgate_config::{AccessLogTarget, Document, Problem};
use lockgate_recording::Event;
use serde::Serialize;

/// Lines that wait for the disk; what comes when it is full is dropped and counted.
const WAITING: usize = 8192;

/// The access log of a node.
#[derive(Debug)]
pub struct AccessLog {
    lines: SyncSender<Line>,
    dropped: AtomicU64,
    made_from: String,
    /// The file, by device and number; none of standard output.
    file: Option<(u64, u64)>,
}

/// What a line holds. The query is left out: it may hold credentials.
#[derive(Debug, Serialize)]
struct Line {
    time: String,
    id: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<std::net::IpAddr>,
    method: std::borrow::Cow<'static, str>,
    host: Arc<str>,
    path: Arc<str>,
    version: std::borrow::Cow<'static, str>,
    status: u16,
    decision: lockgate_recording::Decision,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<std::borrow::Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_version: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Arc<str>>,
    tries: u16,
    bytes_in: u64,
    bytes_out: u64,
    latency_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<Arc<str>>,
    revision: Arc<str>,
}

impl AccessLog {
    /// The access log that a document asks for; `previous` goes on when nothing about it has changed. A file that was moved away, as
    /// those that keep old logs do, is begun anew.
    ///
    /// # Errors
    /// The file cannot be opened, or the thread cannot be started.
    pub fn open(
        document: &Document,
        base: &lockgate_config::Base,
        previous: Option<&Arc<Self>>,
    ) -> Result<Option<Arc<Self>>, Problem> {
        let Some(settings) = &document.access_log else {
            return Ok(None);
        };
        let made_from = String::from(settings.to.clone());
        let standing = match &settings.to {
            AccessLogTarget::Stdout => None,
            AccessLogTarget::File(name) => std::fs::metadata(base.join(name)).ok().map(number),
        };
        let goes_on =
            |previous: &&Arc<Self>| previous.made_from == made_from && previous.file == standing;
        if let Some(previous) = previous.filter(goes_on) {
            return Ok(Some(previous.clone()));
        }
        let problem = |error: std::io::Error| {
            Problem::in_file(
                "document",
                format!("the access log `{made_from}` cannot be written: {error}"),
            )
            .help("name a file in a folder that this user can write, or `stdout`")
        };
        let (out, file): (Box<dyn Write + Send>, _) = match &settings.to {
            AccessLogTarget::Stdout => (Box::new(std::io::stdout()), None),
            AccessLogTarget::File(name) => {
                let file = std::fs::OpenOptions::new()
                    .create(true)
                    .append(true)
                    .mode(0o600)
                    .open(base.join(name))
                    .map_err(problem)?;
                let opened = file.metadata().map(number).map_err(problem)?;
                (Box::new(file), Some(opened))
            }
        };
        let (lines, waiting) = sync_channel(WAITING);
        std::thread::Builder::new()
            .name("access-log".into())
            .spawn(move || write_all(&waiting, out))
            .map_err(problem)?;
        Ok(Some(Arc::new(Self {
            lines,
            dropped: AtomicU64::new(0),
            made_from,
            file,
        })))
    }

    /// Hands over a line without waiting.
    pub fn write(&self, event: &Event) {
        let at = i64::try_from(event.at)
            .ok()
            .and_then(|at| Timestamp::from_microsecond(at).ok());
        let line = Line {
            time: at.unwrap_or_default().to_string(),
            id: event.id.clone(),
            client: event.client,
            method: event.method.clone(),
            host: event.host.clone(),
            path: event.path.clone(),
            version: event.version.clone(),
            status: event.status,
            decision: event.decision,
            code: event.code.clone(),
            api: event.api.clone(),
            api_version: event.api_version.clone(),
            route: event.route.clone(),
            application: event.application.clone(),
            upstream: event.upstream.clone(),
            target: event.target.clone(),
            tries: event.tries,
            bytes_in: event.bytes_in,
            bytes_out: event.bytes_out,
            latency_ms: event.latency_us as f64 / 1000.0,
            trace_id: event.trace_id.clone(),
            revision: event.revision.clone(),
        };
        if self.lines.try_send(line).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Lines that the disk did not take in time.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

fn number(file: std::fs::Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// Writes until the log is dropped. A disk that takes nothing costs lines, never requests.
fn write_all(waiting: &Receiver<Line>, mut out: Box<dyn Write + Send>) {
    let mut text = Vec::new();
    while let Ok(first) = waiting.recv() {
        text.clear();
        for line in std::iter::once(first).chain(waiting.try_iter().take(256)) {
            if serde_json::to_writer(&mut text, &line).is_ok() {
                text.push(b'\n');
            }
        }
        let _ = out.write_all(&text).and_then(|()| out.flush());
    }
}
