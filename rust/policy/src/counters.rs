//! Usage by policy and key, held in memory and shared by all cores.
//!
//! Sharded by key; a shard is locked for the few instructions of one update (see `docs/decisions/0003`).

mod notes;
mod quota;
mod sliding;
mod spending;

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::quality::RandomState;
use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::time::Timestamp;

pub use notes::Noted;
use notes::{Sort, View};
pub use quota::{CalendarWindow, SavedQuota, SavedUse, Spent};
pub use sliding::{Log, Run, Window};
pub use spending::{Reservation, Wanted};

const SHARDS: usize = 64;
/// Keys that one shard holds before it looks for those that have ended.
const SHARD_SOFT_LIMIT: usize = 16_384;
/// Keys that one shard holds at most: four million over all.
const SHARD_HARD_LIMIT: usize = 65_536;
/// Microseconds between two looks for keys that have ended.
const SWEEP_EVERY: u64 = 10_000_000;

/// Whose usage: one policy and one caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CounterKey {
    /// The policy: a stable hash of scope and id, so that usage survives a new revision.
    pub policy: u64,
    /// The caller, as a hash of the key.
    pub caller: u64,
    /// The window within the policy.
    pub window: u64,
}

/// What one window says of one more call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Whether the call is within the limit. A call that is not is not counted.
    pub allowed: bool,
    /// Calls left now.
    pub remaining: u64,
    /// Microseconds until another call is possible; when calls are left, until there are more.
    pub reset_after: u64,
}

/// Some of the keys, behind one lock. What callers choose themselves is hashed with SHA-256 before it becomes a key, so a fast hash is
/// enough here.
#[derive(Debug)]
struct Shard<T> {
    entries: HashMap<CounterKey, T, foldhash::fast::RandomState>,
    swept: u64,
}

impl<T> Default for Shard<T> {
    fn default() -> Self {
        Self {
            entries: HashMap::default(),
            swept: 0,
        }
    }
}

type Shards<T> = Vec<Mutex<Shard<T>>>;

/// All usage of a node.
#[derive(Debug)]
pub struct Counters {
    limits: Shards<Log>,
    quotas: Shards<Spent>,
    in_flight: Vec<Mutex<HashMap<CounterKey, u64>>>,
    hasher: RandomState,
    view: View,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            limits: (0..SHARDS).map(|_| Mutex::default()).collect(),
            quotas: (0..SHARDS).map(|_| Mutex::default()).collect(),
            in_flight: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::default(),
            view: View::Own,
        }
    }
}

impl<T> Shard<T> {
    /// The entry of a key; `None` when it is new and there is no room for it.
    fn entry(
        &mut self,
        key: CounterKey,
        now: Timestamp,
        has_ended: impl Fn(&T, u64, Timestamp) -> bool,
        new: impl FnOnce() -> T,
    ) -> Option<&mut T> {
        if self.entries.len() >= SHARD_SOFT_LIMIT && !self.entries.contains_key(&key) {
            if now.0.abs_diff(self.swept) >= SWEEP_EVERY {
                self.swept = now.0;
                self.entries
                    .retain(|key, entry| !has_ended(entry, key.window, now));
            }
            if self.entries.len() >= SHARD_HARD_LIMIT {
                return None;
            }
        }
        Some(self.entries.entry(key).or_insert_with(new))
    }
}

impl Counters {
    /// All windows of one caller lie in one shard, so that they are taken together.
    fn shard<'a, T>(&self, shards: &'a [T], policy: u64, caller: u64) -> Option<&'a T> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "any bits of the hash choose a shard"
        )]
        shards.get(self.hasher.hash_one((policy, caller)) as usize % SHARDS)
    }

    /// Takes one call from every sliding window, or from none when one has no room. In no span of time as long as a window are
    /// there more calls than its limit. A changed limit keeps what was counted. Empty when too many callers are counted at once.
    pub fn take(
        &self,
        policy: u64,
        caller: u64,
        windows: &[Window],
        now: Timestamp,
    ) -> SmallVec<[Usage; 2]> {
        match &self.view {
            View::Own => self.take_here((policy, caller), windows, now, |_, _, _| {}),
            View::Noting(counters, noted) => {
                let note = |key, used, reset| View::note(noted, Sort::Sliding, key, used, reset);
                counters.take_here((policy, caller), windows, now, note)
            }
            View::Aside(noted, beside) => {
                View::take_aside(noted, beside, (policy, caller), windows, now)
            }
        }
    }

    fn take_here(
        &self,
        (policy, caller): (u64, u64),
        windows: &[Window],
        now: Timestamp,
        note: impl Fn(CounterKey, u64, u64),
    ) -> SmallVec<[Usage; 2]> {
        let key = |window: &Window| CounterKey {
            policy,
            caller,
            window: window.length,
        };
        let Some(shard) = self.shard(&self.limits, policy, caller) else {
            return SmallVec::new();
        };
        let mut shard = shard.lock();
        let looks = windows.iter().map(|window| {
            let log = shard.entry(key(window), now, Log::has_ended, Log::default)?;
            let usage = log.look(*window, now);
            note(key(window), log.used(), usage.reset_after);
            Some(usage)
        });
        let Some(mut usage) = looks.collect::<Option<SmallVec<[Usage; 2]>>>() else {
            return SmallVec::new();
        };
        if usage.iter().all(|usage| usage.allowed) {
            for (window, usage) in windows.iter().zip(&mut usage) {
                if let Some(log) = shard.entries.get_mut(&key(window)) {
                    log.add(*window, now);
                    usage.remaining -= 1;
                }
            }
        }
        usage
    }

    /// Holds one of `limit` places until the permit is dropped.
    pub fn hold(self: &Arc<Self>, key: CounterKey, limit: u64) -> Option<Permit> {
        match &self.view {
            View::Own => self.hold_here(key, limit, |_| {}),
            View::Noting(counters, noted) => counters.hold_here(key, limit, |held| {
                View::note(noted, Sort::InFlight, key, held, 0);
            }),
            View::Aside(noted, beside) => View::hold_aside(noted, beside, key, limit)
                .unwrap_or_else(|| beside.hold(key, limit)),
        }
    }

    fn hold_here(
        self: &Arc<Self>,
        key: CounterKey,
        limit: u64,
        note: impl Fn(u64),
    ) -> Option<Permit> {
        let mut shard = self.shard(&self.in_flight, key.policy, key.caller)?.lock();
        let held = shard.entry(key).or_default();
        note(*held);
        if *held >= limit {
            return None;
        }
        *held += 1;
        drop(shard);
        Some(Permit {
            counters: self.clone(),
            key,
        })
    }
}

/// A place that is held; dropping it gives it back.
#[derive(Debug)]
pub struct Permit {
    counters: Arc<Counters>,
    key: CounterKey,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(shard) =
            self.counters
                .shard(&self.counters.in_flight, self.key.policy, self.key.caller)
        else {
            return;
        };
        let mut shard = shard.lock();
        if let Some(held) = shard.get_mut(&self.key) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                shard.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_shard_takes_no_new_key_until_others_have_ended() {
        let mut shard = Shard::default();
        let window = Window {
            limit: 1,
            length: 1_000,
        };
        let key = |caller| CounterKey {
            policy: 1,
            caller,
            window: window.length,
        };
        let start = Timestamp(SWEEP_EVERY);
        for caller in 0..SHARD_HARD_LIMIT as u64 {
            let log = shard.entry(key(caller), start, Log::has_ended, Log::default);
            log.unwrap().add(window, start);
        }
        let mut has_room = |caller, now| {
            let now = Timestamp(now);
            shard
                .entry(key(caller), now, Log::has_ended, Log::default)
                .is_some()
        };
        assert!(has_room(0, start.0 + 999));
        assert!(!has_room(u64::MAX, start.0 + 999));
        assert!(has_room(u64::MAX, start.0 + SWEEP_EVERY));
    }
}
