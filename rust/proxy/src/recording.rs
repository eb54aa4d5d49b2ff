//! Where the events of requests are kept: segments of the recording, redacted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use lockgate_config::{Document, Problem, TruncateAddress};
use lockgate_policy::{Counters, Revision, Timestamp};
use lockgate_recording::{
    Event, KEY_FILE, Lane, Recorder, RecorderOptions, Redactor, SegmentOptions, Stats,
};
use parking_lot::Mutex;

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

    /// Hands an event over; it never waits.
    pub fn push(&self, core: usize, mut event: Box<Event>) {
        event.client = event.client.map(|client| shown(client, self.truncate));
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
pub fn secret_names(revision: &Revision) -> Vec<String> {
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

/// An address as it may be kept.
pub fn shown(address: IpAddr, truncate: TruncateAddress) -> IpAddr {
    match truncate {
        TruncateAddress::Full => address,
        TruncateAddress::Network => network(address),
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
