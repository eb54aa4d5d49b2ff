//! Usage by policy and key, held in memory and shared by all cores.
//!
//! Sharded by key; a shard is locked for the few instructions of one update (see `docs/decisions/0003`).

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::env::Timestamp;

const SHARDS: usize = 64;
/// Keys that one shard holds before it forgets those that have ended.
const SHARD_SOFT_LIMIT: usize = 16_384;

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
    /// Microseconds until another call is possible; until the window ends when calls are left.
    pub reset_after: u64,
}

/// A sliding window of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The most calls.
    pub limit: u64,
    /// Its length in microseconds; not zero.
    pub length: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    started: u64,
    current: u64,
    previous: u64,
    ends: u64,
}

/// All usage of a node.
#[derive(Debug)]
pub struct Counters {
    shards: Vec<Mutex<HashMap<CounterKey, Count>>>,
    in_flight: Vec<Mutex<HashMap<CounterKey, u64>>>,
    hasher: RandomState,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            in_flight: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
        }
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

    /// Takes one call from every sliding window, or from none when one has no room: the calls of the running window and the
    /// share of the previous one that still overlaps. A changed limit keeps what was counted.
    pub fn take(
        &self,
        policy: u64,
        caller: u64,
        windows: &[Window],
        now: Timestamp,
    ) -> SmallVec<[Usage; 2]> {
        let key = |window: &Window| CounterKey {
            policy,
            caller,
            window: window.length,
        };
        let Some(shard) = self.shard(&self.shards, policy, caller) else {
            return SmallVec::new();
        };
        let mut shard = shard.lock();
        forget_ended(&mut shard, now);
        let mut usage: SmallVec<[Usage; 2]> = windows
            .iter()
            .map(|window| shard.entry(key(window)).or_default().look(*window, now))
            .collect();
        if usage.iter().all(|usage| usage.allowed) {
            for (window, usage) in windows.iter().zip(&mut usage) {
                if let Some(count) = shard.get_mut(&key(window)) {
                    count.current += 1;
                    usage.remaining -= 1;
                }
            }
        }
        usage
    }

    /// Holds one of `limit` places until the permit is dropped.
    pub fn hold(self: &Arc<Self>, key: CounterKey, limit: u64) -> Option<Permit> {
        let mut shard = self.shard(&self.in_flight, key.policy, key.caller)?.lock();
        let held = shard.entry(key).or_default();
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

impl Count {
    /// Moves to the window that `now` lies in and says whether there is room, without taking it.
    fn look(&mut self, window: Window, now: Timestamp) -> Usage {
        let length = window.length.max(1);
        let start = now.0 - now.0 % length;
        if self.started != start {
            self.previous = if self.started.saturating_add(length) == start {
                self.current
            } else {
                0
            };
            self.current = 0;
            self.started = start;
            self.ends = start.saturating_add(length.saturating_mul(2));
        }
        let elapsed = now.0 - start;
        let carried = u128::from(self.previous) * u128::from(length - elapsed) / u128::from(length);
        let used = self
            .current
            .saturating_add(u64::try_from(carried).unwrap_or(u64::MAX));
        if used >= window.limit {
            return Usage {
                allowed: false,
                remaining: 0,
                reset_after: wait(self, window.limit, length, elapsed),
            };
        }
        Usage {
            allowed: true,
            remaining: window.limit - used,
            reset_after: length - elapsed,
        }
    }
}

/// Microseconds until a sliding window has room again.
fn wait(window: &Count, limit: u64, length: u64, elapsed: u64) -> u64 {
    let in_this = |previous: u64, room: u64| {
        // previous * (length - t) / length < room  ⇔  t > length - room * length / previous
        let free = u128::from(room) * u128::from(length) / u128::from(previous.max(1));
        length
            .saturating_sub(u64::try_from(free).unwrap_or(u64::MAX))
            .saturating_add(1)
    };
    if window.current < limit {
        return in_this(window.previous, limit - window.current)
            .saturating_sub(elapsed)
            .max(1);
    }
    (length - elapsed)
        .saturating_add(in_this(window.current, limit))
        .max(1)
}

fn forget_ended(shard: &mut HashMap<CounterKey, Count>, now: Timestamp) {
    if shard.len() >= SHARD_SOFT_LIMIT && shard.len() == shard.capacity() {
        shard.retain(|_, window| window.ends > now.0);
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
