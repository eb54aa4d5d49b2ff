//! What the guard demands.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::observation::Metric;

/// How the guard judges. The defaults are what `docs/decisions` explains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The ways of being bad that are tested. What is not listed is ignored.
    pub metrics: Vec<Metric>,
    /// The probability that a canary that is no worse is rolled back, for each of the two tests.
    pub false_alarm: f64,
    /// The number of bad events for which the detector of late faults keeps that probability.
    pub horizon_events: f64,
    /// The probability that a canary is promoted though its true ratio is not below the step's target.
    pub false_promotion: f64,
    /// A rate of bad answers that is no harm, whatever the control arm's rate is.
    pub tolerable_rate: f64,
    /// One caller counts once per metric in this time.
    pub window_seconds: u64,
    /// Differences between the decisions that the approved diff does not contain, at most.
    pub unapproved_differences: u64,
    /// The share of processor time that evaluation in shadow may take.
    pub shadow_cpu_share: f64,
    /// Without a usable report of traffic for so long, nothing is known.
    pub missing_after_seconds: u64,
    /// A rollout that has been inconclusive for so long is rolled back.
    pub deadline_seconds: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            metrics: Metric::ALL.to_vec(),
            false_alarm: 1e-3,
            horizon_events: 10_000.0,
            false_promotion: 0.05,
            tolerable_rate: 0.005,
            window_seconds: 10,
            unapproved_differences: 0,
            shadow_cpu_share: 0.15,
            missing_after_seconds: 30,
            deadline_seconds: 600,
        }
    }
}

/// A setting that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// Nothing would be tested.
    #[error("`metrics` is empty; list at least one, such as `server_error`")]
    NoMetrics,
    /// A metric would be tested twice.
    #[error("`metrics` names one twice; list each once")]
    RepeatedMetric,
    /// A number is not where it can be.
    #[error("`{field}` is out of range; write a number {range}")]
    OutOfRange {
        /// The setting.
        field: &'static str,
        /// Where it can be.
        range: &'static str,
    },
}

impl Settings {
    /// Checks all settings.
    ///
    /// # Errors
    /// The first that makes no sense.
    pub fn check(&self) -> Result<(), SettingsError> {
        if self.metrics.is_empty() {
            return Err(SettingsError::NoMetrics);
        }
        let mut metrics = self.metrics.clone();
        metrics.sort_unstable();
        metrics.dedup();
        if metrics.len() != self.metrics.len() {
            return Err(SettingsError::RepeatedMetric);
        }
        let in_range = |field, range, holds: bool| {
            holds
                .then_some(())
                .ok_or(SettingsError::OutOfRange { field, range })
        };
        let probability = "above 0 and at most 0.1";
        let is_probability = |value: f64| value > 0.0 && value <= 0.1;
        in_range("false_alarm", probability, is_probability(self.false_alarm))?;
        in_range(
            "false_promotion",
            probability,
            is_probability(self.false_promotion),
        )?;
        in_range(
            "tolerable_rate",
            "from 0.002 to 0.5",
            (0.002..=0.5).contains(&self.tolerable_rate),
        )?;
        in_range(
            "horizon_events",
            "from 1 to 1000000000",
            (1.0..=1e9).contains(&self.horizon_events),
        )?;
        in_range(
            "shadow_cpu_share",
            "above 0 and at most 1",
            self.shadow_cpu_share > 0.0 && self.shadow_cpu_share <= 1.0,
        )?;
        let day = 1..=86_400;
        for (field, seconds) in [
            ("window_seconds", self.window_seconds),
            ("missing_after_seconds", self.missing_after_seconds),
            ("deadline_seconds", self.deadline_seconds),
        ] {
            in_range(field, "from 1 to 86400", day.contains(&seconds))?;
        }
        Ok(())
    }

    /// What ln E must reach: m/α.
    pub(crate) fn evidence_threshold(&self) -> f64 {
        (self.metrics_count() / self.false_alarm).ln()
    }

    /// What ln R must reach: m·T/α.
    pub(crate) fn late_threshold(&self) -> f64 {
        self.evidence_threshold() + self.horizon_events.ln()
    }

    fn metrics_count(&self) -> f64 {
        // There are six at most.
        self.metrics.iter().map(|_| 1.0).sum()
    }

    /// The level of each of the two bounds, one of which must hold.
    pub(crate) fn bound_level(&self) -> f64 {
        self.false_promotion / 2.0
    }
}

/// What a stage needs before the next one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// It lasts at least so long.
    pub at_least_seconds: u64,
    /// After so long without the rest, it is inconclusive.
    pub at_most_seconds: u64,
    /// Requests that the candidate saw.
    pub requests: f64,
    /// Callers in one report that the candidate saw.
    pub callers: f64,
    /// What the upper bound on the ratio of bad rates must be below; of canary steps only.
    pub ratio_below: f64,
}

impl Needs {
    /// Whether the numbers can be met.
    pub(crate) fn is_sound(&self) -> bool {
        self.at_most_seconds > self.at_least_seconds
            && (0.0..=1e12).contains(&self.requests)
            && (0.0..=1e9).contains(&self.callers)
            && self.ratio_below > 1.1
            && self.ratio_below <= 20.0
    }
}
