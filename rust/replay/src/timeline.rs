//! Counts over time, in a bounded number of equal parts.

use serde::Serialize;

/// The most parts; with twice as much time, two of them become one.
const MOST: usize = 120;
const SECOND_US: u64 = 1_000_000;

/// What happened in one part of the time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// Requests that were judged.
    pub requests: u64,
    /// Of these, newly refused.
    pub newly_refused: u64,
    /// Of these, newly allowed.
    pub newly_allowed: u64,
    /// Of these, refused for another reason or answered otherwise.
    pub otherwise: u64,
}

/// Counts over time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// When the first part begins, in microseconds since 1970.
    pub start: u64,
    /// How long each part is, in microseconds.
    pub width: u64,
    /// The parts, without gaps.
    pub buckets: Vec<Bucket>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self {
            start: 0,
            width: SECOND_US,
            buckets: Vec::new(),
        }
    }
}

impl Timeline {
    /// The part of a moment. What comes late belongs to the first part.
    pub fn at(&mut self, at: u64) -> &mut Bucket {
        if self.buckets.is_empty() {
            self.start = at - at % SECOND_US;
        }
        let mut place = self.place(at);
        while place >= MOST {
            let pairs = self.buckets.chunks(2).map(|pair| {
                pair.iter().fold(Bucket::default(), |sum, part| Bucket {
                    requests: sum.requests + part.requests,
                    newly_refused: sum.newly_refused + part.newly_refused,
                    newly_allowed: sum.newly_allowed + part.newly_allowed,
                    otherwise: sum.otherwise + part.otherwise,
                })
            });
            self.buckets = pairs.collect();
            self.width = self.width.saturating_mul(2);
            place = self.place(at);
        }
        if self.buckets.len() <= place {
            self.buckets.resize(place + 1, Bucket::default());
        }
        // INVARIANT: the list was just made long enough.
        #[expect(clippy::indexing_slicing, reason = "see the invariant")]
        &mut self.buckets[place]
    }

    fn place(&self, at: u64) -> usize {
        usize::try_from(at.saturating_sub(self.start) / self.width).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_time_makes_wider_parts_and_loses_nothing() {
        let mut timeline = Timeline::default();
        let start = 1_700_000_000 * SECOND_US;
        for second in 0..1_000 {
            timeline.at(start + second * SECOND_US).requests += 1;
        }
        assert!(timeline.buckets.len() <= MOST);
        assert_eq!((timeline.start, timeline.width), (start, 16 * SECOND_US));
        let requests: u64 = timeline.buckets.iter().map(|part| part.requests).sum();
        assert_eq!(requests, 1_000);
        assert_eq!(timeline.buckets.first().map(|part| part.requests), Some(16));
    }

    #[test]
    fn a_time_far_away_ends() {
        let mut timeline = Timeline::default();
        timeline.at(0).requests += 1;
        timeline.at(u64::MAX).requests += 1;
        assert!(timeline.buckets.len() <= MOST);
    }
}
