//! What a call to a model holds until it is known what it took.

use crate::counters::Reservation;

/// What a reservation is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Tokens, of question and answer.
    Tokens,
    /// Millionths of a US dollar.
    Money,
}

/// An amount that is held for a call to a model until it is known what it took.
#[derive(Debug)]
pub struct Held {
    /// What it is of.
    pub unit: Unit,
    /// Whether it bounds the call: one of a policy in shadow only counts.
    pub binds: bool,
    reservation: Reservation,
}

impl Held {
    /// Holds what was reserved.
    pub(crate) const fn new(unit: Unit, reservation: Reservation) -> Self {
        Self {
            unit,
            binds: true,
            reservation,
        }
    }

    /// Puts what the call took in its place. What nobody knows stays at the most that it could take: a provider that says nothing
    /// makes no call free.
    pub fn settle(self, took: Option<u64>) {
        let amount = self.reservation.amount();
        self.reservation.settle(took.unwrap_or(amount));
    }
}
