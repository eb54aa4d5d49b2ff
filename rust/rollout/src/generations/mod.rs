//! Revisions on a node's disk, so that it serves after any crash and without anybody's help.
//!
//! | file | what it is |
//! |---|---|
//! | `<number>.candidate` | a revision that serves and has not baked |
//! | `<number>.good` | a revision that has |
//! | `state-0`, `state-1` | which of them serves; the newer of the two that is whole counts |
//! | `*.part` | what a crash left behind |
//!
//! Every file is written under another name, flushed, renamed, and its folder flushed; its first line holds the SHA-256 of the rest. A
//! revision that is damaged is passed over for the last good one, then the one before, then the newest good one there is. There
//! is always one to serve once there was a first.

mod disk;
mod record;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use disk::{Disk, Files};
pub use record::MAX_BYTES;

/// Starts that did not settle, after which a node steps back.
const MAX_STARTS: u32 = 3;

/// Why nothing was written. The generations are as they were.
#[derive(Debug, Error)]
pub enum WriteError {
    /// A publisher that was overtaken.
    #[error(
        "generation {number} is stale: {newest} was accepted already; publish again with a higher number"
    )]
    Stale {
        /// What was to be written.
        number: u64,
        /// The highest so far.
        newest: u64,
    },
    /// A revision without content.
    #[error("generation {0} is empty; a node keeps what it has")]
    Empty(u64),
    /// A revision that is too large.
    #[error("generation {number} has {bytes} bytes; the most is 67108864")]
    TooLarge {
        /// What was to be written.
        number: u64,
        /// Its size.
        bytes: usize,
    },
    /// Only what serves can become good.
    #[error("generation {0} does not serve; only what serves becomes last good")]
    NotCurrent(u64),
    /// There is no other generation.
    #[error("there is no generation to step back to")]
    NothingBefore,
    /// The disk.
    #[error("generations cannot be written: {0}")]
    Disk(#[from] io::Error),
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct State {
    sequence: u64,
    current: Option<u64>,
    last_good: Option<u64>,
    before: Option<u64>,
    /// The highest number ever accepted.
    newest: u64,
    /// Starts since one settled.
    starts: u32,
}

impl State {
    fn numbers(&self) -> impl Iterator<Item = u64> {
        [self.current, self.last_good, self.before]
            .into_iter()
            .flatten()
    }
}

/// A generation that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Its number.
    pub number: u64,
    /// The revision.
    pub revision: Vec<u8>,
    /// Generations that should have served and are damaged or gone.
    pub passed_over: Vec<u64>,
}

/// The generations of one node. One process writes them.
#[derive(Debug)]
pub struct Generations<D: Disk = Files> {
    folder: PathBuf,
    disk: D,
    state: State,
    /// What the other state file names: it must not be removed, in case the newer one is damaged.
    kept: BTreeSet<u64>,
}

impl Generations {
    /// Opens a folder, which is made when it is not there.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub fn open(folder: &Path) -> io::Result<Self> {
        Self::open_on(folder, Files)
    }
}

impl<D: Disk> Generations<D> {
    /// Opens a folder on a disk.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub fn open_on(folder: &Path, mut disk: D) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut numbers = BTreeSet::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "part")
            {
                // Left by a crash; a later one is written over it anyway.
                let _ = disk.remove(&path);
            }
            numbers.extend(number_of(&path));
        }
        let slots = [0, 1].map(|slot| read_state(folder, slot));
        let is_damaged = slots.contains(&Slot::Damaged);
        let mut states: Vec<State> = slots.into_iter().filter_map(Slot::state).collect();
        states.sort_by_key(|state| state.sequence);
        let mut state = states.pop().unwrap_or_default();
        let kept = states.iter().flat_map(State::numbers).collect();
        // The damaged one may have been the newer: what lies there was accepted once.
        if is_damaged {
            state.newest = state
                .newest
                .max(numbers.last().copied().unwrap_or_default());
        }
        Ok(Self {
            folder: folder.to_owned(),
            disk,
            state,
            kept,
        })
    }

    /// The generation that is to serve.
    #[must_use]
    pub const fn current(&self) -> Option<u64> {
        self.state.current
    }

    /// The last one that baked.
    #[must_use]
    pub const fn last_good(&self) -> Option<u64> {
        self.state.last_good
    }

    /// The highest number that was accepted; the next must be higher.
    #[must_use]
    pub const fn newest(&self) -> u64 {
        self.state.newest
    }

    /// Writes a revision, which serves from now on.
    ///
    /// # Errors
    /// Why it was not written.
    pub fn accept(&mut self, number: u64, revision: &[u8]) -> Result<(), WriteError> {
        let newest = self.state.newest;
        if number <= newest {
            return Err(WriteError::Stale { number, newest });
        }
        if revision.is_empty() {
            return Err(WriteError::Empty(number));
        }
        if revision.len() > MAX_BYTES {
            let bytes = revision.len();
            return Err(WriteError::TooLarge { number, bytes });
        }
        let name = candidate(number);
        self.write(&name, &record::encode(&what(number), revision))?;
        self.change(|state| {
            state.current = Some(number);
            state.newest = number;
            state.starts = 0;
        })
    }

    /// Makes what serves the last good one: it has baked.
    ///
    /// # Errors
    /// Why it is not.
    pub fn mark_good(&mut self, number: u64) -> Result<(), WriteError> {
        if self.state.current != Some(number) {
            return Err(WriteError::NotCurrent(number));
        }
        if self.state.last_good == Some(number) {
            return Ok(());
        }
        let from = self.folder.join(candidate(number));
        if from.exists() {
            self.disk.rename(&from, &self.folder.join(good(number)))?;
            self.disk.flush_folder(&self.folder)?;
        }
        self.change(|state| {
            state.before = state.last_good;
            state.last_good = Some(number);
        })
    }

    /// Steps back: to the last good one, or when that serves to the one before. Gives its number. What was left is not accepted again.
    ///
    /// # Errors
    /// Why it did not.
    pub fn step_back(&mut self) -> Result<u64, WriteError> {
        let State {
            current,
            last_good,
            before,
            ..
        } = self.state;
        let to = if current == last_good {
            before
        } else {
            last_good
        };
        let to = to.ok_or(WriteError::NothingBefore)?;
        self.change(|state| {
            if state.current == state.last_good {
                state.last_good = state.before.take();
            }
            state.current = Some(to);
            state.starts = 0;
        })?;
        Ok(to)
    }

    /// Notes that the node starts. After three starts that did not settle it steps back; gives whether it did.
    ///
    /// # Errors
    /// The note cannot be written; the node can serve all the same.
    pub fn starting(&mut self) -> Result<bool, WriteError> {
        if self.state.starts >= MAX_STARTS {
            match self.step_back() {
                Ok(_) => {
                    self.change(|state| state.starts = 1)?;
                    return Ok(true);
                }
                Err(WriteError::NothingBefore) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        self.change(|state| state.starts += 1)?;
        Ok(false)
    }

    /// Notes that the node has served for a while.
    ///
    /// # Errors
    /// The note cannot be written.
    pub fn settled(&mut self) -> Result<(), WriteError> {
        if self.state.starts == 0 {
            return Ok(());
        }
        self.change(|state| state.starts = 0)
    }

    /// Reads what is to serve. Empty only when no generation is whole.
    #[must_use]
    pub fn load(&self) -> Option<Loaded> {
        let mut passed_over = Vec::new();
        let named: Vec<u64> = self.state.numbers().collect();
        for number in named.into_iter().chain(self.others()) {
            if let Some(revision) = self.read(number) {
                return Some(Loaded {
                    number,
                    revision,
                    passed_over,
                });
            }
            if !passed_over.contains(&number) {
                passed_over.push(number);
            }
        }
        None
    }

    /// All generations, the good ones and then the others, the newest first: for when all that the state names is damaged.
    fn others(&self) -> Vec<u64> {
        let mut found: Vec<(bool, u64)> = self
            .paths()
            .iter()
            .filter_map(|path| {
                let is_good = path
                    .extension()
                    .is_some_and(|extension| extension == "good");
                Some((is_good, number_of(path)?))
            })
            .collect();
        found.sort_unstable();
        found.into_iter().rev().map(|(_, number)| number).collect()
    }

    fn paths(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten();
        entries.flatten().map(|entry| entry.path()).collect()
    }

    fn read(&self, number: u64) -> Option<Vec<u8>> {
        [good(number), candidate(number)].iter().find_map(|name| {
            let bytes = record::read(&self.folder.join(name)).ok()?;
            record::decode(&what(number), bytes)
        })
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let part = self.folder.join(format!("{name}.part"));
        self.disk.write(&part, bytes)?;
        self.disk.flush(&part)?;
        self.disk.rename(&part, &self.folder.join(name))?;
        self.disk.flush_folder(&self.folder)
    }

    /// Writes the next state beside the one before; only then it counts.
    fn change(&mut self, change: impl FnOnce(&mut State)) -> Result<(), WriteError> {
        let mut next = self.state.clone();
        change(&mut next);
        next.sequence += 1;
        let text = serde_json::to_vec(&next).map_err(io::Error::from)?;
        let name = state_name(next.sequence % 2);
        self.write(&name, &record::encode(&name, &text))?;
        self.kept = self.state.numbers().collect();
        self.state = next;
        self.prune();
        Ok(())
    }

    /// Removes what neither state names. What cannot be removed now is removed later.
    fn prune(&mut self) {
        let named: BTreeSet<u64> = self
            .state
            .numbers()
            .chain(self.kept.iter().copied())
            .collect();
        for path in self.paths() {
            if number_of(&path).is_some_and(|number| !named.contains(&number)) {
                let _ = self.disk.remove(&path);
            }
        }
    }
}

fn what(number: u64) -> String {
    format!("lockgate generation {number}")
}

fn candidate(number: u64) -> String {
    format!("{number}.candidate")
}

fn good(number: u64) -> String {
    format!("{number}.good")
}

fn state_name(slot: u64) -> String {
    format!("state-{slot}")
}

fn number_of(path: &Path) -> Option<u64> {
    let extension = path.extension()?;
    (extension == "good" || extension == "candidate")
        .then(|| path.file_stem()?.to_str()?.parse().ok())?
}

/// A state file.
#[derive(Debug, PartialEq, Eq)]
enum Slot {
    Absent,
    Damaged,
    Whole(State),
}

impl Slot {
    fn state(self) -> Option<State> {
        match self {
            Self::Whole(state) => Some(state),
            Self::Absent | Self::Damaged => None,
        }
    }
}

fn read_state(folder: &Path, slot: u64) -> Slot {
    let name = state_name(slot);
    let bytes = match record::read(&folder.join(&name)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Slot::Absent,
        Err(_) => return Slot::Damaged,
    };
    record::decode(&name, bytes)
        .and_then(|text| serde_json::from_slice(&text).ok())
        .map_or(Slot::Damaged, Slot::Whole)
}
