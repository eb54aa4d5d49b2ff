//! What a store knows of its generations: which is served, which is proven, which were taken back.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::disk::{Disk, write_whole};
use crate::sealed::{seal, unseal};

/// The version of the journal.
const VERSION: u32 = 1;
/// Two copies, written in turn: when a bit of one flips, the other is at most one step behind.
const COPIES: [&str; 2] = ["journal.a", "journal.b"];
/// The largest journal that is read; one of all that a store ever keeps is far smaller.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// How far a generation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// On disk, not served yet.
    Candidate,
    /// Served, not proven yet.
    Applied,
    /// Proven: the node goes back to it.
    Baked,
    /// Taken back; not served again unless a person asks for it.
    TakenBack,
}

/// A generation on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Its number.
    pub generation: u64,
    /// The id of the revision.
    pub id: String,
    /// How far it has come.
    pub stage: Stage,
    /// Since when it is in this stage.
    pub since: Timestamp,
    /// Why it was taken back.
    pub why: Option<String>,
}

/// A revision that was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// The id of the revision.
    pub id: String,
    /// Why.
    pub why: String,
}

/// The whole journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    v: u32,
    pub sequence: u64,
    /// The newest generation that was ever seen; no older one is taken.
    pub newest: u64,
    pub current: Option<u64>,
    pub last_good: Option<u64>,
    pub before: Option<u64>,
    pub kept: Vec<Kept>,
    pub refused: Vec<Refused>,
    /// Starts with the current generation that did not end well.
    pub starts: Vec<Timestamp>,
    /// How many revocations were seen; fewer are never served with.
    pub revocations: u64,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            v: VERSION,
            sequence: 0,
            newest: 0,
            current: None,
            last_good: None,
            before: None,
            kept: Vec::new(),
            refused: Vec::new(),
            starts: Vec::new(),
            revocations: 0,
        }
    }
}

impl Journal {
    /// Notes how far a generation has come, when it is kept.
    pub fn enter(&mut self, generation: u64, stage: Stage, now: Timestamp, why: Option<&str>) {
        let found = self
            .kept
            .iter_mut()
            .find(|kept| kept.generation == generation);
        if let Some(kept) = found {
            kept.stage = stage;
            kept.since = now;
            kept.why = why.map(str::to_owned);
        }
    }

    /// Leaves what is served, proven, served before or a candidate, and the last one that was taken back, to be looked at.
    pub fn forget(&mut self) {
        let taken_back = self
            .kept
            .iter()
            .filter(|kept| kept.stage == Stage::TakenBack)
            .map(|kept| kept.generation)
            .max();
        let named = [self.current, self.last_good, self.before, taken_back];
        self.kept.retain(|kept| {
            kept.stage == Stage::Candidate || named.contains(&Some(kept.generation))
        });
    }
}

/// What the two copies gave.
#[derive(Debug)]
pub enum Found {
    /// Neither was ever written.
    Nothing,
    /// The newer one that is whole, its place, and whether the other is damaged.
    Whole(Box<Journal>, usize, bool),
    /// Written, and neither is whole.
    Damaged,
    /// Written by a newer Lockgate.
    Newer(u64),
}

/// Reads both copies.
pub fn find(disk: &dyn Disk, folder: &Path) -> Found {
    let mut whole: Option<(Journal, usize)> = None;
    let mut damaged = false;
    for (place, name) in COPIES.iter().enumerate() {
        let Ok(sealed) = disk.read(&folder.join(name), MAX_BYTES) else {
            // A copy that cannot be read is damaged, one that is not there may never have been written.
            damaged |= exists(disk, folder, name);
            continue;
        };
        match unseal(&sealed).map(serde_json::from_slice::<serde_json::Value>) {
            Some(Ok(value)) => {
                let version = value.get("v").and_then(serde_json::Value::as_u64);
                if let Some(version) = version.filter(|version| *version > u64::from(VERSION)) {
                    return Found::Newer(version);
                }
                match serde_json::from_value::<Journal>(value) {
                    Ok(journal)
                        if whole
                            .as_ref()
                            .is_none_or(|(known, _)| known.sequence < journal.sequence) =>
                    {
                        whole = Some((journal, place));
                    }
                    Ok(_) => {}
                    Err(_) => damaged = true,
                }
            }
            _ => damaged = true,
        }
    }
    match whole {
        Some((journal, place)) => Found::Whole(Box::new(journal), place, damaged),
        None if damaged => Found::Damaged,
        None => Found::Nothing,
    }
}

fn exists(disk: &dyn Disk, folder: &Path, name: &str) -> bool {
    disk.list(folder)
        .is_ok_and(|names| names.iter().any(|known| known == name))
}

/// Writes the copy at `place`.
///
/// # Errors
/// What the disk said.
pub fn save(
    disk: &dyn Disk,
    folder: &Path,
    place: usize,
    journal: &Journal,
) -> std::io::Result<()> {
    let name = COPIES.get(place).unwrap_or(&"journal.a");
    write_whole(disk, folder, name, &seal(&serde_json::to_vec(journal)?))
}
