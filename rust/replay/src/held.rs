//! What requests hold until their answers have ended.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use lockgate_policy::{Permit, Timestamp};

use crate::spending::Due;

/// What is held, by when it ends.
#[derive(Debug, Default)]
pub struct Holding {
    heap: BinaryHeap<Reverse<Held>>,
    number: u64,
}

/// What a request holds.
#[derive(Debug)]
pub enum Held {
    /// A place, which is given back.
    Place(
        Ends,
        #[expect(dead_code, reason = "dropping it gives it back")] Permit,
    ),
    /// An amount, which is settled.
    Amount(Ends, Due),
}

/// When it ends, in microseconds, and which it is of those that end then.
type Ends = (u64, u64);

impl Held {
    const fn ends(&self) -> Ends {
        match self {
            Self::Place(ends, _) | Self::Amount(ends, _) => *ends,
        }
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.ends() == other.ends()
    }
}

impl Eq for Held {}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> Ordering {
        self.ends().cmp(&other.ends())
    }
}

impl Holding {
    /// Holds a place until `ended`.
    pub fn place(&mut self, ended: u64, permit: Permit) {
        let ends = self.ends(ended);
        self.heap.push(Reverse(Held::Place(ends, permit)));
    }

    /// Holds an amount until `ended`.
    pub fn amount(&mut self, ended: u64, due: Due) {
        let ends = self.ends(ended);
        self.heap.push(Reverse(Held::Amount(ends, due)));
    }

    fn ends(&mut self, ended: u64) -> Ends {
        self.number += 1;
        (ended, self.number)
    }

    /// Ends what has ended until now.
    pub fn end(&mut self, now: Timestamp) {
        while let Some(Reverse(first)) = self.heap.peek()
            && first.ends().0 <= now.0
        {
            if let Some(Reverse(Held::Amount(_, due))) = self.heap.pop() {
                due.settle();
            }
        }
    }
}
