//! The directory apart from revisions, what was revoked, and what is blocked for a time: none of it follows a revision back.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lockgate_config::{DirectoryChange, DirectoryDocument, Problem};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::block::{Block, BlockError, Blocks, MAX_BLOCKS};
use crate::disk::{Disk, RealDisk, write_whole};
use crate::error::StoreError;
use crate::sealed::{seal, unseal};
use crate::store::Store;

/// Two copies of the whole, written one after the other: what was revoked must not hang on one bit.
const COPIES: [&str; 2] = ["directory.a", "directory.b"];
const MAX_BYTES: u64 = 2 * lockgate_config::MAX_DOCUMENT_BYTES as u64;
/// The version that this build reads. Without blocks the first one is written, which older builds read too.
const VERSION: u32 = 2;
const WITHOUT_BLOCKS: u32 = 1;

/// What is revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Revokes {
    /// The SHA-256 of an API key or a certificate, in lower-case digits.
    Hash(String),
    /// An application with all that it identifies itself with.
    Application(String),
}

/// One revocation. There is no way back from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// What.
    pub revokes: Revokes,
    /// Since when.
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Held {
    v: u32,
    sequence: u64,
    /// All applications, once a directory was published; those of the document otherwise.
    applications: Option<Map<String, Value>>,
    revoked: Vec<Revocation>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    blocked: Vec<Block>,
}

/// Who may call, as it was published apart from revisions, and what was revoked.
#[derive(Debug)]
pub struct Members {
    folder: PathBuf,
    disk: Box<dyn Disk>,
    held: Held,
}

impl Members {
    /// Opens what the state folder `state` holds; `floor` is how many revocations the node has served with.
    ///
    /// # Errors
    /// Fewer are left than that: serving without them would revive credentials. Or a newer Lockgate wrote it.
    pub fn open(state: &Path, floor: u64) -> Result<Self, StoreError> {
        let folder = state.join("generations");
        Self::with_disk(folder, Box::new(RealDisk), floor)
    }

    pub(crate) fn with_disk(
        folder: PathBuf,
        disk: Box<dyn Disk>,
        floor: u64,
    ) -> Result<Self, StoreError> {
        let mut newest: Option<Held> = None;
        for name in COPIES {
            let Ok(sealed) = disk.read(&folder.join(name), MAX_BYTES) else {
                continue;
            };
            let Some(Ok(value)) = unseal(&sealed).map(serde_json::from_slice::<Value>) else {
                continue;
            };
            let version = value.get("v").and_then(Value::as_u64).unwrap_or(0);
            if version > u64::from(VERSION) {
                return Err(StoreError::Newer(version));
            }
            if let Ok(read) = serde_json::from_value::<Held>(value)
                && newest.as_ref().is_none_or(|held| {
                    (read.revoked.len(), read.sequence) > (held.revoked.len(), held.sequence)
                })
            {
                newest = Some(read);
            }
        }
        let held = newest.unwrap_or(Held {
            v: WITHOUT_BLOCKS,
            sequence: 0,
            applications: None,
            revoked: Vec::new(),
            blocked: Vec::new(),
        });
        let found = held.revoked.len() as u64;
        if found < floor {
            return Err(StoreError::BelowFloor { found, floor });
        }
        Ok(Self { folder, disk, held })
    }

    /// The applications that were published, when any were.
    pub const fn applications(&self) -> Option<&Map<String, Value>> {
        self.held.applications.as_ref()
    }

    /// The sequence of what was published; 0 when nothing was.
    pub const fn sequence(&self) -> u64 {
        self.held.sequence
    }

    /// All revocations, oldest first.
    pub fn revoked(&self) -> &[Revocation] {
        &self.held.revoked
    }

    /// The applications as they would be after a directory document.
    ///
    /// # Errors
    /// It comes late, is a delta to another sequence, or would leave nobody.
    pub fn after(&self, document: &DirectoryDocument) -> Result<Map<String, Value>, Problem> {
        let (held, sequence) = (self.held.sequence, document.sequence);
        let problem = |message: String| Problem::in_file("directory", message);
        if sequence <= held {
            let message =
                format!("sequence {sequence} comes late: sequence {held} is served already");
            return Err(problem(message).help("publish it again with a higher `sequence`"));
        }
        match &document.change {
            DirectoryChange::Whole(applications) => Ok(applications.clone()),
            DirectoryChange::Delta { set, remove } => {
                let known = self
                    .held
                    .applications
                    .as_ref()
                    .filter(|_| sequence == held + 1);
                let Some(known) = known else {
                    let message =
                        format!("the delta {sequence} does not follow what is served, {held}");
                    return Err(
                        problem(message).help("publish the whole directory under `applications`")
                    );
                };
                let mut applications = known.clone();
                for id in remove {
                    if applications.remove(id).is_none() {
                        let message = format!("there is no application `{id}` to remove");
                        return Err(problem(message));
                    }
                }
                applications.extend(set.clone());
                if applications.is_empty() {
                    let message = "nobody would be left, and everybody refused".to_owned();
                    return Err(problem(message));
                }
                Ok(applications)
            }
        }
    }

    /// Keeps applications from now on.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn publish(
        &mut self,
        sequence: u64,
        applications: Map<String, Value>,
    ) -> std::io::Result<()> {
        self.save(Held {
            sequence,
            applications: Some(applications),
            ..self.held.clone()
        })
    }

    /// Revokes for ever, and raises the floor of the store. What is revoked already stays as it is.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn revoke(
        &mut self,
        store: &mut Store,
        revokes: Revokes,
        at: Timestamp,
    ) -> std::io::Result<()> {
        if !self
            .held
            .revoked
            .iter()
            .any(|known| known.revokes == revokes)
        {
            let mut next = self.held.clone();
            next.revoked.push(Revocation { revokes, at });
            self.save(next)?;
        }
        store.raise_revocations(self.held.revoked.len() as u64)
    }

    /// What is blocked, oldest first; some of it may have ended.
    pub fn blocked(&self) -> &[Block] {
        &self.held.blocked
    }

    /// Blocks for a time, in place of what blocked the same before. What has ended is not kept any longer.
    ///
    /// # Errors
    /// There are too many, or the disk does not take it.
    pub fn block(&mut self, block: Block, now: Timestamp) -> Result<(), BlockError> {
        let mut next = self.without_ended(now);
        next.blocked.retain(|known| known.blocks != block.blocks);
        if next.blocked.len() >= MAX_BLOCKS {
            return Err(BlockError::TooMany);
        }
        next.blocked.push(block);
        Ok(self.save(next)?)
    }

    /// Ends a block before its time. Gives it, when there was one.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn unblock(&mut self, blocks: &Blocks, now: Timestamp) -> std::io::Result<Option<Block>> {
        let mut next = self.without_ended(now);
        let Some(at) = next
            .blocked
            .iter()
            .position(|known| known.blocks == *blocks)
        else {
            return Ok(None);
        };
        let ended = next.blocked.remove(at);
        self.save(next)?;
        Ok(Some(ended))
    }

    fn without_ended(&self, now: Timestamp) -> Held {
        let mut next = self.held.clone();
        next.blocked.retain(|block| block.is_live(now));
        next
    }

    fn save(&mut self, mut next: Held) -> std::io::Result<()> {
        next.v = if next.blocked.is_empty() {
            WITHOUT_BLOCKS
        } else {
            VERSION
        };
        let sealed = seal(&serde_json::to_vec(&next)?);
        for name in COPIES {
            write_whole(&*self.disk, &self.folder, name, &sealed)?;
        }
        self.held = next;
        Ok(())
    }
}

#[cfg(test)]
#[path = "members_tests.rs"]
mod tests;
