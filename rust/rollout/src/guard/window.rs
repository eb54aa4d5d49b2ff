//! Callers that have counted in the running window.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::arms::Caller;
use crate::observation::Metric;

/// Callers and metrics that are told apart in one window; past them nothing counts, in either arm.
const MAX_CALLERS: usize = 16_384;

/// Callers that have counted in the running window.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Window {
    index: u64,
    seen: BTreeSet<(Metric, Caller)>,
}

impl Window {
    /// Lets the callers of a metric count again.
    pub fn forget(&mut self, metric: Metric) {
        self.seen.retain(|(seen, _)| *seen != metric);
    }

    /// Whether a caller's bad event counts: the first of a metric in a window does.
    pub fn admits(&mut self, index: u64, metric: Metric, caller: Caller) -> bool {
        if index != self.index {
            self.index = index;
            self.seen.clear();
        }
        self.seen.len() < MAX_CALLERS && self.seen.insert((metric, caller))
    }
}
