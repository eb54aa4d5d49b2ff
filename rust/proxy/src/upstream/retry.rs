//! Asking again, within a budget.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};
use lockgate_config::RetryOn;

/// When a service is asked again.
#[derive(Debug)]
pub struct Retries {
    /// Further tries after the first.
    pub attempts: usize,
    on: Vec<RetryOn>,
    /// What one request adds to the budget, in ten-thousandths of a retry.
    share: i64,
}

/// What became of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retryable {
    /// No connection.
    Connect,
    /// It broke off before it answered.
    Reset,
    /// It did not answer in time.
    Timeout,
    /// It answered with this status.
    Status(StatusCode),
}

impl Retries {
    pub fn new(settings: &lockgate_config::Retries) -> Self {
        let mut on: Vec<RetryOn> = settings.on.iter().copied().collect();
        if on.is_empty() {
            on = vec![RetryOn::ConnectFailure, RetryOn::Reset, RetryOn::Status503];
        }
        Self {
            attempts: settings.attempts.get() as usize,
            on,
            share: (settings.budget.get() * 100.0) as i64,
        }
    }

    /// Whether this is a reason to ask again.
    pub fn wants(&self, after: Retryable) -> bool {
        self.on.iter().any(|on| match (on, after) {
            (RetryOn::ConnectFailure, Retryable::Connect)
            | (RetryOn::Reset, Retryable::Reset)
            | (RetryOn::Timeout, Retryable::Timeout) => true,
            (on, Retryable::Status(status)) => Some(status.as_u16()) == status_of(*on),
            _ => false,
        })
    }
}

const fn status_of(on: RetryOn) -> Option<u16> {
    Some(match on {
        RetryOn::Status429 => 429,
        RetryOn::Status500 => 500,
        RetryOn::Status502 => 502,
        RetryOn::Status503 => 503,
        RetryOn::Status504 => 504,
        RetryOn::ConnectFailure | RetryOn::Reset | RetryOn::Timeout => return None,
    })
}

/// Whether a request may be sent twice (RFC 9110 §9.2.2).
pub fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
    )
}

/// How long to wait before try number `turn` (from 1): a random part of a time that doubles.
pub fn pause(turn: usize, random: u64) -> Duration {
    let most = 25_000u64 << turn.min(5);
    Duration::from_micros(random % most)
}

const ONE: i64 = 10_000;
/// Retries that are always in the budget at the start, and the most it can save up.
const START: i64 = 10;
const MOST: i64 = 100;

/// What is left of a service's retries, less what it starts with, in ten-thousandths.
#[derive(Debug, Default)]
pub struct Budget(AtomicI64);

impl Budget {
    pub fn deposit(&self, retries: &Retries) {
        if self.0.load(Ordering::Relaxed) < (MOST - START) * ONE {
            self.0.fetch_add(retries.share, Ordering::Relaxed);
        }
    }

    pub fn withdraw(&self) -> bool {
        let taken = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                (left + START * ONE >= ONE).then_some(left - ONE)
            });
        taken.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_stay_within_their_share_of_the_traffic() {
        let retries = Retries {
            attempts: 1,
            on: vec![],
            share: 2_000,
        };
        let budget = Budget::default();
        let mut taken = 0;
        for _ in 0..1_000 {
            budget.deposit(&retries);
            taken += usize::from(budget.withdraw());
        }
        assert_eq!(taken, 210, "a fifth of 1,000, and 10 to start with");
    }

    #[test]
    fn a_quiet_time_does_not_save_up_a_storm() {
        let retries = Retries {
            attempts: 1,
            on: vec![],
            share: 2_000,
        };
        let budget = Budget::default();
        for _ in 0..1_000_000 {
            budget.deposit(&retries);
        }
        assert_eq!((0..1_000).filter(|_| budget.withdraw()).count(), 100);
    }
}
