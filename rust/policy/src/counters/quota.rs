use serde::{Deserialize, Serialize};

use super::sliding::{Log, Run, Window};
use super::{CounterKey, Counters, Sort, Usage, View};
use crate::time::Timestamp;

/// What one caller has used of a quota.
#[derive(Debug, Clone)]
pub enum Spent {
    /// In a window of the calendar.
    Calendar {
        /// Its start, in microseconds since 1970.
        start: u64,
        /// Its end, in microseconds since 1970.
        end: u64,
        /// Calls.
        used: u64,
    },
    /// In a rolling window.
    Rolling(Log),
}

/// A window of the calendar, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalendarWindow {
    /// Its first moment.
    pub start: u64,
    /// The first moment after it.
    pub end: u64,
}

/// What one caller has used of a quota, as a node writes it down before it stops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedQuota {
    /// The policy: a stable hash of scope and id.
    pub policy: u64,
    /// The caller, as a hash of the key.
    pub caller: u64,
    /// The use.
    pub used: SavedUse,
}

/// The use of a quota in its two forms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub enum SavedUse {
    /// In a window of the calendar.
    Calendar {
        /// Its start, in microseconds since 1970.
        start: u64,
        /// Its end, in microseconds since 1970.
        end: u64,
        /// Calls.
        calls: u64,
    },
    /// In a rolling window.
    Rolling {
        /// Its length, in microseconds.
        length: u64,
        /// Calls, oldest first.
        runs: Vec<Run>,
    },
}

impl Spent {
    pub(super) fn has_ended(&self, length: u64, now: Timestamp) -> bool {
        match self {
            Self::Calendar { end, .. } => *end <= now.0,
            Self::Rolling(log) => log.has_ended(length, now),
        }
    }
}

/// The `window` of keys whose windows the calendar gives. A rolling window is never without length.
pub(super) const CALENDAR: u64 = 0;

impl Counters {
    /// Takes one call of a calendar window's `limit`. A changed limit keeps what was counted. `None` when too many callers are
    /// counted at once.
    pub fn take_until(
        &self,
        policy: u64,
        caller: u64,
        limit: u64,
        span: CalendarWindow,
        now: Timestamp,
    ) -> Option<Usage> {
        // Notes tell windows apart by their begin: a quota by the month has not used what one by the day has.
        let noted_key = CounterKey {
            policy,
            caller,
            window: span.start,
        };
        match &self.view {
            View::Own => self.take_until_here((policy, caller), limit, span, now, |_, _| {}),
            View::Noting(counters, noted) => {
                let note = |used, reset| View::note(noted, Sort::Calendar, noted_key, used, reset);
                counters.take_until_here((policy, caller), limit, span, now, note)
            }
            View::Aside(noted, beside) => {
                View::quota_aside(noted, Sort::Calendar, noted_key, limit)
                    .or_else(|| beside.take_until(policy, caller, limit, span, now))
            }
        }
    }

    fn take_until_here(
        &self,
        (policy, caller): (u64, u64),
        limit: u64,
        span: CalendarWindow,
        now: Timestamp,
        note: impl Fn(u64, u64),
    ) -> Option<Usage> {
        let key = CounterKey {
            policy,
            caller,
            window: CALENDAR,
        };
        let mut shard = self.shard(&self.quotas, policy, caller)?.lock();
        let fresh = Spent::Calendar {
            start: span.start,
            end: span.end,
            used: 0,
        };
        let spent = shard.entry(key, now, Spent::has_ended, || fresh.clone())?;
        if !matches!(spent, Spent::Calendar { start, .. } if *start == span.start) {
            *spent = fresh;
        }
        let Spent::Calendar { used, end, .. } = spent else {
            return None;
        };
        *end = span.end;
        note(*used, span.end.saturating_sub(now.0).max(1));
        let allowed = *used < limit;
        *used += u64::from(allowed);
        Some(Usage {
            allowed,
            remaining: limit.saturating_sub(*used),
            reset_after: span.end.saturating_sub(now.0).max(1),
        })
    }

    /// Takes one call of a rolling window. `None` when too many callers are counted at once.
    pub fn take_rolling(
        &self,
        policy: u64,
        caller: u64,
        window: Window,
        now: Timestamp,
    ) -> Option<Usage> {
        let key = CounterKey {
            policy,
            caller,
            window: window.length,
        };
        match &self.view {
            View::Own => self.take_rolling_here(key, window, now, |_, _| {}),
            View::Noting(counters, noted) => {
                let note = |used, reset| View::note(noted, Sort::Rolling, key, used, reset);
                counters.take_rolling_here(key, window, now, note)
            }
            View::Aside(noted, beside) => {
                View::quota_aside(noted, Sort::Rolling, key, window.limit)
                    .or_else(|| beside.take_rolling(policy, caller, window, now))
            }
        }
    }

    fn take_rolling_here(
        &self,
        key: CounterKey,
        window: Window,
        now: Timestamp,
        note: impl Fn(u64, u64),
    ) -> Option<Usage> {
        let mut shard = self.shard(&self.quotas, key.policy, key.caller)?.lock();
        let spent = shard.entry(
            key,
            now,
            Spent::has_ended,
            || Spent::Rolling(Log::default()),
        )?;
        let Spent::Rolling(log) = spent else {
            return None;
        };
        let mut usage = log.look(window, now);
        note(log.used(), usage.reset_after);
        if usage.allowed {
            log.add(window, now);
            usage.remaining -= 1;
        }
        Some(usage)
    }

    /// All use of quotas, for a node to write down. Locks one shard after the other.
    pub fn snapshot_quotas(&self) -> Vec<SavedQuota> {
        let mut saved = Vec::new();
        for shard in &self.quotas {
            let shard = shard.lock();
            saved.extend(shard.entries.iter().map(|(key, spent)| SavedQuota {
                policy: key.policy,
                caller: key.caller,
                used: match spent {
                    Spent::Calendar { start, end, used } => SavedUse::Calendar {
                        start: *start,
                        end: *end,
                        calls: *used,
                    },
                    Spent::Rolling(log) => SavedUse::Rolling {
                        length: key.window,
                        runs: log.runs().collect(),
                    },
                },
            }));
        }
        saved
    }

    /// Takes over use that was written down. What has ended or makes no sense is left out, and so is what has been counted here
    /// since: call it before the first request.
    pub fn restore_quotas(&self, saved: impl IntoIterator<Item = SavedQuota>, now: Timestamp) {
        for SavedQuota {
            policy,
            caller,
            used,
        } in saved
        {
            let (window, spent) = match used {
                SavedUse::Calendar { start, end, calls } => (
                    CALENDAR,
                    Spent::Calendar {
                        start,
                        end,
                        used: calls,
                    },
                ),
                SavedUse::Rolling { length, .. } if length == CALENDAR => continue,
                SavedUse::Rolling { length, runs } => (length, Spent::Rolling(Log::restore(runs))),
            };
            let Some(shard) = self.shard(&self.quotas, policy, caller) else {
                continue;
            };
            if !spent.has_ended(window, now) {
                let key = CounterKey {
                    policy,
                    caller,
                    window,
                };
                shard.lock().entry(key, now, Spent::has_ended, || spent);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const DAY: u64 = 86_400_000_000;
    const TODAY: CalendarWindow = CalendarWindow {
        start: NOW.0 - DAY / 2,
        end: NOW.0 + DAY / 2,
    };

    fn used(counters: &Counters, now: Timestamp) -> (u64, u64) {
        let calendar = counters.take_until(1, 7, 10, TODAY, now).unwrap();
        let rolling = Window {
            limit: 10,
            length: DAY,
        };
        let rolling = counters.take_rolling(2, 7, rolling, now).unwrap();
        (9 - calendar.remaining, 9 - rolling.remaining)
    }

    #[test]
    fn use_survives_a_restart() {
        let before = Counters::default();
        for n in 0..3 {
            assert_eq!(used(&before, Timestamp(NOW.0 + n)), (n, n));
        }
        let text = serde_json::to_string(&before.snapshot_quotas()).unwrap();
        let after = Counters::default();
        let saved: Vec<SavedQuota> = serde_json::from_str(&text).unwrap();
        after.restore_quotas(saved, NOW);
        assert_eq!(used(&after, Timestamp(NOW.0 + 9)), (3, 3));
    }

    #[test]
    fn what_has_ended_or_makes_no_sense_is_not_restored() {
        let counters = Counters::default();
        let saved = |used| SavedQuota {
            policy: 1,
            caller: 7,
            used,
        };
        let run = |first, last, calls| Run { first, last, calls };
        counters.restore_quotas(
            [
                saved(SavedUse::Calendar {
                    start: 0,
                    end: NOW.0,
                    calls: 9,
                }),
                saved(SavedUse::Rolling {
                    length: 0,
                    runs: vec![run(NOW.0, NOW.0, 1)],
                }),
                saved(SavedUse::Rolling {
                    length: DAY,
                    runs: vec![run(NOW.0 - DAY, NOW.0 - DAY, 5)],
                }),
            ],
            NOW,
        );
        assert_eq!(counters.snapshot_quotas(), []);
        let odd = [
            run(NOW.0, NOW.0, 1),
            run(NOW.0 - 5, NOW.0, 1),
            run(NOW.0 + 2, NOW.0 + 1, 1),
            run(NOW.0 + 3, NOW.0 + 3, 0),
        ];
        counters.restore_quotas(
            [saved(SavedUse::Rolling {
                length: DAY,
                runs: odd.to_vec(),
            })],
            NOW,
        );
        let kept = SavedUse::Rolling {
            length: DAY,
            runs: odd[..1].to_vec(),
        };
        assert_eq!(counters.snapshot_quotas(), [saved(kept)]);
    }

    #[test]
    fn a_new_window_of_the_calendar_starts_from_nothing() {
        let counters = Counters::default();
        for left in [1, 0] {
            let usage = counters.take_until(1, 7, 2, TODAY, NOW).unwrap();
            assert_eq!((usage.allowed, usage.remaining), (true, left));
        }
        let refused = counters.take_until(1, 7, 2, TODAY, NOW).unwrap();
        assert_eq!((refused.allowed, refused.reset_after), (false, DAY / 2));
        // A raised limit keeps what was counted.
        assert_eq!(
            counters.take_until(1, 7, 4, TODAY, NOW).unwrap().remaining,
            1
        );
        let tomorrow = CalendarWindow {
            start: TODAY.end,
            end: TODAY.end + DAY,
        };
        let usage = counters.take_until(1, 7, 2, tomorrow, Timestamp(TODAY.end));
        assert_eq!(usage.unwrap().remaining, 1);
    }
}
