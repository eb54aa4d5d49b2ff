//! What is known of one metric.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::arms::{Arm, Caller};
use crate::bounds::RatioBound;
use crate::mixture::{Mixture, of_bad_event, of_counts};
use crate::moment::Moment;
use crate::observation::{BadEvent, Metric};
use crate::traffic::Shares;
use crate::verdict::{ArmCounts, EventRef};

/// Bad events that are kept to show them, and to leave one caller out.
const RECENT: usize = 256;
/// What the detector must reach over recent events without the caller that weighs most.
const WITHOUT_ONE: f64 = 1_000.0;
/// That many bad events of the canary are spread when no caller has more than a quarter of them.
const SPREAD_EVENTS: u64 = 8;
/// A canary has collapsed when of at least so many requests at least this share had bad answers, to more than one caller, and of
/// the control arm's at the same time at most that one.
const COLLAPSE_REQUESTS: f64 = 3.0;
const COLLAPSE_CANARY: f64 = 0.9;
const COLLAPSE_CONTROL: f64 = 0.2;
/// How far above its threshold the detector is kept once there is no control arm, so that it falls again after an outage.
const HEADROOM: f64 = 5.0;

/// A bad event that counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Counted {
    event: EventRef,
    caller: Caller,
    share: f64,
}

/// The evidence of one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Series {
    pub metric: Metric,
    pub evidence: Mixture,
    pub bound: RatioBound,
    canary: Tally,
    control: Tally,
    recent: VecDeque<Counted>,
    /// Bad answers of the canary in this stage, whether they counted or not.
    pub stage_bad: f64,
    alone: Option<Alone>,
    lately: Lately,
}

/// What was bad since the canary was last looked at.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Lately {
    requests: [f64; 2],
    bad: [f64; 2],
    caller: Option<Caller>,
    has_several: bool,
    /// Whether nearly all that the canary had answered then was bad.
    collapsed: bool,
    /// The second in which callers began to count again.
    second: u64,
}

impl Lately {
    fn note(&mut self, arm: Arm, caller: Caller) {
        let [canary, control] = &mut self.bad;
        match arm {
            Arm::Canary => {
                *canary += 1.0;
                let first = *self.caller.get_or_insert(caller);
                self.has_several |= first != caller;
            }
            Arm::Control => *control += 1.0,
        }
    }

    fn report(&mut self, requests: [f64; 2]) {
        for (sum, more) in self.requests.iter_mut().zip(requests) {
            *sum += more;
        }
        let ([canary, control], [bad, bad_control]) = (self.requests, self.bad);
        if canary >= COLLAPSE_REQUESTS {
            let is_bad = bad >= COLLAPSE_CANARY * canary;
            *self = Self {
                collapsed: is_bad && self.has_several && bad_control <= COLLAPSE_CONTROL * control,
                second: self.second,
                ..Self::default()
            };
        }
    }
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Tally {
    bad: u64,
    counted: u64,
}

/// The test without a control arm: against the rate that it had.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Alone {
    base: f64,
    since_report: f64,
    detector: Mixture,
}

impl Series {
    pub fn new(metric: Metric) -> Self {
        Self {
            metric,
            evidence: Mixture::default(),
            bound: RatioBound::default(),
            canary: Tally::default(),
            control: Tally::default(),
            recent: VecDeque::new(),
            stage_bad: 0.0,
            alone: None,
            lately: Lately::default(),
        }
    }

    fn of(&mut self, arm: Arm) -> &mut Tally {
        match arm {
            Arm::Canary => &mut self.canary,
            Arm::Control => &mut self.control,
        }
    }

    /// Notes a bad event that may not count.
    pub fn note(&mut self, arm: Arm, caller: Caller) {
        self.of(arm).bad += 1;
        self.lately.note(arm, caller);
        if arm == Arm::Canary {
            self.stage_bad += 1.0;
        }
    }

    /// Begins to count a stage's bad events anew.
    pub fn enter(&mut self) {
        self.stage_bad = 0.0;
        self.lately = Lately::default();
    }

    /// Takes a report of requests of both arms.
    pub fn report(&mut self, canary: f64, control: f64) {
        self.lately.report([canary, control]);
    }

    /// Whether callers that have counted in this window count again, in both arms: each second, while a canary of a few callers has
    /// nothing but bad answers. That a single caller stands behind it is asked all the same.
    pub const fn counts_again(&mut self, second: u64) -> bool {
        let again = self.lately.collapsed && second > self.lately.second;
        if again {
            self.lately.second = second;
        }
        again
    }

    /// Counts a bad event of a canary stage.
    pub fn count(&mut self, event: BadEvent, shares: Shares) {
        let is_canary = event.arm == Arm::Canary;
        self.evidence.add(&of_bad_event(shares.most, is_canary));
        self.bound.add(shares.least, is_canary);
        self.keep(event, shares.most);
    }

    /// Counts a bad event when there is no control arm any more.
    pub fn count_alone(&mut self, event: BadEvent) {
        if let Some(alone) = &mut self.alone {
            alone.since_report += 1.0;
        }
        self.keep(event, 1.0);
    }

    fn keep(&mut self, event: BadEvent, share: f64) {
        self.of(event.arm).counted += 1;
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(Counted {
            event: EventRef {
                id: event.id,
                at: event.at,
                arm: event.arm,
            },
            caller: event.caller,
            share,
        });
    }

    /// Freezes the control arm's rate, once.
    pub fn freeze(&mut self, control_requests: f64) {
        if self.alone.is_none() {
            #[expect(clippy::cast_precision_loss, reason = "a count of events")]
            let counted = self.control.counted as f64;
            // One more of each: no rate is 0, and without requests it is 1, which nothing exceeds.
            self.alone = Some(Alone {
                base: (counted + 1.0) / (control_requests + 1.0),
                since_report: 0.0,
                detector: Mixture::default(),
            });
        }
    }

    /// Takes a report of requests when there is no control arm any more.
    pub fn report_alone(&mut self, requests: f64, threshold: f64) {
        if let Some(alone) = &mut self.alone {
            let bad = std::mem::take(&mut alone.since_report);
            let good = (requests - bad).max(0.0);
            alone.detector.add(&of_counts(alone.base, bad, good));
            alone.detector.hold_below(threshold + HEADROOM);
        }
    }

    /// ln R against the control arm's frozen rate.
    pub fn alone_evidence(&self) -> f64 {
        self.alone
            .as_ref()
            .map_or(f64::MIN, |alone| alone.detector.late_evidence())
    }

    /// When the caller that weighs most had its last bad event, if the evidence against the canary goes without it.
    pub fn one_caller(&self) -> Option<Moment> {
        let mut callers: BTreeMap<Caller, (u64, Moment)> = BTreeMap::new();
        let canary = self
            .recent
            .iter()
            .filter(|counted| counted.event.arm == Arm::Canary);
        for counted in canary {
            let (events, last) = callers.entry(counted.caller).or_default();
            *events += 1;
            *last = counted.event.at.max(*last);
        }
        let all: u64 = callers.values().map(|(events, _)| events).sum();
        let (top, (most, last)) = callers.into_iter().max_by_key(|(_, (events, _))| *events)?;
        if all >= SPREAD_EVENTS && most * 4 <= all {
            return None;
        }
        let mut without = Mixture::default();
        for counted in self.recent.iter().filter(|counted| counted.caller != top) {
            without.add(&of_bad_event(
                counted.share,
                counted.event.arm == Arm::Canary,
            ));
        }
        (without.late_evidence() < WITHOUT_ONE.ln()).then_some(last)
    }

    pub fn counts(&self, arm: Arm, requests: f64) -> ArmCounts {
        let tally = match arm {
            Arm::Canary => &self.canary,
            Arm::Control => &self.control,
        };
        ArmCounts {
            requests,
            bad: tally.bad,
            counted: tally.counted,
        }
    }

    pub fn events(&self) -> Vec<EventRef> {
        self.recent
            .iter()
            .map(|counted| counted.event.clone())
            .collect()
    }
}
