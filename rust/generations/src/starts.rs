//! When starts say that what is served brings the node down.

use jiff::Timestamp;

/// The start at which the node goes back by itself, when those before it ended before the generation was proven.
pub const MAX_STARTS: usize = 3;
/// Within how many seconds they are counted.
pub const START_WINDOW_SECONDS: i64 = 300;

/// The starts that still count, oldest first, with the one of now.
pub fn counted(starts: &[Timestamp], now: Timestamp) -> Vec<Timestamp> {
    // A clock that was set back must not keep starts for ever.
    let recent = |start: &&Timestamp| {
        let age = now.as_second() - start.as_second();
        (0..START_WINDOW_SECONDS).contains(&age)
    };
    let mut counted: Vec<Timestamp> = starts.iter().filter(recent).copied().collect();
    counted.push(now);
    counted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn starts_count_within_the_window_and_no_longer() {
        assert_eq!(counted(&[at(0), at(100)], at(299)).len(), 3);
        assert_eq!(counted(&[at(0), at(100)], at(300)), [at(100), at(300)]);
    }

    #[test]
    fn starts_from_the_future_are_forgotten() {
        assert_eq!(counted(&[at(900)], at(10)), [at(10)]);
    }
}
