//! The clocks of a node: the time of day, and the time since it started.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lockgate_policy::Timestamp;

/// What a node takes for the time of day: the system's, or one that a test sets. Deadlines are not measured with it.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<AtomicU64>>);

impl Clock {
    /// The clock of the system.
    pub const fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still until it is set; clones show the same time.
    pub fn by_hand(at: Timestamp) -> Self {
        Self(Some(Arc::new(AtomicU64::new(at.0))))
    }

    /// Sets a clock that was made by hand; the system's stays as it is.
    pub fn set(&self, at: Timestamp) {
        if let Some(time) = &self.0 {
            time.store(at.0, Ordering::SeqCst);
        }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Some(time) => Timestamp(time.load(Ordering::SeqCst)),
            None => {
                let since = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                Timestamp(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
            }
        }
    }

    /// The time in the standard library's form.
    pub fn system_time(&self) -> SystemTime {
        match &self.0 {
            Some(time) => UNIX_EPOCH + Duration::from_micros(time.load(Ordering::SeqCst)),
            None => SystemTime::now(),
        }
    }
}

/// Microseconds since the start of the process, never 0.
pub fn since_start() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let since = START.get_or_init(Instant::now).elapsed();
    u64::try_from(since.as_micros())
        .unwrap_or(u64::MAX)
        .saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_by_hand_shows_the_same_time_in_all_clones_until_it_is_set() {
        let clock = Clock::by_hand(Timestamp::from_seconds(7));
        let other = clock.clone();
        clock.set(Timestamp::from_seconds(9));
        assert_eq!(other.now(), Timestamp::from_seconds(9));
        assert_eq!(other.system_time(), UNIX_EPOCH + Duration::from_secs(9));
    }

    #[test]
    fn the_clock_of_the_system_cannot_be_set() {
        let clock = Clock::system();
        clock.set(Timestamp(1));
        assert!(clock.now() > Timestamp::from_seconds(1));
    }
}
