//! What a guard knows: what a stage waits for, the bounds of each metric, and the evidence behind a verdict.

use crate::arms::Arm;
use crate::bounds::upper_rate;
use crate::observation::Metric;
use crate::series::Series;
use crate::verdict::{ArmCounts, Bounds, Evidence, Waiting};

use super::Guard;
use super::phase::Phase;

impl Guard {
    /// What the stage still waits for.
    pub(super) fn waiting(&self) -> Vec<Waiting> {
        let needs = self.stage.needs;
        let seconds = self.now.seconds_since(self.stage.since);
        let requests = self.flows.requests(Arm::Canary);
        let callers = self.flows.most_callers(Arm::Canary);
        let exposure = [
            (seconds < needs.at_least_seconds).then_some(Waiting::Seconds {
                has: seconds,
                needs: needs.at_least_seconds,
            }),
            (requests < needs.requests).then_some(Waiting::Requests {
                has: requests,
                needs: needs.requests,
            }),
            (callers < needs.callers).then_some(Waiting::Callers {
                has: callers,
                needs: needs.callers,
            }),
        ];
        let uncertain = self.bounds().into_iter().filter(|bounds| {
            !bounds
                .ratio_upper
                .is_some_and(|ratio| ratio < bounds.ratio_below)
                && bounds.rate_upper > bounds.tolerable_rate
        });
        exposure
            .into_iter()
            .flatten()
            .chain(uncertain.map(|bounds| Waiting::Certainty { bounds }))
            .collect()
    }

    /// What is known of each metric; nothing when there are not two arms.
    pub(super) fn bounds(&self) -> Vec<Bounds> {
        if !matches!(self.stage.phase, Phase::Canary { .. }) {
            return Vec::new();
        }
        let level = self.settings.bound_level();
        let bounds = |series: &Series| Bounds {
            metric: series.metric,
            ratio_upper: series.bound.upper(level),
            ratio_below: self.stage.needs.ratio_below,
            rate_upper: upper_rate(series.stage_bad, self.flows.requests(Arm::Canary), level),
            tolerable_rate: self.settings.tolerable_rate,
        };
        self.series.iter().map(bounds).collect()
    }

    /// The numbers behind a verdict, about one metric or about all.
    pub(super) fn evidence(&self, value: f64, threshold: f64, metric: Option<Metric>) -> Evidence {
        let counts = |arm| {
            let requests = self.flows.requests(arm);
            let about = |series: &&Series| metric.is_none_or(|metric| series.metric == metric);
            let each = self.series.iter().filter(about);
            each.map(|series| series.counts(arm, requests))
                .reduce(|sum, one| ArmCounts {
                    requests,
                    bad: sum.bad + one.bad,
                    counted: sum.counted + one.counted,
                })
                .unwrap_or_default()
        };
        Evidence {
            // JSON has no infinity.
            value: value.min(f64::MAX),
            threshold: threshold.min(f64::MAX),
            canary: counts(Arm::Canary),
            control: counts(Arm::Control),
            events: metric
                .and_then(|metric| self.find(metric))
                .map(Series::events)
                .unwrap_or_default(),
        }
    }
}
