//! The bound that holds when everything else is wrong.
//!
//! Neither the arms nor the state machine are asked: a [`Ceiling`] is fixed when the canary begins and says how much the candidate
//! may have at a time at most, and a [`Cap`] counts what it really has. A targeting that puts everybody into the canary, or a
//! state machine that jumps to the end, is contained by both.

use serde::{Deserialize, Serialize};

use crate::moment::Moment;
use crate::share::Share;

/// After each window of this length, what was counted weighs half.
const WINDOW_SECONDS: u64 = 10;

/// The most that a candidate may have, by time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ceiling {
    started: Moment,
    /// Seconds after the start, and the cap from then on; in order of time.
    steps: Vec<(u64, Share)>,
}

impl Ceiling {
    pub(crate) const fn new(started: Moment, steps: Vec<(u64, Share)>) -> Self {
        Self { started, steps }
    }

    /// The cap at a time; nothing before the start.
    #[must_use]
    pub fn at(&self, now: Moment) -> Share {
        if now < self.started {
            return Share::NONE;
        }
        let seconds = now.seconds_since(self.started);
        let reached = self.steps.iter().rev().find(|(after, _)| *after <= seconds);
        reached.map_or(Share::NONE, |(_, share)| *share)
    }

    /// When a step of the rollout can begin at the earliest; steps are counted from 0, and live is the one after the last.
    #[must_use]
    pub fn opens(&self, step: usize) -> Option<Moment> {
        let (after, _) = self.steps.get(step)?;
        Some(self.started.plus_seconds(*after))
    }
}

/// Counts the requests of one core and keeps the candidate's part below the ceiling.
///
/// Over recent requests it holds that the candidate had at most its share of all and one more; each window of ten seconds adds at most
/// one half.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cap {
    window: u64,
    all: f64,
    candidate: f64,
}

impl Cap {
    /// Counts a request. Whether the candidate may serve it: it must be wanted, and be below the ceiling.
    pub fn admits(&mut self, now: Moment, ceiling: Share, is_wanted: bool) -> bool {
        let window = now.0 / 1_000_000 / WINDOW_SECONDS;
        if window > self.window {
            #[expect(
                clippy::cast_precision_loss,
                reason = "past some windows it is 0 anyway"
            )]
            let by = (-((window - self.window) as f64)).exp2();
            self.window = window;
            self.all *= by;
            self.candidate *= by;
        }
        self.all += 1.0;
        let room = ceiling.fraction().mul_add(self.all, 1.0) - self.candidate;
        let is_admitted = is_wanted && ceiling > Share::NONE && room >= 1.0;
        if is_admitted {
            self.candidate += 1.0;
        }
        is_admitted
    }
}
