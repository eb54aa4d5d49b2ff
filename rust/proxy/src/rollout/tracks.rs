//! What the requests of each core report, until the rollout takes it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use lockgate_rollout::{
    Arm, BadEvent, Caller, Cap, EventId, Exposure, HardStop, Metric, Moment, Share,
};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Bad events that a core keeps between two looks: one for each caller and metric, and these.
const MOST_BAD: usize = 4_096;
/// Callers that a core tells apart between two looks.
const MOST_CALLERS: usize = 16_384;
/// Hard stops that are kept; the first one is enough.
const MOST_STOPS: usize = 8;
/// Steps within a power of two.
const STEPS: usize = 8;

/// Latencies in steps of an eighth of a power of two.
#[derive(Debug, Clone)]
pub struct Latencies(Vec<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self(vec![0; 64 * STEPS])
    }
}

impl Latencies {
    fn add(&mut self, micros: u64) {
        let micros = micros.max(STEPS as u64);
        let bits = micros.ilog2() as usize;
        let step = (micros >> bits.saturating_sub(3)) as usize % STEPS;
        if let Some(count) = self.0.get_mut(bits * STEPS + step) {
            *count += 1;
        }
    }

    fn absorb(&mut self, other: &Self) {
        for (all, count) in self.0.iter_mut().zip(&other.0) {
            *all += count;
        }
    }

    /// What this share of requests did not exceed, in microseconds; nothing with fewer than 100 requests.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let total: u64 = self.0.iter().sum();
        if total < 100 {
            return None;
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count of requests"
        )]
        let wanted = (total as f64 * share).ceil() as u64;
        let mut below = 0;
        let at = self.0.iter().position(|count| {
            below += count;
            below >= wanted
        })?;
        let (bits, step) = (at / STEPS, at % STEPS);
        // The end of the step.
        Some((1_u64 << bits) + ((step as u64 + 1) << bits.saturating_sub(3)))
    }
}

/// The requests of one arm.
#[derive(Debug, Default, Clone)]
pub struct Traffic {
    /// Requests.
    pub requests: u64,
    /// Their latencies.
    pub latencies: Latencies,
    callers: HashMap<Caller, u64>,
}

impl Traffic {
    /// Adds what was reported of the same arm.
    pub fn absorb(&mut self, other: &Self) {
        self.requests += other.requests;
        self.latencies.absorb(&other.latencies);
        for (caller, requests) in &other.callers {
            self.note(*caller, *requests);
        }
    }

    fn note(&mut self, caller: Caller, requests: u64) {
        let room = self.callers.len() < MOST_CALLERS;
        match self.callers.get_mut(&caller) {
            Some(sum) => *sum += requests,
            None if room => drop(self.callers.insert(caller, requests)),
            None => {}
        }
    }

    /// What each caller sent.
    pub fn sent(&self) -> impl Iterator<Item = (Caller, u64)> {
        self.callers.iter().map(|(caller, sent)| (*caller, *sent))
    }

    /// As the guard takes it.
    pub fn exposure(&self) -> Exposure {
        #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
        let (requests, callers) = (self.requests as f64, self.callers.len() as f64);
        Exposure { requests, callers }
    }
}

/// What was reported since the last look.
#[derive(Debug, Default)]
pub struct Report {
    /// Bad events.
    pub bad: Vec<BadEvent>,
    /// The canary's traffic.
    pub canary: Traffic,
    /// The control arm's.
    pub control: Traffic,
    seen: HashSet<(Arm, Metric, Caller)>,
}

impl Report {
    fn absorb(&mut self, other: Self) {
        self.bad.extend(other.bad);
        self.canary.absorb(&other.canary);
        self.control.absorb(&other.control);
    }
}

#[derive(Debug, Default)]
struct Track {
    cap: Cap,
    report: Report,
}

/// The reports of all cores.
#[derive(Debug)]
pub struct Tracks {
    cores: Vec<Mutex<Track>>,
    tripped: AtomicBool,
    stops: Mutex<Vec<(HardStop, EventId)>>,
    /// Something must be acted on at once.
    pub wake: Notify,
}

impl Tracks {
    /// For so many cores.
    pub fn new(cores: usize) -> Self {
        Self {
            cores: (0..cores).map(|_| Mutex::default()).collect(),
            tripped: AtomicBool::new(false),
            stops: Mutex::default(),
            wake: Notify::new(),
        }
    }

    /// Whether there was a hard stop.
    pub fn is_tripped(&self) -> bool {
        self.tripped.load(Ordering::Relaxed)
    }

    /// Whether the cap of a core has room for one more request of the candidate.
    pub fn admits(&self, core: usize, now: Moment, ceiling: Share, is_wanted: bool) -> bool {
        let track = self.cores.get(core);
        track.is_some_and(|track| track.lock().cap.admits(now, ceiling, is_wanted))
    }

    /// Stops the candidate: no request is given to it from now on.
    pub fn hard_stop(&self, what: HardStop, id: EventId) {
        self.tripped.store(true, Ordering::Relaxed);
        let mut stops = self.stops.lock();
        if stops.len() < MOST_STOPS {
            stops.push((what, id));
        }
        drop(stops);
        self.wake.notify_one();
    }

    /// Takes a request that was answered after so long.
    pub fn add(&self, core: usize, (arm, caller): (Arm, Caller), micros: u64) {
        let Some(track) = self.cores.get(core) else {
            return;
        };
        let report = &mut track.lock().report;
        let traffic = match arm {
            Arm::Canary => &mut report.canary,
            Arm::Control => &mut report.control,
        };
        traffic.requests += 1;
        traffic.latencies.add(micros);
        traffic.note(caller, 1);
    }

    /// Takes what was bad about a request, which may come to light long after it was answered.
    pub fn bad(&self, core: usize, bad: BadEvent) {
        let Some(track) = self.cores.get(core) else {
            return;
        };
        let report = &mut track.lock().report;
        // The guard counts a caller once in a window: those are kept first, so that a burst drowns nobody.
        let is_first = report.seen.len() < MOST_CALLERS
            && report.seen.insert((bad.arm, bad.metric, bad.caller));
        // Each may be the one that is enough; a burst is looked at once.
        if is_first && bad.arm == Arm::Canary {
            self.wake.notify_one();
        }
        if is_first || report.bad.len() < MOST_BAD {
            report.bad.push(bad);
        }
    }

    /// Takes all reports.
    pub fn take(&self) -> (Report, Vec<(HardStop, EventId)>) {
        let mut all = Report::default();
        for core in &self.cores {
            let report = std::mem::take(&mut core.lock().report);
            all.absorb(report);
        }
        (all, std::mem::take(&mut *self.stops.lock()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_at_most_an_eighth_too_high_and_never_too_low() {
        for micros in [1_u64, 7, 8, 9, 100, 1_023, 1_024, 5_000, 1_000_000] {
            let mut latencies = Latencies::default();
            (0..100).for_each(|_| latencies.add(micros));
            let found = latencies.quantile(0.99).unwrap_or_default();
            assert!(found >= micros, "{found} for {micros}");
            assert!(
                found <= (micros.max(8) * 9).div_ceil(8) + 1,
                "{found} for {micros}"
            );
        }
        assert_eq!(Latencies::default().quantile(0.99), None);
    }

    #[test]
    fn a_burst_of_one_caller_leaves_room_for_the_bad_events_of_others() {
        let tracks = Tracks::new(1);
        let bad = |caller: &str| BadEvent {
            at: Moment(1),
            id: "e".into(),
            caller: Caller::named(caller),
            arm: Arm::Canary,
            metric: Metric::ServerError,
        };
        let add = |name: &str| {
            let event = bad(name);
            tracks.add(0, (Arm::Canary, event.caller), 1);
            tracks.bad(0, event);
        };
        (0..2 * MOST_BAD).for_each(|_| add("loud"));
        add("quiet");
        let (report, stops) = tracks.take();
        assert_eq!(
            (report.bad.len(), report.canary.requests),
            (MOST_BAD + 1, 8_193)
        );
        assert_eq!(
            report.bad.last().map(|event| event.caller),
            Some(Caller::named("quiet"))
        );
        assert!(stops.is_empty() && tracks.take().0.bad.is_empty());
    }
}
