//! Amounts that are reserved before they are known, and settled when they are: tokens and money of calls to models.
//!
//! A request reserves the most that it can take. What is reserved counts as used, so however many requests run at a time, together
//! they take no more than the limit.

use std::sync::Arc;

use super::notes::{Sort, View};
use super::quota::{CALENDAR, CalendarWindow, Spent};
use super::{CounterKey, Counters, Usage};
use crate::time::Timestamp;

/// An amount that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The most of the amount in a window.
    pub limit: u64,
    /// The window.
    pub span: CalendarWindow,
    /// How much.
    pub amount: u64,
}

/// An amount that is held for a request until it is known what it took. Dropped before, it is given back as a whole.
#[derive(Debug)]
pub struct Reservation {
    /// Where it was taken; `None` for one that was only noted.
    from: Option<(Arc<Counters>, CounterKey, u64)>,
    amount: u64,
}

impl Reservation {
    /// How much is held.
    pub const fn amount(&self) -> u64 {
        self.amount
    }

    /// Puts what was used in the place of what was held. It may be more: then the next request finds less.
    pub fn settle(mut self, used: u64) {
        self.replace(used);
    }

    fn replace(&mut self, used: u64) {
        let Some((counters, key, start)) = self.from.take() else {
            return;
        };
        let Some(shard) = counters.shard(&counters.quotas, key.policy, key.caller) else {
            return;
        };
        // A window that has ended took what was held with it.
        if let Some(Spent::Calendar {
            start: begun,
            used: total,
            ..
        }) = shard.lock().entries.get_mut(&key)
            && *begun == start
        {
            *total = total.saturating_sub(self.amount).saturating_add(used);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.replace(0);
    }
}

impl Counters {
    /// Reserves an amount of a window's limit, when so much is left. A changed limit keeps what was counted. `None` when too many
    /// callers are counted at once.
    pub fn reserve(
        self: &Arc<Self>,
        policy: u64,
        caller: u64,
        wanted: Wanted,
        now: Timestamp,
    ) -> Option<(Usage, Option<Reservation>)> {
        let noted_key = CounterKey {
            policy,
            caller,
            window: wanted.span.start,
        };
        match &self.view {
            View::Own => self.reserve_here((policy, caller), wanted, now, |_, _| {}),
            View::Noting(counters, noted) => {
                let note = |used, reset| View::note(noted, Sort::Amount, noted_key, used, reset);
                counters.reserve_here((policy, caller), wanted, now, note)
            }
            View::Aside(noted, beside) => {
                if let Some((used, reset)) = View::amount_aside(noted, noted_key) {
                    let usage = wanted.usage(used, reset);
                    let reservation = usage.allowed.then_some(Reservation {
                        from: None,
                        amount: wanted.amount,
                    });
                    return Some((usage, reservation));
                }
                let (usage, reservation) = beside.reserve(policy, caller, wanted, now)?;
                // Nobody will say what a request took that was asked about aside: the most it can take stays counted.
                let reservation = reservation.map(|mut held| {
                    held.from = None;
                    held
                });
                Some((usage, reservation))
            }
        }
    }

    fn reserve_here(
        self: &Arc<Self>,
        (policy, caller): (u64, u64),
        wanted: Wanted,
        now: Timestamp,
        note: impl Fn(u64, u64),
    ) -> Option<(Usage, Option<Reservation>)> {
        let key = CounterKey {
            policy,
            caller,
            window: CALENDAR,
        };
        let CalendarWindow { start, end } = wanted.span;
        let mut shard = self.shard(&self.quotas, policy, caller)?.lock();
        let fresh = Spent::Calendar {
            start,
            end,
            used: 0,
        };
        let spent = shard.entry(key, now, Spent::has_ended, || fresh.clone())?;
        if !matches!(spent, Spent::Calendar { start: begun, .. } if *begun == start) {
            *spent = fresh;
        }
        let Spent::Calendar {
            used, end: ends, ..
        } = spent
        else {
            return None;
        };
        *ends = end;
        let reset = end.saturating_sub(now.0).max(1);
        note(*used, reset);
        let usage = wanted.usage(*used, reset);
        if !usage.allowed {
            return Some((usage, None));
        }
        *used = used.saturating_add(wanted.amount);
        drop(shard);
        let from = Some((self.clone(), key, start));
        let amount = wanted.amount;
        Some((usage, Some(Reservation { from, amount })))
    }
}

impl Wanted {
    const fn usage(&self, used: u64, reset_after: u64) -> Usage {
        let after = used.saturating_add(self.amount);
        let allowed = after <= self.limit;
        let taken = if allowed { after } else { used };
        Usage {
            allowed,
            remaining: self.limit.saturating_sub(taken),
            reset_after,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const MINUTE: u64 = 60_000_000;
    const SPAN: CalendarWindow = CalendarWindow {
        start: NOW.0 - MINUTE,
        end: NOW.0 + MINUTE,
    };

    const fn wanted(limit: u64, amount: u64) -> Wanted {
        Wanted {
            limit,
            span: SPAN,
            amount,
        }
    }

    fn left(counters: &Arc<Counters>) -> u64 {
        counters
            .reserve(1, 7, wanted(100, 0), NOW)
            .unwrap()
            .0
            .remaining
    }

    #[test]
    fn what_is_held_counts_until_it_is_settled_or_given_back() {
        let counters = Arc::<Counters>::default();
        let (usage, held) = counters.reserve(1, 7, wanted(100, 60), NOW).unwrap();
        assert_eq!((usage.allowed, usage.remaining), (true, 40));
        let (usage, none) = counters.reserve(1, 7, wanted(100, 41), NOW).unwrap();
        assert!(!usage.allowed && none.is_none());
        held.unwrap().settle(25);
        assert_eq!(left(&counters), 75);
        let (_, held) = counters.reserve(1, 7, wanted(100, 75), NOW).unwrap();
        assert_eq!(left(&counters), 0);
        drop(held);
        assert_eq!(left(&counters), 75);
        // More than was held: the truth counts.
        let (_, held) = counters.reserve(1, 7, wanted(100, 5), NOW).unwrap();
        held.unwrap().settle(90);
        assert_eq!(left(&counters), 0);
    }

    #[test]
    fn what_is_settled_after_its_window_is_no_use_of_the_next() {
        let counters = Arc::<Counters>::default();
        let (_, held) = counters.reserve(1, 7, wanted(100, 60), NOW).unwrap();
        let next = CalendarWindow {
            start: SPAN.end,
            end: SPAN.end + MINUTE,
        };
        let later = Wanted {
            span: next,
            ..wanted(100, 10)
        };
        let (usage, _kept) = counters.reserve(1, 7, later, Timestamp(SPAN.end)).unwrap();
        assert_eq!(usage.remaining, 90);
        held.unwrap().settle(60);
        let probe = Wanted { amount: 0, ..later };
        let (usage, _) = counters.reserve(1, 7, probe, Timestamp(SPAN.end)).unwrap();
        assert_eq!(usage.remaining, 90);
    }

    #[test]
    fn ten_thousand_at_once_take_no_more_than_there_is() {
        let counters = Arc::<Counters>::default();
        let taken: u64 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let mut taken = 0;
                        for call in 0..1_250u64 {
                            let most = 50 + call % 50;
                            let got = counters.reserve(1, 7, wanted(100_000, most), NOW);
                            if let Some((_, Some(held))) = got {
                                let used = most - call % 7;
                                held.settle(used);
                                taken += used;
                            }
                        }
                        taken
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert!(taken <= 100_000, "{taken}");
        assert!(taken > 99_000, "{taken}");
        assert_eq!(
            counters
                .reserve(1, 7, wanted(100_000, 0), NOW)
                .unwrap()
                .0
                .remaining,
            100_000 - taken
        );
    }

    #[test]
    fn another_revision_judges_by_what_was_there_before_and_takes_nothing() {
        let live = Arc::<Counters>::default();
        live.reserve(1, 7, wanted(100, 50), NOW)
            .unwrap()
            .1
            .unwrap()
            .settle(50);
        let noting = Arc::new(Counters::noting(live.clone()));
        let held = noting.reserve(1, 7, wanted(100, 30), NOW).unwrap().1;
        for (limit, allowed) in [(79, false), (80, true)] {
            let aside = Arc::new(Counters::aside(noting.noted(), Arc::default()));
            let (usage, reservation) = aside.reserve(1, 7, wanted(limit, 30), NOW).unwrap();
            assert_eq!((usage.allowed, reservation.is_some()), (allowed, allowed));
        }
        assert_eq!(left(&live), 20);
        drop(held);
        assert_eq!(left(&live), 50);
    }
}
