//! The generations of a node on disk.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::bundle::{Bundle, MAX_BUNDLE_BYTES};
use crate::disk::{Disk, RealDisk, write_whole};
use crate::error::StoreError;
use crate::journal::{self, Found, Journal, Kept, Refused, Stage};
use crate::nack::Nack;
use crate::sealed::{seal, unseal};
use crate::starts::{MAX_STARTS, START_WINDOW_SECONDS, counted};
use crate::target::Target;

/// How many revisions that were taken back are remembered.
const MAX_REFUSED: usize = 64;
const PREFIX: &str = "generation-";

/// A store that was opened, with what a person should hear.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Store,
    /// What was found damaged or unfinished, and what became of it.
    pub said: Vec<String>,
}

/// The generations that a node keeps: what it serves, what it last proved, what it served before, and a candidate.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    disk: Box<dyn Disk>,
    journal: Journal,
    /// The copy of the journal that is written next.
    place: usize,
    /// Counts tries to write, too: a try that failed may be on disk all the same.
    sequence: u64,
    /// Held as long as the store: two nodes must not write to one folder (F15).
    _lock: Option<File>,
}

impl Store {
    /// Opens the store below the state folder `state`, and makes it when there is none.
    ///
    /// # Errors
    /// Another node has it, the disk says no, or a newer Lockgate wrote it.
    pub fn open(state: &Path, now: Timestamp) -> Result<Opened, StoreError> {
        let folder = state.join("generations");
        let unusable = |error| StoreError::Disk {
            folder: state.to_owned(),
            error,
        };
        RealDisk.make_folder(&folder).map_err(unusable)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(folder.join("lock"))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse(state.to_owned())),
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        let mut opened = Self::with_disk(folder, Box::new(RealDisk), now)?;
        opened.store._lock = Some(lock);
        Ok(opened)
    }

    /// Opens a store on a disk of one's choice, without a lock.
    pub(crate) fn with_disk(
        folder: PathBuf,
        disk: Box<dyn Disk>,
        now: Timestamp,
    ) -> Result<Opened, StoreError> {
        let unusable = |error| StoreError::Disk {
            folder: folder.clone(),
            error,
        };
        disk.make_folder(&folder).map_err(unusable)?;
        let names = disk.list(&folder).map_err(unusable)?;
        let mut said = Vec::new();
        let (journal, place) = match journal::find(&*disk, &folder) {
            Found::Newer(version) => return Err(StoreError::Newer(version)),
            Found::Nothing => (Journal::default(), 0),
            Found::Whole(journal, place, damaged) => {
                if damaged {
                    said.push(
                        "one copy of the journal of generations is damaged; the other one is used"
                            .to_owned(),
                    );
                }
                (*journal, 1 - place.min(1))
            }
            Found::Damaged => {
                said.push("both copies of the journal of generations are damaged; it is rebuilt from the generations that are whole".to_owned());
                (Journal::default(), 0)
            }
        };
        let mut store = Self {
            folder,
            disk,
            sequence: journal.sequence,
            journal,
            place,
            _lock: None,
        };
        store.recover(&names, now, &mut said);
        Ok(Opened { store, said })
    }

    /// Brings journal and files together: a number that was ever used stays used, and a candidate that never served is no more.
    fn recover(&mut self, names: &[String], now: Timestamp, said: &mut Vec<String>) {
        let mut on_disk: Vec<u64> = names.iter().filter_map(|name| number(name)).collect();
        on_disk.sort_unstable();
        if let Some(newest) = on_disk.last() {
            self.journal.newest = self.journal.newest.max(*newest);
        }
        if self.journal.kept.is_empty() {
            for generation in on_disk {
                if let Ok((bundle, _)) = self.read(generation) {
                    self.journal.kept.push(Kept {
                        generation,
                        id: bundle.id().to_owned(),
                        stage: Stage::Applied,
                        since: now,
                        why: None,
                    });
                    self.journal.current = Some(generation);
                }
            }
        }
        let candidates: Vec<u64> = self
            .journal
            .kept
            .iter()
            .filter(|kept| kept.stage == Stage::Candidate)
            .map(|kept| kept.generation)
            .collect();
        for generation in candidates {
            said.push(format!(
                "generation {generation} was written but never served; it is dropped"
            ));
        }
        self.journal
            .kept
            .retain(|kept| kept.stage != Stage::Candidate);
    }

    /// Whether a bundle comes in its turn.
    ///
    /// # Errors
    /// A newer one was seen, or another one with its number.
    pub fn admits(&self, bundle: &Bundle) -> Result<(), Nack> {
        let (generation, newest) = (bundle.generation(), self.journal.newest);
        match self.kept(generation) {
            Some(kept) if generation == newest && kept.id == bundle.id() => Ok(()),
            Some(_) if generation == newest => Err(Nack::Taken(generation)),
            _ if generation <= newest => Err(Nack::Older { generation, newest }),
            _ => Ok(()),
        }
    }

    /// Keeps a bundle as the candidate. `folder` is where its secrets are read.
    ///
    /// # Errors
    /// A newer one was seen, or the disk does not take it.
    pub fn propose(&mut self, bundle: &Bundle, folder: &Path, now: Timestamp) -> Result<(), Nack> {
        self.admits(bundle)?;
        let generation = bundle.generation();
        if self.kept(generation).is_some() {
            return Ok(());
        }
        let full = |error: std::io::Error| Nack::Disk(error.to_string());
        let folder =
            serde_json::to_string(&folder).map_err(|error| Nack::Disk(error.to_string()))?;
        let content = seal(format!("{folder}\n{}\n", bundle.text()).as_bytes());
        write_whole(&*self.disk, &self.folder, &name(generation), &content).map_err(full)?;
        let mut next = self.journal.clone();
        next.newest = generation;
        next.kept.push(Kept {
            generation,
            id: bundle.id().to_owned(),
            stage: Stage::Candidate,
            since: now,
            why: None,
        });
        self.save(next).map_err(full)
    }

    /// A generation is served from now on.
    ///
    /// # Errors
    /// The disk does not take it; it must not be served then.
    pub fn applied(&mut self, generation: u64, now: Timestamp) -> std::io::Result<()> {
        let mut next = self.journal.clone();
        if next.current != Some(generation) {
            next.before = next.current;
        }
        next.current = Some(generation);
        next.starts = vec![now];
        enter(&mut next, generation, Stage::Applied, now, None);
        let id = self.kept(generation).map(|kept| kept.id.clone());
        next.refused
            .retain(|refused| Some(&refused.id) != id.as_ref());
        self.save(next)
    }

    /// The current generation is proven.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn baked(&mut self, now: Timestamp) -> std::io::Result<()> {
        let Some(current) = self.journal.current else {
            return Ok(());
        };
        let mut next = self.journal.clone();
        next.last_good = Some(current);
        next.starts.clear();
        enter(&mut next, current, Stage::Baked, now, None);
        self.save(next)
    }

    /// The generation that `target` names.
    ///
    /// # Errors
    /// There is none, or it is served already.
    pub fn find(&self, target: Target) -> Result<u64, StoreError> {
        let missing = |why: &str| StoreError::NoTarget(why.to_owned());
        let found = match target {
            // What is served may be the last that was proven, and be wrong all the same.
            Target::LastGood => self
                .journal
                .last_good
                .filter(|good| self.journal.current != Some(*good))
                .or(self.journal.before)
                .ok_or_else(|| missing("no other was proven, and none was served before"))?,
            Target::Previous => self
                .journal
                .before
                .ok_or_else(|| missing("none was served before"))?,
            Target::Generation(number) => number,
        };
        if self.kept(found).is_none() {
            let known: Vec<String> = self
                .journal
                .kept
                .iter()
                .map(|kept| kept.generation.to_string())
                .collect();
            return Err(missing(&format!(
                "generation {found} is not kept; these are: {}",
                known.join(", ")
            )));
        }
        if self.journal.current == Some(found) {
            return Err(missing(&format!("generation {found} is served already")));
        }
        Ok(found)
    }

    /// What to try, in order, to get to `target`: when the last good one is damaged, the next best.
    ///
    /// # Errors
    /// There is nothing to go back to.
    pub fn targets(&self, target: Target) -> Result<Vec<u64>, StoreError> {
        let first = self.find(target)?;
        let mut targets = vec![first];
        if target == Target::LastGood {
            let others = self.list().into_iter().filter(|kept| {
                kept.stage != Stage::TakenBack
                    && kept.generation != first
                    && self.journal.current != Some(kept.generation)
            });
            targets.extend(others.map(|kept| kept.generation));
        }
        Ok(targets)
    }

    /// Serves an older generation from now on, and remembers why the current one was taken back.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn go_back(&mut self, to: u64, why: &str, now: Timestamp) -> std::io::Result<()> {
        let mut next = self.journal.clone();
        if let Some(left) = self.current().filter(|left| left.generation != to) {
            enter(&mut next, left.generation, Stage::TakenBack, now, Some(why));
            next.refused.retain(|refused| refused.id != left.id);
            next.refused.push(Refused {
                id: left.id.clone(),
                why: why.to_owned(),
            });
            let over = next.refused.len().saturating_sub(MAX_REFUSED);
            next.refused.drain(..over);
            if next.last_good == Some(left.generation) {
                next.last_good = None;
            }
        }
        let target = self.kept(to);
        let baked = target.is_some_and(|kept| kept.stage == Stage::Baked);
        let id = target.map(|kept| kept.id.clone());
        next.refused
            .retain(|refused| Some(&refused.id) != id.as_ref());
        next.current = Some(to);
        next.starts = vec![now];
        if baked {
            next.last_good = Some(to);
        } else {
            enter(&mut next, to, Stage::Applied, now, None);
        }
        next.before = next
            .kept
            .iter()
            .filter(|kept| kept.generation < to && kept.stage != Stage::TakenBack)
            .map(|kept| kept.generation)
            .max();
        self.save(next)
    }

    /// The node starts. Goes back by itself when the starts before ended badly one after the other; says so.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn start(&mut self, now: Timestamp) -> std::io::Result<Option<String>> {
        let Some(current) = self.current().filter(|kept| kept.stage == Stage::Applied) else {
            return Ok(None);
        };
        let current = current.generation;
        let starts = counted(&self.journal.starts, now);
        if starts.len() >= MAX_STARTS {
            let to = self
                .find(Target::LastGood)
                .or_else(|_| self.find(Target::Previous));
            let times = starts.len();
            let why = format!(
                "the node started {times} times within {START_WINDOW_SECONDS} s and did not live until it was proven"
            );
            if let Ok(to) = to {
                self.go_back(to, &why, now)?;
                return Ok(Some(format!(
                    "went back from generation {current} to {to}: {why}"
                )));
            }
        }
        let mut next = self.journal.clone();
        next.starts = starts;
        // An older Lockgate, or a clock set back, must not make this list grow.
        let over = next.starts.len().saturating_sub(MAX_STARTS);
        next.starts.drain(..over);
        self.save(next)?;
        Ok(None)
    }

    /// The node ends as it was told to: this start says nothing against the generation.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn end(&mut self) -> std::io::Result<()> {
        if self.journal.starts.is_empty() {
            return Ok(());
        }
        let mut next = self.journal.clone();
        next.starts.pop();
        self.save(next)
    }

    /// A generation as it was written, and the folder of its secrets.
    ///
    /// # Errors
    /// It is damaged, or not there.
    pub fn load(&self, generation: u64) -> Result<(Bundle, PathBuf), StoreError> {
        let damaged = |why: String| StoreError::Damaged { generation, why };
        let (bundle, folder) = self.read(generation).map_err(damaged)?;
        match self.kept(generation) {
            Some(kept) if kept.id != bundle.id() => {
                Err(damaged("another revision stands in its place".to_owned()))
            }
            _ => Ok((bundle, folder)),
        }
    }

    fn read(&self, generation: u64) -> Result<(Bundle, PathBuf), String> {
        // The folder stands in the first line.
        const MOST: u64 = MAX_BUNDLE_BYTES as u64 + 65_536;
        let sealed = self
            .disk
            .read(&self.folder.join(name(generation)), MOST)
            .map_err(|error| error.to_string())?;
        let content = unseal(&sealed).ok_or("its checksum does not fit")?;
        let at = content
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or("it has one line only")?;
        let (folder, bundle) = content.split_at(at);
        let folder = serde_json::from_slice(folder).map_err(|error| error.to_string())?;
        let bundle = Bundle::read(bundle.trim_ascii()).map_err(|nack| nack.to_string())?;
        if bundle.generation() == generation {
            Ok((bundle, folder))
        } else {
            Err("it has another number inside".to_owned())
        }
    }

    /// What can be served, what is wanted most first: never empty while one generation is kept.
    pub fn servable(&self) -> Vec<u64> {
        let journal = &self.journal;
        let mut others: Vec<&Kept> = journal.kept.iter().collect();
        others.sort_by_key(|kept| {
            (
                kept.stage == Stage::TakenBack,
                std::cmp::Reverse(kept.generation),
            )
        });
        let mut wanted: Vec<u64> = [journal.current, journal.last_good, journal.before]
            .into_iter()
            .flatten()
            .collect();
        wanted.extend(others.iter().map(|kept| kept.generation));
        let mut seen = std::collections::HashSet::new();
        wanted.retain(|generation| self.kept(*generation).is_some() && seen.insert(*generation));
        wanted
    }

    /// The generation that is served.
    pub fn current(&self) -> Option<&Kept> {
        self.kept(self.journal.current?)
    }

    /// The generation that was proven last.
    pub const fn last_good(&self) -> Option<u64> {
        self.journal.last_good
    }

    /// The generation that was served before.
    pub const fn before(&self) -> Option<u64> {
        self.journal.before
    }

    /// The newest number that was ever seen.
    pub const fn newest(&self) -> u64 {
        self.journal.newest
    }

    /// All that is kept, newest first.
    pub fn list(&self) -> Vec<Kept> {
        let mut kept = self.journal.kept.clone();
        kept.sort_by_key(|kept| std::cmp::Reverse(kept.generation));
        kept
    }

    /// Why a revision is not served again by itself.
    pub fn refused(&self, id: &str) -> Option<Nack> {
        let refused = self.journal.refused.iter().find(|known| known.id == id)?;
        Some(Nack::TakenBack {
            id: refused.id.chars().take(12).collect(),
            why: refused.why.clone(),
        })
    }

    /// The number of revocations that the node has served with.
    pub const fn revocations(&self) -> u64 {
        self.journal.revocations
    }

    /// Raises the number of revocations; it never falls.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn raise_revocations(&mut self, to: u64) -> std::io::Result<()> {
        if to <= self.journal.revocations {
            return Ok(());
        }
        let mut next = self.journal.clone();
        next.revocations = to;
        self.save(next)
    }

    fn kept(&self, generation: u64) -> Option<&Kept> {
        self.journal
            .kept
            .iter()
            .find(|kept| kept.generation == generation)
    }

    /// Writes a journal and, once it stands, removes the files that it names no more. A file that cannot be removed now is removed
    /// with the next journal.
    fn save(&mut self, mut next: Journal) -> std::io::Result<()> {
        forget(&mut next);
        self.sequence += 1;
        next.sequence = self.sequence;
        journal::save(&*self.disk, &self.folder, self.place, &next)?;
        self.place = 1 - self.place;
        // The copy of before must not name what is gone, should this one be damaged.
        let before = std::mem::replace(&mut self.journal, next);
        let named = |generation: u64| {
            let names = |journal: &Journal| {
                journal
                    .kept
                    .iter()
                    .any(|kept| kept.generation == generation)
            };
            names(&before) || names(&self.journal)
        };
        if let Ok(files) = self.disk.list(&self.folder) {
            for generation in files.iter().filter_map(|file| number(file)) {
                if !named(generation) {
                    let _ = self.disk.remove(&self.folder.join(name(generation)));
                }
            }
        }
        Ok(())
    }
}

/// Leaves what is served, proven, served before or a candidate, and the last one that was taken back, to be looked at.
fn forget(journal: &mut Journal) {
    let taken_back = journal
        .kept
        .iter()
        .filter(|kept| kept.stage == Stage::TakenBack)
        .map(|kept| kept.generation)
        .max();
    let named = [
        journal.current,
        journal.last_good,
        journal.before,
        taken_back,
    ];
    journal
        .kept
        .retain(|kept| kept.stage == Stage::Candidate || named.contains(&Some(kept.generation)));
}

fn enter(journal: &mut Journal, generation: u64, stage: Stage, now: Timestamp, why: Option<&str>) {
    let found = journal
        .kept
        .iter_mut()
        .find(|kept| kept.generation == generation);
    if let Some(kept) = found {
        kept.stage = stage;
        kept.since = now;
        kept.why = why.map(str::to_owned);
    }
}

fn name(generation: u64) -> String {
    format!("{PREFIX}{generation:020}")
}

fn number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?;
    (digits.len() == 20).then(|| digits.parse().ok())?
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
