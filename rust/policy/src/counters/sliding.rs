use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::Usage;
use crate::time::Timestamp;

/// A sliding window of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The most calls.
    pub limit: u64,
    /// Its length in microseconds; not zero.
    pub length: u64,
}

/// How many runs of calls one caller has in a window. Limits up to this are exact to the microsecond; for larger ones a call may
/// count for a sixty-fourth of the window longer, and never shorter.
pub const RUNS: u64 = 64;

/// Calls close to each other, which leave the window together when the last of them does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The first call, in microseconds since 1970.
    pub first: u64,
    /// The last call, in microseconds since 1970.
    pub last: u64,
    /// How many there are; not zero.
    pub calls: u64,
}

/// The calls of one caller that a sliding window still sees, oldest first.
#[derive(Debug, Default, Clone)]
pub struct Log {
    runs: VecDeque<Run>,
    used: u64,
}

impl Log {
    /// A log that was written down; what makes no sense in it is left out.
    pub fn restore(runs: impl IntoIterator<Item = Run>) -> Self {
        let mut log = Self::default();
        for run in runs {
            let follows = log.runs.back().is_none_or(|last| last.last <= run.first);
            if follows
                && run.first <= run.last
                && run.calls > 0
                && log.runs.len() < 2 * RUNS as usize
            {
                log.used = log.used.saturating_add(run.calls);
                log.runs.push_back(run);
            }
        }
        log
    }

    /// Its runs, oldest first.
    pub fn runs(&self) -> impl Iterator<Item = Run> {
        self.runs.iter().copied()
    }

    /// Calls that the last look still saw.
    pub const fn used(&self) -> u64 {
        self.used
    }

    /// Whether nothing of it is seen any more by a window of this length.
    pub fn has_ended(&self, length: u64, now: Timestamp) -> bool {
        self.runs
            .back()
            .is_none_or(|run| run.last.saturating_add(length) <= now.0)
    }

    /// Forgets what has left the window and says whether there is room, without taking it.
    pub fn look(&mut self, window: Window, now: Timestamp) -> Usage {
        let leaves = |run: &Run| run.last.saturating_add(window.length);
        // A clock that was set back by more than a window would otherwise refuse until it has caught up.
        if self
            .runs
            .back()
            .is_some_and(|run| run.last > now.0.saturating_add(window.length))
        {
            *self = Self::default();
        }
        while let Some(run) = self.runs.front().filter(|run| leaves(run) <= now.0) {
            self.used = self.used.saturating_sub(run.calls);
            self.runs.pop_front();
        }
        if self.used < window.limit {
            return Usage {
                allowed: true,
                remaining: window.limit - self.used,
                reset_after: self
                    .runs
                    .front()
                    .map_or(window.length, |run| leaves(run) - now.0),
            };
        }
        // INVARIANT: `used` is the sum over the runs, so some run brings it below the limit, which is not zero.
        let mut left = self.used;
        let frees = self.runs.iter().find(|run| {
            left = left.saturating_sub(run.calls);
            left < window.limit
        });
        Usage {
            allowed: false,
            remaining: 0,
            reset_after: frees.map_or(window.length, |run| leaves(run) - now.0),
        }
    }

    /// Counts one call.
    pub fn add(&mut self, window: Window, now: Timestamp) {
        let grain = if window.limit <= RUNS {
            1
        } else {
            window.length.div_ceil(RUNS)
        };
        self.used = self.used.saturating_add(1);
        match self.runs.back_mut() {
            // The second half: a clock that was set back a little.
            Some(run) if now.0 < run.first.saturating_add(grain) || now.0 <= run.last => {
                run.calls = run.calls.saturating_add(1);
                run.last = run.last.max(now.0);
            }
            _ => self.runs.push_back(Run {
                first: now.0,
                last: now.0,
                calls: 1,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn take(log: &mut Log, window: Window, now: u64) -> Usage {
        let usage = log.look(window, Timestamp(now));
        if usage.allowed {
            log.add(window, Timestamp(now));
        }
        usage
    }

    /// Calls that were allowed in `(now - length, now]`.
    fn seen(allowed: &[u64], length: u64, now: u64) -> u64 {
        allowed.iter().filter(|at| **at + length > now).count() as u64
    }

    proptest! {
        #[test]
        fn never_more_than_the_limit_in_any_window(
            limit in prop_oneof![1u64..8, 60u64..70, 65u64..300],
            length in prop_oneof![1u64..200, 1_000u64..100_000],
            gaps in prop::collection::vec(prop_oneof![0u64..3, 0u64..2_000], 1..800),
        ) {
            let window = Window { limit, length };
            let grain = if limit <= RUNS { 1 } else { length.div_ceil(RUNS) };
            let (mut log, mut allowed, mut now) = (Log::default(), Vec::new(), 1_000_000);
            for gap in gaps {
                now += gap;
                let before = seen(&allowed, length, now);
                let usage = take(&mut log, window, now);
                if usage.allowed {
                    allowed.push(now);
                    prop_assert!(before < limit, "{before} of {limit} and one more");
                    prop_assert!(usage.remaining <= limit - before);
                } else {
                    // Never refused longer than the grain after there was room; not at all for small limits.
                    prop_assert!(seen(&allowed, length + grain - 1, now) >= limit);
                    prop_assert_eq!(usage.remaining, 0);
                    let later = Timestamp(now + usage.reset_after);
                    prop_assert!(log.clone().look(window, later).allowed);
                    prop_assert!(!log.clone().look(window, Timestamp(later.0 - 1)).allowed);
                }
                prop_assert!(log.runs.len() as u64 <= RUNS + 2, "{} runs", log.runs.len());
                prop_assert_eq!(log.used, log.runs.iter().map(|run| run.calls).sum::<u64>());
            }
        }
    }

    #[test]
    fn a_clock_set_back_neither_forgets_nor_locks_out() {
        let window = Window {
            limit: 2,
            length: 1_000,
        };
        let mut log = Log::default();
        assert!(take(&mut log, window, 50_000).allowed);
        assert!(take(&mut log, window, 49_500).allowed);
        assert!(!take(&mut log, window, 49_900).allowed);
        assert!(take(&mut log, window, 1_000).allowed);
    }
}
