//! Decisions that differ outside of what was approved.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::verdict::EventRef;

/// Differing decisions that are kept to show them.
const MAX_DIFFERENCES: usize = 32;

/// How many there were, and the last of them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Differences {
    pub unapproved: u64,
    recent: VecDeque<EventRef>,
}

impl Differences {
    /// Counts one.
    pub fn note(&mut self, event: EventRef) {
        self.unapproved += 1;
        if self.recent.len() == MAX_DIFFERENCES {
            self.recent.pop_front();
        }
        self.recent.push_back(event);
    }

    /// The last of them.
    pub fn events(&self) -> Vec<EventRef> {
        self.recent.iter().cloned().collect()
    }
}
