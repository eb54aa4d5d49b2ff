//! The replay itself.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use lockgate_config::TruncateAddress;
use lockgate_policy::{Fact, Revision, SavedQuota, Timestamp, diff};
use lockgate_recording::{Event, KEY_FILE, ReadError, Reader, Redactor, read_beginning, read_key};

use crate::authorities::Unreadable;
use crate::expectation::Expectation;
use crate::judge::Side;
use crate::judgement::{Judgement, Lack};
use crate::order::InOrder;
use crate::report::{KeySetNow, PolicyName, Recording, Report, RouteName, Warming};
use crate::request::Request;
use crate::tally::{Tally, is_outside_policies, policy_name, route_name};

/// The version of the report's form.
const REPORT_VERSION: u32 = 1;
/// Since this version of events, a recording holds what replay needs.
const OLDEST_EVENT: u32 = 2;
/// How many events the reading thread hands over at once, and how many such batches may wait.
const BATCH: usize = 512;
const WAITING: usize = 8;
/// The most sentences about damages.
const MOST_DAMAGES: usize = 100;

/// Why there is no replay.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The recording cannot be opened.
    #[error(transparent)]
    Recording(#[from] ReadError),
    /// The key of the marks cannot be read.
    #[error("the key `{}` of the recording cannot be read: {source}; keep it beside the segments, for without it nobody can tell whose calls they are", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The client authorities of a listener cannot be read.
    #[error(transparent)]
    Authorities(#[from] Unreadable),
    /// A thread cannot be started.
    #[error("the reading thread cannot be started: {0}; raise the limit of threads of this user")]
    Thread(io::Error),
    /// Whoever watches it wanted no more.
    #[error("the replay was stopped")]
    Stopped,
}

/// How far a replay has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Compressed bytes that were read.
    pub bytes: u64,
    /// Compressed bytes that there are.
    pub of: u64,
    /// Requests that were judged.
    pub requests: u64,
}

type Batch = Vec<Result<Box<Event>, String>>;

/// Replays a recording, a segment or a folder of them, through two revisions. The candidate is judged with the key sets that issuers
/// publish now, where they were fetched: `key_sets`, by their URLs. `watch` hears how far it has come and says whether to go on.
///
/// # Errors
/// [`ReplayError`].
pub fn replay(
    base: Revision,
    candidate: Revision,
    recording: &Path,
    expectation: &Expectation,
    key_sets: Vec<(Arc<str>, Fact)>,
    watch: &mut dyn FnMut(Progress) -> bool,
) -> Result<Report, ReplayError> {
    let reader = Reader::open(recording)?;
    let key = read_key(recording).map_err(|source| ReplayError::Key {
        path: folder(recording).join(KEY_FILE),
        source,
    })?;
    let redactor = Redactor::new(key, [""; 0]);
    let mark = |hash: &[u8; 32]| redactor.mark(hash);
    let (bytes, of) = (reader.position(), reader.bytes());
    let (sender, batches) = sync_channel(WAITING);
    let reading = thread::Builder::new()
        .name("replay-read".into())
        .spawn(move || read(reader, &sender))
        .map_err(ReplayError::Thread)?;
    let mut run = Run::new(Side::new(base, mark)?, Side::new(candidate, mark)?);
    run.know(key_sets);
    run.count_on(recording);
    let watched = run.all(batches, &bytes, of, watch);
    let warnings = reading.join().unwrap_or_default();
    run.recording.truncated = warnings;
    watched?;
    Ok(run.report(expectation))
}

fn folder(recording: &Path) -> &Path {
    if recording.is_dir() {
        recording
    } else {
        recording.parent().unwrap_or(recording)
    }
}

/// Reads everything; gives how many segments have no end. It stops when nobody listens.
fn read(mut reader: Reader, sender: &SyncSender<Batch>) -> u64 {
    loop {
        let batch: Batch = reader
            .by_ref()
            .take(BATCH)
            .map(|event| event.map(Box::new).map_err(|error| error.to_string()))
            .collect();
        if batch.is_empty() || sender.send(batch).is_err() {
            return reader.warnings().truncated;
        }
    }
}

struct Run {
    base: Side,
    base_id: String,
    candidate: Side,
    keys: HashMap<Arc<str>, Fact>,
    revisions: HashMap<Arc<str>, u64>,
    recording: Recording,
    key_sets: Vec<KeySetNow>,
    tally: Tally,
}

impl Run {
    fn new(base: Side, mut candidate: Side) -> Self {
        candidate.authorities.beside(&base.authorities);
        Self {
            base_id: base.revision.id.to_string(),
            base,
            candidate,
            keys: HashMap::new(),
            revisions: HashMap::new(),
            recording: Recording::default(),
            key_sets: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// What issuers publish now is what the candidate will meet. Of one that does not answer, what was recorded is the best there is.
    fn know(&mut self, key_sets: Vec<(Arc<str>, Fact)>) {
        for (url, fact) in key_sets {
            let (keys, problem) = match &fact {
                Fact::Keys(keys) => (Some(keys.iter().count() as u64), None),
                Fact::Unavailable(why) => (None, Some(why.clone())),
                Fact::Introspection(_) => (None, None),
            };
            if keys.is_some() {
                self.candidate.published.insert(url.clone(), fact);
            }
            self.key_sets.push(KeySetNow { url, keys, problem });
        }
    }

    /// Starts the counters from what was used when the recording began, when that was written down.
    fn count_on(&mut self, recording: &Path) {
        let Some(beginning) = read_beginning(recording) else {
            return;
        };
        let Ok(usage) = serde_json::from_value::<Vec<SavedQuota>>(beginning.usage) else {
            return;
        };
        for side in [&mut self.base, &mut self.candidate] {
            side.count_on(usage.clone(), Timestamp(beginning.at));
        }
        self.recording.usage_known = true;
    }

    fn all(
        &mut self,
        batches: Receiver<Batch>,
        bytes: &AtomicU64,
        of: u64,
        watch: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<(), ReplayError> {
        let mut order = InOrder::default();
        for batch in batches {
            for event in batch {
                match event {
                    Ok(event) => order.push(event),
                    Err(damage) if self.recording.damages.len() < MOST_DAMAGES => {
                        self.recording.damages.push(damage);
                    }
                    Err(_) => {}
                }
                while let Some(event) = order.pop(false) {
                    self.event(&event);
                }
            }
            let progress = Progress {
                bytes: bytes.load(Ordering::Relaxed).min(of),
                of,
                requests: self.tally.totals.requests,
            };
            if !watch(progress) {
                return Err(ReplayError::Stopped);
            }
        }
        while let Some(event) = order.pop(true) {
            self.event(&event);
        }
        self.recording.late = order.late();
        Ok(())
    }

    fn event(&mut self, event: &Event) {
        let recording = &mut self.recording;
        self.tally.totals.requests += 1;
        recording.first = Some(
            recording
                .first
                .map_or(event.at, |first| first.min(event.at)),
        );
        recording.last = recording.last.max(Some(event.at));
        match self.revisions.get_mut(&*event.revision) {
            Some(requests) => *requests += 1,
            None => drop(self.revisions.insert(event.revision.clone(), 1)),
        }
        if is_outside_policies(event) {
            self.tally.totals.outside_policies += 1;
            return;
        }
        if event.v < OLDEST_EVENT {
            let lack = Lack {
                policy: None,
                route: None,
                what: "what policies found out, by the older release that recorded it,".into(),
            };
            return self.tally.not_judged(event, "both", &lack);
        }
        let (request, keys) = Request::read(event);
        for (endpoint, fact) in keys {
            self.keys.insert(endpoint, fact);
        }
        let base = self.base.judge(&request, &self.keys);
        let candidate = self.candidate.judge(&request, &self.keys);
        self.tally.reached([&base, &candidate]);
        if let Judgement::Decided(base) = &base {
            self.tally.compare(event, &self.base_id, base);
        }
        match (&base, &candidate) {
            (Judgement::Decided(base), Judgement::Decided(candidate)) => {
                match base.unseen_beside(candidate) {
                    Some((by, lack)) => self.tally.not_judged(event, by, &lack),
                    None => self.tally.judged(event, base, candidate),
                }
            }
            (Judgement::Unjudged(_), Judgement::Unjudged(lack)) => {
                self.tally.not_judged(event, "both", lack);
            }
            (Judgement::Unjudged(lack), _) => self.tally.not_judged(event, "base", lack),
            (_, Judgement::Unjudged(lack)) => self.tally.not_judged(event, "candidate", lack),
        }
    }

    fn report(mut self, expectation: &Expectation) -> Report {
        let groups = self.tally.groups();
        let disagreement = self.tally.disagreement();
        let (clauses, unexpected) = expectation.judge(&groups);
        let compared = (disagreement.compared, disagreement.differ);
        let mut revisions: Vec<_> = self.revisions.drain().collect();
        revisions.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let settings = &self.base.revision.document.recording;
        let recording = Recording {
            revisions,
            addresses_shortened: settings
                .as_ref()
                .is_some_and(|settings| settings.client_address == TruncateAddress::Network),
            ..std::mem::take(&mut self.recording)
        };
        let totals = self.tally.totals;
        Report {
            v: REPORT_VERSION,
            outcome: expectation.outcome(&totals, compared, !unexpected.is_empty()),
            base: self.base_id.clone(),
            candidate: self.candidate.revision.id.to_string(),
            recording,
            totals,
            groups,
            unjudged: self.tally.unjudged(),
            warming_up: warming(&self.base, &self.candidate),
            not_asked: judges_of_answers(&self.base, &self.candidate),
            without_data: self.without_data(),
            disagreement,
            callers: self.tally.callers(),
            timeline: std::mem::take(&mut self.tally.timeline),
            key_sets: std::mem::take(&mut self.key_sets),
            expectation: clauses,
            unexpected,
        }
    }

    /// Routes that differ and that no request has reached.
    fn without_data(&self) -> Vec<RouteName> {
        let sides = [&self.base.revision, &self.candidate.revision];
        let routes = sides.iter().flat_map(|revision| &revision.routes);
        let reached: std::collections::HashSet<RouteName> = routes
            .filter(|route| self.tally.has_reached(route))
            .map(route_name)
            .collect();
        diff(&self.base.revision, &self.candidate.revision)
            .into_iter()
            .map(|difference| RouteName {
                api: difference.api,
                version: difference.version,
                id: difference.route,
            })
            .filter(|route| !reached.contains(route))
            .collect()
    }
}

fn warming(base: &Side, candidate: &Side) -> Vec<Warming> {
    let of = |by: &'static str, side: &Side| {
        let limits = side.warming().map(move |warm| Warming {
            by,
            policy: policy_name(&warm.policy),
            until: warm.until.0,
            requests: warm.requests,
        });
        limits.collect::<Vec<_>>()
    };
    let mut warming = of("base", base);
    warming.extend(of("candidate", candidate));
    warming.sort();
    warming
}

fn judges_of_answers(base: &Side, candidate: &Side) -> Vec<PolicyName> {
    let sides = [&base.revision, &candidate.revision];
    let routes = sides.iter().flat_map(|revision| &revision.routes);
    let policies = routes.flat_map(|route| route.chain.policies());
    let judges = policies.filter(|policy| policy.policy.sees_responses());
    let names: std::collections::BTreeSet<PolicyName> = judges.map(policy_name).collect();
    names.into_iter().collect()
}
