//! What is kept of a request: its event, for counts, the recording and the access log.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use http::{Method, Version, request::Parts};
use lockgate_config::{Document, Problem, TruncateAddress};
use lockgate_policy::{
    Chain, ClientCertificate, Counters, Facts, Identity, Revision, Route, Timestamp, VerdictRecord,
    evidence,
};
use lockgate_recording::{
    Event, Headers, KEY_FILE, Lane, Recorder, RecorderOptions, Redactor, SegmentOptions, Stats,
    Text, Verdict,
};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::body::Arrival;
use crate::core::{Core, Generation, RequestId};
use crate::rollout::Watch;

/// The recording that a node writes, with a lane for each core.
pub struct Recording {
    recorder: Recorder,
    lanes: Vec<Mutex<Lane>>,
    /// What it was made from: the same settings go on writing, others begin anew.
    made_from: String,
    directory: std::path::PathBuf,
    truncate: TruncateAddress,
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Recording")
            .field("made_from", &self.made_from)
            .finish_non_exhaustive()
    }
}

impl Recording {
    /// The recording that a document asks for; `previous` goes on when nothing about it has changed.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn open(
        revision: &Revision,
        cores: usize,
        previous: Option<&Arc<Self>>,
    ) -> Result<Option<Arc<Self>>, Problem> {
        let Some(settings) = &revision.document.recording else {
            return Ok(None);
        };
        let names = secret_names(revision);
        let made_from = serde_json::to_string(&(settings, &names)).unwrap_or_default();
        if let Some(previous) = previous.filter(|previous| previous.made_from == made_from) {
            return Ok(Some(previous.clone()));
        }
        let directory = revision.base.join(&settings.directory);
        let problem =
            |message: String| Problem::in_file("document", format!("`recording`: {message}"));
        let key = redaction_key(&directory).map_err(|error| {
            problem(format!(
                "the key `{}` cannot be used: {error}",
                directory.join(KEY_FILE).display()
            ))
            .help("name a folder that this user can write")
        })?;
        let keep = settings.keep.bytes();
        let options = RecorderOptions {
            segments: SegmentOptions {
                rotate_every: settings.rotate_every.get(),
                keep_bytes: keep,
                rotate_bytes: (keep / 8).clamp(1 << 20, 64 << 20),
            },
            ..RecorderOptions::new(&directory)
        };
        let recorder = Recorder::start(options, Redactor::new(key, names))
            .map_err(|error| problem(error.to_string()))?;
        Ok(Some(Arc::new(Self {
            lanes: (0..cores).map(|_| Mutex::new(recorder.lane())).collect(),
            recorder,
            made_from,
            directory,
            truncate: settings.client_address,
        })))
    }

    /// Writes down what is used of quotas, before the first event. Other limits start anew with a node.
    ///
    /// # Errors
    /// What the disk said.
    pub fn begin(&self, now: Timestamp, counters: &Counters) -> std::io::Result<()> {
        let usage = serde_json::to_value(counters.snapshot_quotas())?;
        lockgate_recording::write_beginning(&self.directory, now.0, usage)
    }

    /// What became of events.
    pub fn stats(&self) -> Stats {
        self.recorder.stats()
    }

    /// What went wrong with the disk last.
    pub fn problem(&self) -> Option<String> {
        self.recorder.problem()
    }

    fn push(&self, core: usize, mut event: Box<Event>) {
        if self.truncate == TruncateAddress::Network {
            event.client = event.client.map(network);
        }
        if let Some(lane) = self.lanes.get(core) {
            lane.lock().push(event);
        }
    }
}

/// The key under which credentials are hashed: made once, readable by this user alone. With it, the same credential has the same
/// hash in all segments of the folder.
fn redaction_key(directory: &std::path::Path) -> std::io::Result<[u8; 32]> {
    use std::io::Write as _;
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    let path = directory.join(KEY_FILE);
    let mut key = [0; 32];
    match std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
    {
        Ok(mut file) => {
            getrandom::fill(&mut key).map_err(|error| std::io::Error::other(error.to_string()))?;
            file.write_all(&key)?;
            file.sync_all()?;
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            key = lockgate_recording::read_key(directory)?;
        }
        Err(error) => return Err(error),
    }
    Ok(key)
}

/// Names whose values are credentials of this gateway: what the document says, and where its policies look for credentials.
fn secret_names(revision: &Revision) -> Vec<String> {
    let document: &Document = &revision.document;
    let mut names = document
        .recording
        .as_ref()
        .map(|recording| recording.redact.clone())
        .unwrap_or_default();
    for route in &revision.routes {
        if let Some(body) = &route.record_body {
            names.extend(body.redact.iter().cloned());
        }
        for policy in route.chain.policies() {
            places(&policy.declared, &mut names);
        }
    }
    names.sort();
    names.dedup();
    names
}

/// The names in `in: { header: NAME }`, at any depth.
fn places(declared: &serde_json::Value, names: &mut Vec<String>) {
    match declared {
        serde_json::Value::Array(items) => items.iter().for_each(|item| places(item, names)),
        serde_json::Value::Object(members) => {
            for (name, value) in members {
                match (name.as_str(), value) {
                    ("in", serde_json::Value::Object(place)) => names.extend(
                        place
                            .values()
                            .filter_map(|name| name.as_str())
                            .map(str::to_owned),
                    ),
                    _ => places(value, names),
                }
            }
        }
        _ => {}
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            Ipv4Addr::new(a, b, c, 0).into()
        }
        IpAddr::V6(ip) => {
            let [a, b, c, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).into()
        }
    }
}

/// A request under way. Dropping it makes its event.
pub struct Observation {
    /// The event, as far as it is known.
    pub event: Box<Event>,
    /// How far the request's body has come.
    pub arrival: Option<Arc<Arrival>>,
    /// Who wants to know how it fared, while a rollout runs.
    pub watch: Option<Watch>,
    since: Instant,
    core: Arc<Core>,
    generation: Arc<Generation>,
}

impl Observation {
    /// Begins with what the head of a request says. Its text is copied only when someone keeps it.
    pub fn begin(
        core: &Arc<Core>,
        generation: &Arc<Generation>,
        head: &Parts,
        id: &RequestId,
        (since, at): (Instant, Timestamp),
    ) -> Box<Self> {
        let mut event = Box::new(Event {
            at: at.0,
            method: method(&head.method),
            version: match head.version {
                Version::HTTP_10 => "1.0".into(),
                Version::HTTP_2 => "2".into(),
                _ => "1.1".into(),
            },
            ..Event::default()
        });
        if generation.keeps_text() {
            event.id = Text::from(id.as_str());
            event.node = core.shared.name.clone();
            event.revision = generation.id.clone();
            event.path = Text::from(head.uri.path());
            event.query = head.uri.query().map(Text::from);
        }
        if generation.recording.is_some() {
            let bytes = head
                .headers
                .iter()
                .map(|(name, value)| name.as_str().len() + value.len())
                .sum();
            let mut headers = Headers::with_capacity(head.headers.len(), bytes);
            for (name, value) in &head.headers {
                headers.push_bytes(name.as_str(), value.as_bytes());
            }
            event.headers = headers;
        }
        Box::new(Self {
            event,
            arrival: None,
            watch: None,
            since,
            core: core.clone(),
            generation: generation.clone(),
        })
    }

    /// Whether the event is kept, and not only counted.
    pub fn keeps_text(&self) -> bool {
        self.generation.keeps_text()
    }

    /// The route was found.
    pub fn routed(&mut self, route: &Route) {
        self.event.api = Some(route.api.clone());
        self.event.api_version = Some(route.version.clone());
        self.event.route = Some(route.id.clone());
    }

    /// Who called.
    pub fn identified(&mut self, identity: &Identity) {
        self.event.application = identity
            .application
            .as_ref()
            .map(|application| application.id.clone());
        self.event.subject = identity.subject.clone();
        self.event.claims = identity.claims.clone();
    }

    /// What policies found out and a recording must know to be replayed.
    pub fn found_out(&mut self, facts: &Facts, certificate: Option<&ClientCertificate>) {
        if self.generation.recording.is_some() {
            self.event.facts = evidence::record(facts, certificate, self.event.claims.as_ref());
        }
    }

    /// Tells a rollout how the request fared, once.
    pub fn report(&mut self) {
        if let Some(watch) = self.watch.take() {
            watch.ended(&self.event, self.since.elapsed());
        }
    }

    /// What policies said.
    pub fn judged(&mut self, chain: &Chain, verdicts: &[VerdictRecord]) {
        self.event.verdicts = verdicts
            .iter()
            .filter_map(|verdict| {
                let policy = chain.policies().get(usize::from(verdict.policy))?;
                Some(Verdict {
                    id: policy.id.clone(),
                    kind: policy.kind.name.into(),
                    scope: policy.scope.clone(),
                    word: verdict.word.as_str().into(),
                    code: verdict.code.map(Into::into),
                    shadow: policy.mode == lockgate_config::Mode::Shadow,
                })
            })
            .collect();
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        self.report();
        let event = &mut *self.event;
        event.latency_us = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        if let Some(arrival) = &self.arrival {
            event.bytes_in = event.bytes_in.max(arrival.bytes());
        }
        self.core.count(event);
        if let Some(log) = &self.generation.access_log {
            log.write(event);
        }
        if let Some(recording) = &self.generation.recording {
            recording.push(self.core.index, std::mem::take(&mut self.event));
        }
    }
}

fn method(method: &Method) -> std::borrow::Cow<'static, str> {
    match *method {
        Method::GET => "GET".into(),
        Method::POST => "POST".into(),
        Method::PUT => "PUT".into(),
        Method::PATCH => "PATCH".into(),
        Method::DELETE => "DELETE".into(),
        Method::HEAD => "HEAD".into(),
        Method::OPTIONS => "OPTIONS".into(),
        _ => method.as_str().to_owned().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_credentials_are_found_wherever_policies_stand() {
        let declared = serde_json::json!({ "kind": "any_of", "of": [
            { "kind": "api_key", "in": { "header": "X-Pin" } }, { "kind": "jwt", "in": { "cookie": "session" } } ] });
        let mut names = Vec::new();
        places(&declared, &mut names);
        assert_eq!(names, ["X-Pin", "session"]);
    }

    #[test]
    fn an_address_loses_its_last_part() {
        for (address, expected) in [
            ("203.0.113.9", "203.0.113.0"),
            ("2001:db8:1:2::3", "2001:db8:1::"),
        ] {
            let address: IpAddr = address.parse().unwrap_or_else(|_| panic!("{address}"));
            assert_eq!(network(address).to_string(), expected);
        }
    }

    #[test]
    fn the_key_is_made_once_and_for_this_user_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let directory = folder.path().join("recording");
        let first = redaction_key(&directory).unwrap_or_else(|error| panic!("{error}"));
        assert_ne!(first, [0; 32]);
        assert_eq!(redaction_key(&directory).ok(), Some(first));
        let file = directory.join(KEY_FILE);
        let mode = |bits| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(bits));
        assert!(mode(0o644).is_ok());
        let error = redaction_key(&directory)
            .map(|_| ())
            .map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("others can read it; run `chmod 600` on it".to_owned())
        );
    }
}
