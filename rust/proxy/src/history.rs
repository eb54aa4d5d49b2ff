//! The generations of a node that runs: what it serves is kept, proven, or taken back.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lockgate_config::{Problem, read_applications};
use lockgate_generations::{Bundle, Kept, Members, Nack, Revocation, Revokes, Stage, Store};
use lockgate_policy::{Directory, Revision, Revoked, read_hash};
use parking_lot::Mutex;

use crate::blocks::{Blocks, credentials};
use crate::faults;

/// What a generation must have lived through to be the last good one. It is asked of the process: a revision must not shorten its
/// own trial.
#[derive(Debug, Clone, Copy)]
pub struct Bake {
    /// How long it must have served.
    pub time: Duration,
    /// How many requests the node must have answered with it.
    pub requests: u64,
}

impl Default for Bake {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(60),
            requests: 1,
        }
    }
}

/// What becomes of a generation that is on trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial {
    /// It is not over.
    Goes,
    /// It has passed.
    Passed,
    /// It has failed: the node itself has faulted with it.
    Failed,
}

/// Since when a generation is on trial, and what had been before.
#[derive(Debug, Clone, Copy)]
struct Began {
    at: Instant,
    requests: Option<u64>,
    faults: u64,
}

impl Began {
    fn judge(&self, bake: Bake, served: Duration, requests: u64, faults: u64) -> Trial {
        let answered = requests.saturating_sub(self.requests.unwrap_or(requests));
        if faults > self.faults {
            Trial::Failed
        } else if served >= bake.time && answered >= bake.requests {
            Trial::Passed
        } else {
            Trial::Goes
        }
    }
}

/// The generations on disk, and the trial of the one that serves.
#[derive(Debug)]
pub struct History {
    /// The state folder.
    pub folder: PathBuf,
    store: Mutex<Store>,
    members: Mutex<Members>,
    bake: Bake,
    trial: Mutex<Option<Began>>,
}

impl History {
    /// The history of the state folder.
    pub fn new(folder: PathBuf, store: Store, members: Members, bake: Bake) -> Self {
        Self {
            folder,
            store: Mutex::new(store),
            members: Mutex::new(members),
            bake,
            trial: Mutex::new(None),
        }
    }

    /// Asks the store something.
    pub fn ask<T>(&self, ask: impl FnOnce(&mut Store) -> T) -> T {
        ask(&mut self.store.lock())
    }

    /// Asks who may call, or changes it.
    pub fn ask_members<T>(&self, ask: impl FnOnce(&mut Members, &mut Store) -> T) -> T {
        ask(&mut self.members.lock(), &mut self.store.lock())
    }

    /// Who may call with a revision: what was published apart from it, or its own applications, without what was revoked. Gives a
    /// warning when its own applications do not count.
    ///
    /// # Errors
    /// Problems of what was published.
    pub fn directory(
        &self,
        revision: &Revision,
    ) -> Result<(Arc<Directory>, Option<Problem>), Vec<Problem>> {
        let members = self.members.lock();
        let apart = members.applications().map(published).transpose()?;
        let blocked = credentials(members.blocked());
        if apart.is_none() && members.revoked().is_empty() && blocked.is_empty() {
            return Ok((revision.directory.clone(), None));
        }
        let warning = apart.as_ref().filter(|_| !revision.directory.is_empty()).map(|_| {
            let message = format!(
                "`applications` of the document do not count: the directory was published apart (sequence {})",
                members.sequence()
            );
            Problem::in_file("document", message)
                .help("take them out of the document")
                .warning()
        });
        let own = apart.as_ref().unwrap_or(&revision.directory);
        let directory = own
            .without(&revoked(members.revoked()))
            .with_blocked(blocked);
        Ok((Arc::new(directory), warning))
    }

    /// What is blocked for a time, apart from credentials, in place of `previous`.
    pub fn blocks(&self, previous: &Blocks) -> Blocks {
        Blocks::of(self.members.lock().blocked(), previous)
    }

    /// What is served, as the disk knows it.
    pub fn current(&self) -> Option<Kept> {
        self.store.lock().current().cloned()
    }

    /// Puts a generation on disk as the one that serves from now on. Gives its number: the next one, unless a publisher numbered
    /// it; the one it has, when it serves already.
    ///
    /// # Errors
    /// A newer one was seen, or the disk does not take it.
    pub fn take(
        &self,
        build: impl FnOnce(u64, Option<String>) -> Bundle,
        from: &Path,
        is_numbered: bool,
        now: jiff::Timestamp,
    ) -> Result<u64, Nack> {
        let mut store = self.store.lock();
        let base = store.current().map(|kept| kept.id.clone());
        let bundle = build(store.newest() + 1, base);
        let generation = bundle.generation();
        if let Some(current) = store.current()
            && current.id == bundle.id()
            && (generation == current.generation || !is_numbered)
        {
            return Ok(current.generation);
        }
        store.propose(&bundle, from, now)?;
        store
            .applied(generation, now)
            .map_err(|error| Nack::Disk(error.to_string()))?;
        drop(store);
        self.begin();
        Ok(generation)
    }

    /// Goes back on disk.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn go_back(&self, to: u64, why: &str, now: jiff::Timestamp) -> std::io::Result<()> {
        let done = self.store.lock().go_back(to, why, now);
        self.begin();
        done
    }

    /// The trial of what serves begins, when it is not proven yet.
    pub fn begin(&self) {
        let on_trial = self
            .current()
            .is_some_and(|kept| kept.stage == Stage::Applied);
        *self.trial.lock() = on_trial.then(|| Began {
            at: Instant::now(),
            requests: None,
            faults: faults::counted(),
        });
    }

    /// How the trial stands; `requests` counts what the node has answered, and is asked only when it matters.
    pub fn trial(&self, requests: impl FnOnce() -> u64) -> Trial {
        let mut trial = self.trial.lock();
        let Some(began) = trial.as_mut() else {
            return Trial::Goes;
        };
        let served = began.at.elapsed();
        // Counting all cores costs something: once at the beginning, and when the time is over.
        let counted = if began.requests.is_none() || served >= self.bake.time {
            requests()
        } else {
            0
        };
        began.requests.get_or_insert(counted);
        began.judge(self.bake, served, counted, faults::counted())
    }

    /// The trial is over: what serves is the last good one, when the disk takes that.
    ///
    /// # Errors
    /// The disk does not take it; the trial goes on.
    pub fn proven(&self, now: jiff::Timestamp) -> std::io::Result<Option<u64>> {
        let mut store = self.store.lock();
        store.baked(now)?;
        *self.trial.lock() = None;
        Ok(store.last_good())
    }
}

/// Applications that were published apart.
///
/// # Errors
/// Their problems.
pub fn published(
    applications: &serde_json::Map<String, serde_json::Value>,
) -> Result<Directory, Vec<Problem>> {
    let read = read_applications("directory", applications)?;
    let mut problems = Vec::new();
    let directory = Directory::of(&read, &mut problems);
    if problems.iter().any(Problem::is_error) {
        return Err(problems);
    }
    Ok(directory)
}

fn revoked(revocations: &[Revocation]) -> Revoked {
    let mut revoked = Revoked::default();
    for revocation in revocations {
        match &revocation.revokes {
            Revokes::Hash(digits) => revoked.hashes.extend(read_hash(digits)),
            Revokes::Application(id) => drop(revoked.applications.insert(id.clone())),
        }
    }
    revoked
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAKE: Bake = Bake {
        time: Duration::from_secs(60),
        requests: 10,
    };

    fn judge(served: u64, requests: u64, faults: u64) -> Trial {
        let began = Began {
            at: Instant::now(),
            requests: Some(100),
            faults: 2,
        };
        began.judge(BAKE, Duration::from_secs(served), requests, faults)
    }

    #[test]
    fn time_alone_and_traffic_alone_prove_nothing() {
        assert_eq!(judge(59, 1_000, 2), Trial::Goes);
        assert_eq!(judge(3_600, 109, 2), Trial::Goes);
        assert_eq!(judge(60, 110, 2), Trial::Passed);
    }

    #[test]
    fn one_fault_of_the_node_ends_the_trial_however_much_went_well() {
        assert_eq!(judge(1, 100, 3), Trial::Failed);
        assert_eq!(judge(60, 1_000_000, 3), Trial::Failed);
    }
}
