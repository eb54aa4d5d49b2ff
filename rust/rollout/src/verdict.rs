//! What the guard says, with the numbers that a page shows.

use serde::{Deserialize, Serialize};

use crate::arms::Arm;
use crate::moment::Moment;
use crate::observation::{Change, EventId, HardStop, Metric};

/// What is to be done with the rollout now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Stay in this stage.
    Continue {
        /// What is still needed before the next stage.
        waiting_for: Vec<Waiting>,
    },
    /// Go to the next stage.
    Promote {
        /// Why it is safe: for each metric what its bounds are.
        bounds: Vec<Bounds>,
    },
    /// Back to the last good revision, for good.
    RollBack {
        /// Why.
        why: Why,
        /// The numbers.
        evidence: Evidence,
    },
    /// Stay and do not grow: nothing can be said.
    Pause {
        /// Why.
        why: Why,
        /// The numbers.
        evidence: Evidence,
        /// When it is rolled back if nothing changes.
        deadline: Moment,
    },
}

impl Verdict {
    /// Whether it ends the rollout.
    #[must_use]
    pub const fn is_roll_back(&self) -> bool {
        matches!(self, Self::RollBack { .. })
    }
}

/// What a stage still needs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Waiting {
    /// Time.
    Seconds {
        /// So far.
        has: u64,
        /// In all.
        needs: u64,
    },
    /// Requests.
    Requests {
        /// So far.
        has: f64,
        /// In all.
        needs: f64,
    },
    /// Callers in one report.
    Callers {
        /// The most so far.
        has: f64,
        /// In all.
        needs: f64,
    },
    /// One of the bounds of a metric.
    Certainty {
        /// What is known so far.
        bounds: Bounds,
    },
}

/// What is known of a metric; either bound is enough.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// The metric.
    pub metric: Metric,
    /// The ratio of bad rates is below this; absent when it may be above 21.
    pub ratio_upper: Option<f64>,
    /// What it must be below.
    pub ratio_below: f64,
    /// The canary's rate is below this.
    pub rate_upper: f64,
    /// What it must be below otherwise.
    pub tolerable_rate: f64,
}

/// Why a rollout is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Why {
    /// Something happened that must not happen once.
    HardStop {
        /// What.
        what: HardStop,
    },
    /// Decisions differ outside the approved diff.
    Decisions {
        /// How the last one differs.
        change: Change,
    },
    /// The canary is worse than the control arm, counted from the beginning.
    Worse {
        /// In which way.
        metric: Metric,
    },
    /// The canary has become worse than the control arm.
    BecameWorse {
        /// In which way.
        metric: Metric,
    },
    /// The same, but one caller alone makes it so.
    OneCaller {
        /// In which way.
        metric: Metric,
    },
    /// There are more bad answers than the control arm had, and no control arm any more to tell an outage from a fault.
    AboveBaseline {
        /// In which way.
        metric: Metric,
    },
    /// The canary has more of the traffic than its cap.
    OverCap,
    /// Evaluation in shadow takes too much processor time.
    ShadowCost,
    /// Nobody reports an arm's traffic, or nothing usable.
    MissingData {
        /// Whose.
        arm: Arm,
    },
    /// The stage has lasted its longest time without what it needs.
    NotEnoughEvidence,
}

/// The numbers behind a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// What was measured: for tests the evidence value, else a count, a share or seconds.
    pub value: f64,
    /// What it had to stay below.
    pub threshold: f64,
    /// The canary's numbers.
    pub canary: ArmCounts,
    /// The control arm's numbers.
    pub control: ArmCounts,
    /// Bad events that made the evidence, newest last, at most 256.
    pub events: Vec<EventRef>,
}

/// What is known of an arm. Requests are of the stage, bad events of the rollout.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ArmCounts {
    /// Requests in this stage.
    pub requests: f64,
    /// Bad events of the metric, or of all metrics when the verdict is about none.
    pub bad: u64,
    /// Of these, how many counted: one for each caller and window.
    pub counted: u64,
}

/// An event that is part of the evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRef {
    /// Its id in the recording.
    pub id: EventId,
    /// When it happened.
    pub at: Moment,
    /// Which revision answered.
    pub arm: Arm,
}
