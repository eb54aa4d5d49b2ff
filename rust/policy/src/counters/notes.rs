//! What counters said of one request, so that another revision can be asked about the same request without counting it again.

use foldhash::quality::RandomState;
use std::sync::Arc;

use parking_lot::Mutex;
use smallvec::SmallVec;

use super::{CounterKey, Counters, Permit, Usage, Window};
use crate::time::Timestamp;

/// What a key counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// Calls of a limit.
    Sliding,
    /// Calls of a quota that the calendar begins; its `window` is the begin.
    Calendar,
    /// Calls of a quota that rolls.
    Rolling,
    /// Requests in flight.
    InFlight,
    /// An amount; its `window` is the begin.
    Amount,
}

/// How much was used before the request.
#[derive(Debug, Clone, Copy)]
struct Note {
    sort: Sort,
    key: CounterKey,
    used: u64,
    reset_after: u64,
}

/// What was used before one request, of everything that its policies counted.
#[derive(Debug, Clone, Default)]
pub struct Noted(SmallVec<[Note; 2]>);

impl Noted {
    fn find(&self, sort: Sort, key: CounterKey) -> Option<Note> {
        let same = |note: &&Note| note.sort == sort && note.key == key;
        self.0.iter().find(same).copied()
    }
}

/// Where counters count.
#[derive(Debug, Default)]
pub(super) enum View {
    /// In themselves.
    #[default]
    Own,
    /// In others, and note for one request what was there before.
    Noting(Arc<Counters>, Mutex<Noted>),
    /// For one request that was counted already: as noted, else in others.
    Aside(Noted, Arc<Counters>),
}

impl Counters {
    /// Counters for one request that count in `counters` and note what was used before.
    pub fn noting(counters: Arc<Self>) -> Self {
        Self::viewing(View::Noting(counters, Mutex::default()))
    }

    /// What was noted; nothing by counters that do not note.
    pub fn noted(&self) -> Noted {
        match &self.view {
            View::Noting(_, noted) => noted.lock().clone(),
            View::Own | View::Aside(..) => Noted::default(),
        }
    }

    /// Counters for a revision that is asked beside the one that served a request. What that one counted is judged by what was
    /// used before, and counted nowhere; what it did not count is counted in `beside`.
    pub fn aside(noted: Noted, beside: Arc<Self>) -> Self {
        Self::viewing(View::Aside(noted, beside))
    }

    fn viewing(view: View) -> Self {
        Self {
            limits: Vec::new(),
            quotas: Vec::new(),
            in_flight: Vec::new(),
            hasher: RandomState::default(),
            view,
        }
    }
}

impl View {
    pub(super) fn note(noted: &Mutex<Noted>, sort: Sort, key: CounterKey, used: u64, reset: u64) {
        noted.lock().0.push(Note {
            sort,
            key,
            used,
            reset_after: reset,
        });
    }

    /// Takes from sliding windows beside a request: those that were noted, and the others in counters of their own.
    pub(super) fn take_aside(
        noted: &Noted,
        beside: &Counters,
        (policy, caller): (u64, u64),
        windows: &[Window],
        now: Timestamp,
    ) -> SmallVec<[Usage; 2]> {
        let known: SmallVec<[Option<Note>; 2]> = windows
            .iter()
            .map(|window| {
                let key = CounterKey {
                    policy,
                    caller,
                    window: window.length,
                };
                noted.find(Sort::Sliding, key)
            })
            .collect();
        let unknown: SmallVec<[Window; 2]> = windows
            .iter()
            .zip(&known)
            .filter(|(_, known)| known.is_none())
            .map(|(window, _)| *window)
            .collect();
        let mut others = beside
            .take(policy, caller, &unknown, now)
            .into_iter()
            .collect::<SmallVec<[Usage; 2]>>()
            .into_iter();
        windows
            .iter()
            .zip(known)
            .filter_map(|(window, known)| match known {
                Some(note) => Some(usage(note, window.limit)),
                None => others.next(),
            })
            .collect()
    }

    /// Takes one call of a quota that was noted.
    pub(super) fn quota_aside(
        noted: &Noted,
        sort: Sort,
        key: CounterKey,
        limit: u64,
    ) -> Option<Usage> {
        noted.find(sort, key).map(|note| usage(note, limit))
    }

    /// What was used of an amount before, and when there is more, when that was noted.
    pub(super) fn amount_aside(noted: &Noted, key: CounterKey) -> Option<(u64, u64)> {
        let note = noted.find(Sort::Amount, key)?;
        Some((note.used, note.reset_after))
    }

    /// Holds a place that was noted; `None` when it was not noted.
    pub(super) fn hold_aside(
        noted: &Noted,
        beside: &Arc<Counters>,
        key: CounterKey,
        limit: u64,
    ) -> Option<Option<Permit>> {
        let note = noted.find(Sort::InFlight, key)?;
        // Nothing is held, and a permit of nothing gives nothing back.
        Some((note.used < limit).then(|| Permit {
            counters: beside.clone(),
            key,
        }))
    }
}

fn usage(note: Note, limit: u64) -> Usage {
    let allowed = note.used < limit;
    Usage {
        allowed,
        remaining: limit
            .saturating_sub(note.used)
            .saturating_sub(u64::from(allowed)),
        reset_after: note.reset_after,
    }
}

#[cfg(test)]
mod tests {
    use super::super::CalendarWindow;
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const MINUTE: u64 = 60_000_000;

    fn window(limit: u64) -> [Window; 1] {
        [Window {
            limit,
            length: MINUTE,
        }]
    }

    /// Uses `calls` of a limit, then once more with notes; gives the notes.
    fn after(live: &Arc<Counters>, calls: u64, limit: u64) -> Noted {
        for _ in 0..calls {
            live.take(1, 7, &window(limit), NOW);
        }
        let noting = Counters::noting(live.clone());
        noting.take(1, 7, &window(limit), NOW);
        noting.noted()
    }

    #[test]
    fn another_limit_is_judged_by_what_the_live_one_had_used_and_counts_nowhere() {
        let live = Arc::<Counters>::default();
        let noted = after(&live, 5, 10);
        for (limit, allowed) in [(5, false), (6, true), (100, true)] {
            let beside = Counters::aside(noted.clone(), Arc::default());
            let usage = beside.take(1, 7, &window(limit), NOW);
            assert_eq!(
                usage.iter().map(|one| one.allowed).collect::<Vec<_>>(),
                [allowed]
            );
        }
        assert_eq!(live.take(1, 7, &window(10), NOW)[0].remaining, 3);
    }

    #[test]
    fn the_same_limit_says_the_same_whatever_was_counted_meanwhile() {
        let live = Arc::<Counters>::default();
        let noted = after(&live, 9, 10);
        assert!(!live.take(1, 7, &window(10), NOW)[0].allowed);
        let beside = Counters::aside(noted, Arc::default());
        assert!(beside.take(1, 7, &window(10), NOW)[0].allowed);
        let noted = after(&live, 0, 10);
        let later = Timestamp(NOW.0 + 2 * MINUTE);
        let beside = Counters::aside(noted, Arc::default());
        assert!(!beside.take(1, 7, &window(10), later)[0].allowed);
    }

    #[test]
    fn a_limit_that_the_live_revision_lacks_is_counted_beside_it() {
        let (live, own) = (Arc::<Counters>::default(), Arc::<Counters>::default());
        let noted = after(&live, 0, 10);
        let mut allowed = Vec::new();
        for _ in 0..3 {
            let beside = Counters::aside(noted.clone(), own.clone());
            allowed.push(beside.take(2, 7, &window(2), NOW)[0].allowed);
        }
        assert_eq!(allowed, [true, true, false]);
        assert!(live.take(2, 7, &window(1), NOW)[0].allowed);
    }

    #[test]
    fn quotas_and_places_are_judged_alike() {
        let live = Arc::<Counters>::default();
        let day = CalendarWindow {
            start: NOW.0 - MINUTE,
            end: NOW.0 + MINUTE,
        };
        let key = CounterKey {
            policy: 3,
            caller: 7,
            window: 0,
        };
        let rolling = Window {
            limit: 9,
            length: MINUTE,
        };
        live.take_until(1, 7, 9, day, NOW);
        live.take_rolling(2, 7, rolling, NOW);
        let _held = live.hold(key, 9);
        let noting = Arc::new(Counters::noting(live.clone()));
        noting.take_until(1, 7, 9, day, NOW);
        noting.take_rolling(2, 7, rolling, NOW);
        let permit = noting.hold(key, 9);
        for (limit, allowed) in [(1, false), (2, true)] {
            let beside = Arc::new(Counters::aside(noting.noted(), Arc::default()));
            let calendar = beside.take_until(1, 7, limit, day, NOW).unwrap();
            let rolls = beside.take_rolling(2, 7, Window { limit, ..rolling }, NOW);
            assert_eq!(
                (
                    calendar.allowed,
                    rolls.unwrap().allowed,
                    beside.hold(key, limit).is_some()
                ),
                (allowed, allowed, allowed)
            );
        }
        drop(permit);
        // The place that was held through the noting counters is free again, and the first one is not.
        assert!(live.hold(key, 1).is_none() && live.hold(key, 2).is_some());
    }
}
