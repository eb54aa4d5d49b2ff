use std::path::Path;

use serde::Serialize;

use crate::disk::RealDisk;
use crate::error::StoreError;
use crate::journal::{self, Found, Journal, Kept};

/// The generations of a node, for people.
#[derive(Debug, Clone, Serialize)]
pub struct Listing {
    /// What is served.
    pub current: Option<u64>,
    /// What was proven last.
    pub last_good: Option<u64>,
    /// What was served before.
    pub before: Option<u64>,
    /// All that is kept, newest first.
    pub kept: Vec<Kept>,
}

impl Listing {
    /// What the state folder `state` holds, for people. Takes no lock: a node may run.
    ///
    /// # Errors
    /// A newer Lockgate wrote it.
    pub fn read(state: &Path) -> Result<Self, StoreError> {
        let journal = match journal::find(&RealDisk, &state.join("generations")) {
            Found::Newer(version) => return Err(StoreError::Newer(version)),
            Found::Whole(journal, ..) => *journal,
            Found::Nothing | Found::Damaged => Journal::default(),
        };
        let mut kept = journal.kept;
        kept.sort_by_key(|kept| std::cmp::Reverse(kept.generation));
        Ok(Self {
            current: journal.current,
            last_good: journal.last_good,
            before: journal.before,
            kept,
        })
    }
}
