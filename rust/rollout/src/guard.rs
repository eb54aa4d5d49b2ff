//! Watches a rollout and says whether it goes on, stops or goes back.
//!
//! | layer | what it sees | what it says |
//! |---|---|---|
//! | hard stops | a panic, the death of a taster, a last good revision that cannot be written | roll back at the first |
//! | paired decisions | two decisions about one request that differ outside the approved diff | roll back over the budget |
//! | sequential tests | each bad answer, which is the canary's with the probability of its share when it is no worse | roll back |
//! | missing data | absent, late or impossible reports | pause, then roll back at the deadline |

mod differences;
mod doubt;
mod known;
mod phase;
mod window;

use serde::{Deserialize, Serialize};

use crate::arms::Arm;
use crate::moment::Moment;
use crate::observation::{BadEvent, HardStop, Metric, Observation, PairedDifference, Traffic};
use crate::series::Series;
use crate::settings::{Needs, Settings, SettingsError};
use crate::traffic::{Flows, LATE_SECONDS};
use crate::verdict::{EventRef, Evidence, Verdict, Why};

use differences::Differences;
pub use phase::Phase;
use phase::Stage;
use window::Window;

/// The guard of one rollout. It can be written down and read back at any time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    settings: Settings,
    stage: Stage,
    series: Vec<Series>,
    window: Window,
    flows: Flows,
    control_requests: f64,
    differences: Differences,
    shadow_cpu_share: f64,
    unusable: u64,
    doubt_since: Option<Moment>,
    now: Moment,
    rolled_back: Option<Verdict>,
}

impl Guard {
    /// A guard whose first stage begins now.
    ///
    /// # Errors
    /// Settings that make no sense.
    pub fn new(
        settings: Settings,
        now: Moment,
        phase: Phase,
        needs: Needs,
    ) -> Result<Self, SettingsError> {
        settings.check()?;
        Ok(Self {
            series: settings.metrics.iter().copied().map(Series::new).collect(),
            settings,
            stage: Stage {
                phase,
                since: now,
                needs,
            },
            window: Window::default(),
            flows: Flows::starting(now),
            control_requests: 0.0,
            differences: Differences::default(),
            shadow_cpu_share: 0.0,
            unusable: 0,
            doubt_since: None,
            now,
            rolled_back: None,
        })
    }

    /// Begins the next stage. The evidence of bad events goes on; traffic is counted anew.
    pub fn enter(&mut self, now: Moment, phase: Phase, needs: Needs) {
        self.now = self.now.max(now);
        self.stage = Stage {
            phase,
            since: self.now,
            needs,
        };
        self.flows = Flows::starting(self.now);
        self.doubt_since = None;
        for series in &mut self.series {
            series.enter();
            if phase == Phase::Alone {
                series.freeze(self.control_requests);
            }
        }
    }

    /// Takes what was observed; `now` is when it arrived. Nothing changes any more once the rollout is to be rolled back.
    pub fn observe(&mut self, now: Moment, observation: Observation) {
        self.now = self.now.max(now);
        if self.rolled_back.is_some() {
            return;
        }
        match observation {
            Observation::Bad(event) => self.bad(event),
            Observation::Traffic(report) => self.traffic(report),
            Observation::Paired(difference) => self.paired(difference),
            Observation::HardStop { what, id } => {
                let event = EventRef {
                    id,
                    at: self.now,
                    arm: Arm::Canary,
                };
                self.hard_stop(what, event);
            }
            Observation::ShadowCost { cpu_share } if cpu_share.is_finite() => {
                self.shadow_cpu_share = cpu_share;
            }
            Observation::ShadowCost { .. } => self.unusable += 1,
        }
    }

    /// What is to be done at a time.
    pub fn verdict(&mut self, now: Moment) -> Verdict {
        self.now = self.now.max(now);
        if let Some(verdict) = &self.rolled_back {
            return verdict.clone();
        }
        let waiting_for = self.waiting();
        let Some(doubt) = self.doubt(&waiting_for) else {
            self.doubt_since = None;
            return if waiting_for.is_empty() {
                Verdict::Promote {
                    bounds: self.bounds(),
                }
            } else {
                Verdict::Continue { waiting_for }
            };
        };
        let since = *self.doubt_since.get_or_insert(self.now);
        let deadline = since.plus_seconds(self.settings.deadline_seconds);
        let evidence = self.evidence(doubt.value, doubt.threshold, doubt.metric);
        let why = doubt.why;
        if self.now < deadline {
            return Verdict::Pause {
                why,
                evidence,
                deadline,
            };
        }
        self.roll_back(why, evidence)
    }

    /// Reports and events so far that could not be used: late, or numbers that are no counts.
    #[must_use]
    pub const fn unusable(&self) -> u64 {
        self.unusable
    }

    fn roll_back(&mut self, why: Why, evidence: Evidence) -> Verdict {
        let verdict = Verdict::RollBack { why, evidence };
        self.rolled_back = Some(verdict.clone());
        verdict
    }

    fn bad(&mut self, event: BadEvent) {
        if self.now.seconds_since(event.at) > LATE_SECONDS {
            self.unusable += 1;
            return;
        }
        let metric = event.metric;
        let Some(series) = self
            .series
            .iter_mut()
            .find(|series| series.metric == metric)
        else {
            return;
        };
        series.note(event.arm, event.caller);
        // By arrival, which never goes back: one set is enough.
        let second = self.now.0 / 1_000_000;
        let window = second / self.settings.window_seconds;
        if series.counts_again(second) {
            self.window.forget(metric);
        }
        match self.stage.phase {
            Phase::Canary { share, .. } => {
                if self.window.admits(window, metric, event.caller) {
                    series.count(event, self.flows.shares(share));
                    self.judge(metric);
                }
            }
            Phase::Alone if event.arm == Arm::Canary => {
                if self.window.admits(window, metric, event.caller) {
                    series.count_alone(event);
                }
            }
            Phase::Alone | Phase::Shadow => {}
        }
    }

    /// Rolls back when a test says so and more than one caller stands behind it. Evidence is not forgotten when one does not: the next event is judged with it.
    fn judge(&mut self, metric: Metric) {
        let Some((why, value, threshold)) = self.alarm(metric) else {
            return;
        };
        if self.one_caller(metric).is_some() {
            return;
        }
        let evidence = self.evidence(value, threshold, Some(metric));
        self.roll_back(why, evidence);
    }

    fn find(&self, metric: Metric) -> Option<&Series> {
        self.series.iter().find(|series| series.metric == metric)
    }

    /// The test that a metric fails: why, its value, its threshold.
    fn alarm(&self, metric: Metric) -> Option<(Why, f64, f64)> {
        let series = self.find(metric)?;
        let (all, late) = (series.evidence.evidence(), series.evidence.late_evidence());
        let (all_limit, late_limit) = (
            self.settings.evidence_threshold(),
            self.settings.late_threshold(),
        );
        if all >= all_limit {
            Some((Why::Worse { metric }, all.exp(), all_limit.exp()))
        } else if late >= late_limit {
            Some((Why::BecameWorse { metric }, late.exp(), late_limit.exp()))
        } else {
            None
        }
    }

    /// When the caller that alone makes a metric bad had its last bad event; nothing when several do. A canary that has one caller
    /// is judged by that one.
    fn one_caller(&self, metric: Metric) -> Option<Moment> {
        let callers = self.flows.most_callers(Arm::Canary);
        let has_only_one = callers > 0.0 && callers <= 1.0;
        if has_only_one {
            return None;
        }
        self.find(metric).and_then(Series::one_caller)
    }

    fn traffic(&mut self, report: Traffic) {
        let before = [Arm::Canary, Arm::Control].map(|arm| self.flows.requests(arm));
        self.unusable += self.flows.add(self.now, report);
        let [canary, control] = before;
        match self.stage.phase {
            Phase::Shadow => {}
            Phase::Canary { cap, .. } => {
                let canary = self.flows.requests(Arm::Canary) - canary;
                let control = self.flows.requests(Arm::Control) - control;
                self.control_requests += control;
                for series in &mut self.series {
                    series.report(canary, control);
                }
                if let Some(share) = self.flows.over_cap(cap) {
                    let evidence = self.evidence(share, cap.fraction(), None);
                    self.roll_back(Why::OverCap, evidence);
                }
            }
            Phase::Alone => {
                let requests = self.flows.requests(Arm::Canary) - canary;
                let threshold = self.settings.late_threshold();
                for series in &mut self.series {
                    series.report_alone(requests, threshold);
                }
            }
        }
    }

    fn paired(&mut self, difference: PairedDifference) {
        if difference.approved {
            return;
        }
        self.differences.note(EventRef {
            id: difference.id,
            at: difference.at,
            arm: Arm::Canary,
        });
        let budget = self.settings.unapproved_differences;
        if self.differences.unapproved > budget {
            #[expect(clippy::cast_precision_loss, reason = "shown, not counted with")]
            let (value, threshold) = (self.differences.unapproved as f64, budget as f64);
            let evidence = Evidence {
                events: self.differences.events(),
                ..self.evidence(value, threshold, None)
            };
            let change = difference.change;
            self.roll_back(Why::Decisions { change }, evidence);
        }
    }

    fn hard_stop(&mut self, what: HardStop, event: EventRef) {
        let evidence = Evidence {
            events: vec![event],
            ..self.evidence(1.0, 0.0, None)
        };
        self.roll_back(Why::HardStop { what }, evidence);
    }
}
