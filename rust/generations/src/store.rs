//! The generations of a node on disk.

mod files;
mod targets;
mod turns;

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::bundle::Bundle;
use crate::disk::{Disk, RealDisk};
use crate::error::StoreError;
use crate::journal::{self, Found, Journal, Kept, Stage};
use crate::nack::Nack;

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
        let mut on_disk: Vec<u64> = names
            .iter()
            .filter_map(|name| files::number(name))
            .collect();
        on_disk.sort_unstable();
        if let Some(newest) = on_disk.last() {
            self.journal.newest = self.journal.newest.max(*newest);
        }
        if self.journal.kept.is_empty() {
            for generation in on_disk {
                if let Ok((bundle, _)) = files::read(&*self.disk, &self.folder, generation) {
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

    /// A generation as it was written, and the folder of its secrets.
    ///
    /// # Errors
    /// It is damaged, or not there.
    pub fn load(&self, generation: u64) -> Result<(Bundle, PathBuf), StoreError> {
        let damaged = |why: String| StoreError::Damaged { generation, why };
        let (bundle, folder) =
            files::read(&*self.disk, &self.folder, generation).map_err(damaged)?;
        match self.kept(generation) {
            Some(kept) if kept.id != bundle.id() => {
                Err(damaged("another revision stands in its place".to_owned()))
            }
            _ => Ok((bundle, folder)),
        }
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

    fn kept(&self, generation: u64) -> Option<&Kept> {
        self.journal
            .kept
            .iter()
            .find(|kept| kept.generation == generation)
    }

    /// Writes a journal and, once it stands, removes the files that it names no more. A file that cannot be removed now is removed
    /// with the next journal.
    fn save(&mut self, mut next: Journal) -> std::io::Result<()> {
        next.forget();
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
            for generation in files.iter().filter_map(|file| files::number(file)) {
                if !named(generation) {
                    let _ = self.disk.remove(&self.folder.join(files::name(generation)));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
