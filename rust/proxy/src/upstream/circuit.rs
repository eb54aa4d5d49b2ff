//! Leaving a failing service alone for a while.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use lockgate_config::Circuit;

/// When a circuit opens.
#[derive(Debug)]
pub struct Settings {
    /// Hundredths of a percent.
    failures: u64,
    window: u64,
    min_requests: u32,
    open_for: u64,
}

impl Settings {
    pub fn new(circuit: &Circuit) -> Option<Self> {
        let micros = |span: lockgate_config::Duration| {
            u64::try_from(span.get().as_micros())
                .unwrap_or(u64::MAX)
                .max(1)
        };
        Some(Self {
            failures: (circuit.failures?.get() * 100.0) as u64,
            window: micros(circuit.window),
            min_requests: circuit.min_requests.get(),
            open_for: micros(circuit.open_for),
        })
    }
}

/// Failures of a service in the window of now. Counts of several cores may miss a few at the turn of a window; the share that
/// opens the circuit is no exact number either.
#[derive(Debug, Default)]
pub struct Breaker {
    window: AtomicU64,
    total: AtomicU32,
    failed: AtomicU32,
    /// 0 when closed.
    open_until: AtomicU64,
    probing: AtomicBool,
}

impl Breaker {
    /// Whether a request may go on; `true` when it is the one that tries whether the service is back.
    ///
    /// # Errors
    /// How long the service is still left alone.
    pub fn admit(&self, now: u64) -> Result<bool, Duration> {
        let until = self.open_until.load(Ordering::Acquire);
        if until == 0 {
            return Ok(false);
        }
        if now >= until && !self.probing.swap(true, Ordering::AcqRel) {
            return Ok(true);
        }
        Err(Duration::from_micros(until.saturating_sub(now)))
    }

    pub fn is_open(&self, now: u64) -> bool {
        self.open_until.load(Ordering::Relaxed) > now
    }

    /// The try ended without a result: the next request tries again.
    pub fn abandon_probe(&self) {
        self.probing.store(false, Ordering::Release);
    }

    pub fn record(&self, settings: &Settings, probe: bool, failed: bool, now: u64) {
        if probe {
            let until = if failed {
                now.saturating_add(settings.open_for)
            } else {
                0
            };
            self.reset(now);
            self.open_until.store(until, Ordering::Release);
            self.probing.store(false, Ordering::Release);
            return;
        }
        if self.open_until.load(Ordering::Relaxed) != 0 {
            // It was sent before the circuit opened; only the one that tries decides now.
            return;
        }
        if now.saturating_sub(self.window.load(Ordering::Relaxed)) >= settings.window {
            self.reset(now);
        }
        let total = self.total.fetch_add(1, Ordering::Relaxed) + 1;
        let failures =
            self.failed.fetch_add(u32::from(failed), Ordering::Relaxed) + u32::from(failed);
        if total >= settings.min_requests
            && u64::from(failures) * 10_000 >= u64::from(total) * settings.failures
            && failures > 0
        {
            self.open_until
                .store(now.saturating_add(settings.open_for), Ordering::Release);
        }
    }

    fn reset(&self, now: u64) {
        self.window.store(now, Ordering::Relaxed);
        self.total.store(0, Ordering::Relaxed);
        self.failed.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings = Settings {
        failures: 5_000,
        window: 1_000,
        min_requests: 4,
        open_for: 500,
    };

    fn opened() -> Breaker {
        let breaker = Breaker::default();
        for failed in [true, false, true] {
            breaker.record(&SETTINGS, false, failed, 10_000);
            assert_eq!(breaker.admit(10_000), Ok(false));
        }
        breaker.record(&SETTINGS, false, true, 10_000);
        breaker
    }

    #[test]
    fn a_circuit_opens_when_the_share_of_failures_is_reached_among_enough_requests() {
        assert_eq!(opened().admit(10_100), Err(Duration::from_micros(400)));
    }

    #[test]
    fn failures_of_an_earlier_window_do_not_count() {
        let breaker = Breaker::default();
        for at in [10_000, 10_000, 10_000, 11_000, 11_000, 11_000] {
            breaker.record(&SETTINGS, false, true, at);
        }
        assert_eq!(breaker.admit(11_000), Ok(false));
    }

    #[test]
    fn one_request_tries_and_decides() {
        let breaker = opened();
        assert_eq!(breaker.admit(10_500), Ok(true));
        assert!(breaker.admit(10_500).is_err(), "a second one must wait");
        breaker.record(&SETTINGS, true, true, 10_600);
        assert_eq!(breaker.admit(10_700), Err(Duration::from_micros(400)));
        assert_eq!(breaker.admit(11_100), Ok(true));
        breaker.record(&SETTINGS, true, false, 11_200);
        assert_eq!(breaker.admit(11_200), Ok(false));
    }

    #[test]
    fn a_try_without_a_result_leaves_its_place_to_the_next() {
        let breaker = opened();
        assert_eq!(breaker.admit(10_500), Ok(true));
        breaker.abandon_probe();
        assert_eq!(breaker.admit(10_501), Ok(true));
    }

    #[test]
    fn an_answer_to_an_earlier_request_does_not_close_an_open_circuit() {
        let breaker = opened();
        breaker.record(&SETTINGS, false, false, 10_100);
        assert!(breaker.admit(10_100).is_err());
    }
}
