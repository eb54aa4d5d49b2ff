//! Events in the order in which their requests arrived. A recording has them in the order in which their answers ended.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use lockgate_recording::Event;

/// How long an answer may take for its request to be in order, in microseconds. What took longer, such as a WebSocket, comes late.
const HORIZON_US: u64 = 60_000_000;
/// The most events that are held back.
const MOST: usize = 100_000;

struct Waiting {
    at: u64,
    /// Requests of one microsecond stay as they were written.
    number: u64,
    event: Box<Event>,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// Puts events in order, with bounded memory.
#[derive(Default)]
pub struct InOrder {
    waiting: BinaryHeap<Reverse<Waiting>>,
    number: u64,
    newest: u64,
    given: u64,
    late: u64,
}

impl std::fmt::Debug for InOrder {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("InOrder")
            .field("waiting", &self.waiting.len())
            .field("late", &self.late)
            .finish_non_exhaustive()
    }
}

impl InOrder {
    /// Takes the next event of the recording.
    pub fn push(&mut self, event: Box<Event>) {
        self.newest = self.newest.max(event.at.saturating_add(event.latency_us));
        self.number += 1;
        self.waiting.push(Reverse(Waiting {
            at: event.at,
            number: self.number,
            event,
        }));
    }

    /// The next event in order, when no earlier one can follow; at the `end` of the recording, any that is left.
    pub fn pop(&mut self, end: bool) -> Option<Box<Event>> {
        let first = self.waiting.peek()?;
        let is_due = first.0.at.saturating_add(HORIZON_US) <= self.newest;
        if !end && !is_due && self.waiting.len() <= MOST {
            return None;
        }
        let Reverse(Waiting { at, event, .. }) = self.waiting.pop()?;
        self.late += u64::from(at < self.given);
        self.given = self.given.max(at);
        Some(event)
    }

    /// How many events came after one that arrived later.
    pub const fn late(&self) -> u64 {
        self.late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: u64, latency_us: u64) -> Box<Event> {
        Box::new(Event {
            at,
            latency_us,
            ..Event::default()
        })
    }

    fn all(order: &mut InOrder, end: bool) -> Vec<u64> {
        std::iter::from_fn(|| order.pop(end))
            .map(|event| event.at)
            .collect()
    }

    #[test]
    fn a_slow_answer_is_judged_when_its_request_arrived() {
        let mut order = InOrder::default();
        for (at, latency) in [(20, 5), (10, 100), (30, 1)] {
            order.push(event(at, latency));
        }
        assert!(all(&mut order, false).is_empty());
        assert_eq!(all(&mut order, true), [10, 20, 30]);
        assert_eq!(order.late(), 0);
    }

    #[test]
    fn what_took_longer_than_a_minute_comes_late_and_is_counted() {
        let mut order = InOrder::default();
        order.push(event(1_000, 0));
        order.push(event(1_000 + HORIZON_US, 0));
        assert_eq!(all(&mut order, false), [1_000]);
        order.push(event(500, HORIZON_US + 501));
        assert_eq!(all(&mut order, false), [500]);
        assert_eq!(order.late(), 1);
    }

    #[test]
    fn memory_is_bounded() {
        let mut order = InOrder::default();
        for at in 0..=MOST as u64 {
            order.push(event(at, 0));
        }
        assert_eq!(all(&mut order, false), [0]);
    }
}
