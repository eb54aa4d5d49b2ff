//! What keeps a guard from saying anything: its stage waits, and goes back at the deadline.

use crate::arms::Arm;
use crate::observation::Metric;
use crate::verdict::{Waiting, Why};

use super::Guard;
use super::phase::Phase;

/// For so many windows after its last bad event, one caller's errors hold a rollout.
const BURST_WINDOWS: u64 = 6;

/// Why nothing can be said, with the number behind it.
pub struct Doubt {
    pub why: Why,
    pub value: f64,
    pub threshold: f64,
    pub metric: Option<Metric>,
}

impl Doubt {
    #[expect(clippy::cast_precision_loss, reason = "shown, not counted with")]
    const fn of_seconds(why: Why, seconds: u64, limit: u64) -> Self {
        Self {
            why,
            value: seconds as f64,
            threshold: limit as f64,
            metric: None,
        }
    }
}

impl Guard {
    /// The first reason for which nothing can be said.
    pub(super) fn doubt(&self, waiting_for: &[Waiting]) -> Option<Doubt> {
        self.doubt_of_metrics()
            .or_else(|| self.missing_data())
            .or_else(|| {
                let limit = self.settings.shadow_cpu_share;
                let is_over = self.stage.phase == Phase::Shadow && self.shadow_cpu_share > limit;
                is_over.then_some(Doubt {
                    why: Why::ShadowCost,
                    value: self.shadow_cpu_share,
                    threshold: limit,
                    metric: None,
                })
            })
            .or_else(|| {
                let limit = self.stage.needs.at_most_seconds;
                let seconds = self.now.seconds_since(self.stage.since);
                (seconds >= limit && !waiting_for.is_empty())
                    .then(|| Doubt::of_seconds(Why::NotEnoughEvidence, seconds, limit))
            })
    }

    fn doubt_of_metrics(&self) -> Option<Doubt> {
        let limit = self.settings.late_threshold();
        self.series.iter().find_map(|series| {
            let metric = series.metric;
            let (why, value, threshold) = match self.stage.phase {
                Phase::Shadow => return None,
                Phase::Canary { .. } => {
                    let (_, value, threshold) = self.alarm(metric)?;
                    let last = self.one_caller(metric)?;
                    let remembered = BURST_WINDOWS * self.settings.window_seconds;
                    if self.now.seconds_since(last) > remembered {
                        return None;
                    }
                    (Why::OneCaller { metric }, value, threshold)
                }
                Phase::Alone => {
                    let value = series.alone_evidence();
                    if value < limit {
                        return None;
                    }
                    (Why::AboveBaseline { metric }, value.exp(), limit.exp())
                }
            };
            Some(Doubt {
                why,
                value,
                threshold,
                metric: Some(metric),
            })
        })
    }

    fn missing_data(&self) -> Option<Doubt> {
        let arms: &[Arm] = match self.stage.phase {
            Phase::Canary { .. } => &[Arm::Canary, Arm::Control],
            Phase::Shadow | Phase::Alone => &[Arm::Canary],
        };
        let limit = self.settings.missing_after_seconds;
        arms.iter().find_map(|arm| {
            let last = self.flows.last(*arm).unwrap_or(self.stage.since);
            let seconds = self.now.seconds_since(last);
            (seconds >= limit)
                .then(|| Doubt::of_seconds(Why::MissingData { arm: *arm }, seconds, limit))
        })
    }
}
