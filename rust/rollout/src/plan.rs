//! The steps of a rollout and what each needs.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::cap::Ceiling;
use crate::moment::Moment;
use crate::settings::{Needs, SettingsError};
use crate::share::Share;

/// The most steps.
const MAX_STEPS: usize = 16;

/// A step of the canary.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The share of callers.
    pub share: Share,
    /// The share of requests that it must not exceed on any node, whoever is chosen.
    pub cap: Share,
    /// What it needs before the next.
    pub needs: Needs,
}

/// How a rollout goes from shadow to last good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The candidate is evaluated beside the live revision.
    pub shadow: Needs,
    /// It serves a growing share.
    pub steps: Vec<Step>,
    /// It serves everybody, and has to show that it can.
    pub live: Needs,
    /// It serves everybody for the bake time.
    pub bake: Needs,
}

/// A plan that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlanError {
    /// There is no canary.
    #[error("`steps` is empty; write at least one, such as a share of 100 (1 %)")]
    NoSteps,
    /// There are too many.
    #[error("`steps` has {0} steps; write at most 16")]
    TooManySteps(usize),
    /// A share does not grow, or is nothing or everything.
    #[error(
        "step {step} has a share of {share}; write more than the step before and less than 100 %"
    )]
    Share {
        /// The step, from 1.
        step: usize,
        /// Its share.
        share: Share,
    },
    /// A cap is too low, or falls.
    #[error(
        "step {step} has a cap of {cap}; write at least its share and the cap of the step before"
    )]
    Cap {
        /// The step, from 1.
        step: usize,
        /// Its cap.
        cap: Share,
    },
    /// Numbers that cannot be met.
    #[error(
        "the needs of {stage} cannot be met; write an `at_most_seconds` above `at_least_seconds`, counts from 0, and a `ratio_below` \
         above 1.1 and at most 20"
    )]
    Needs {
        /// The stage.
        stage: String,
    },
    /// A step could be left without a health signal.
    #[error("{stage} needs no time; write an `at_least_seconds` of at least 1")]
    NoTime {
        /// The stage.
        stage: String,
    },
    /// What the guard demands makes no sense.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

impl Default for Plan {
    fn default() -> Self {
        let needs = |at_least_seconds, requests, ratio_below| Needs {
            at_least_seconds,
            at_most_seconds: 14_400,
            requests,
            callers: 1.0,
            ratio_below,
        };
        let step = |percent, ratio_below| Step {
            share: Share::percent(percent),
            cap: Share::percent(percent).doubled(),
            needs: needs(60, 300.0, ratio_below),
        };
        Self {
            shadow: needs(60, 1_000.0, 10.0),
            // What a step can show grows with its share: at 1 % a ratio below 2 would take hours.
            steps: vec![step(1, 10.0), step(5, 5.0), step(25, 3.0), step(50, 2.0)],
            live: needs(60, 1_000.0, 2.0),
            bake: Needs {
                at_most_seconds: 86_400,
                ..needs(3_600, 10_000.0, 2.0)
            },
        }
    }
}

impl Plan {
    /// Checks the plan.
    ///
    /// # Errors
    /// The first thing that makes no sense.
    pub fn check(&self) -> Result<(), PlanError> {
        if self.steps.is_empty() {
            return Err(PlanError::NoSteps);
        }
        if self.steps.len() > MAX_STEPS {
            return Err(PlanError::TooManySteps(self.steps.len()));
        }
        let mut before = (Share::NONE, Share::NONE);
        for (number, Step { share, cap, .. }) in (1..).zip(self.steps.iter().copied()) {
            if share <= before.0 || share >= Share::ALL {
                return Err(PlanError::Share {
                    step: number,
                    share,
                });
            }
            if cap < share || cap < before.1 {
                return Err(PlanError::Cap { step: number, cap });
            }
            before = (share, cap);
        }
        let steps = (1..).zip(&self.steps);
        let steps = steps.map(|(number, step)| (format!("step {number}"), step.needs));
        let others = [
            ("shadow".to_owned(), self.shadow),
            ("live".to_owned(), self.live),
            ("bake".to_owned(), self.bake),
        ];
        for (stage, needs) in others.into_iter().chain(steps) {
            if !needs.is_sound() {
                return Err(PlanError::Needs { stage });
            }
            if needs.at_least_seconds == 0 {
                return Err(PlanError::NoTime { stage });
            }
        }
        Ok(())
    }

    /// The ceiling of a canary that begins now.
    pub(crate) fn ceiling(&self, started: Moment) -> Ceiling {
        let mut after = 0_u64;
        let mut steps = Vec::new();
        for step in &self.steps {
            steps.push((after, step.cap));
            after = after.saturating_add(step.needs.at_least_seconds);
        }
        steps.push((after, Share::ALL));
        Ceiling::new(started, steps)
    }
}
