//! How much of the traffic the canary really has.

use serde::{Deserialize, Serialize};

use crate::arms::Arm;
use crate::moment::Moment;
use crate::observation::{Exposure, Traffic};
use crate::share::Share;

/// A report that arrives later than this after its end says nothing about now.
pub(crate) const LATE_SECONDS: u64 = 60;
/// After so long, traffic weighs half as much in the share.
const HALF_LIFE_SECONDS: f64 = 300.0;
/// With fewer requests than this the share that was asked for is taken into account as well as what was measured.
const ENOUGH_REQUESTS: f64 = 1_000.0;
/// How much more than its cap the measured share must be: nodes hold the cap over times of their own.
const OVER_CAP: f64 = 1.25;

/// Between which values the canary's share of bad events lies when it is no worse.
///
/// One caller counts once per window. While bad answers are rare, the canary's part of what counts is its share of requests;
/// while nearly all are bad, its share of callers; between, something between.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shares {
    /// Too low makes the bound on the ratio too high: the safe side for a promotion.
    pub least: f64,
    /// Too high makes each bad event of the canary count less: the safe side for a false alarm.
    pub most: f64,
}

/// The traffic of one arm.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Flow {
    requests: f64,
    most_callers: f64,
    recent_requests: f64,
    recent_callers: f64,
    last: Option<Moment>,
}

impl Flow {
    fn fade(&mut self, by: f64) {
        self.recent_requests *= by;
        self.recent_callers *= by;
    }

    fn add(&mut self, now: Moment, exposure: Exposure) {
        self.requests += exposure.requests;
        self.most_callers = self.most_callers.max(exposure.callers);
        self.last = Some(now);
    }

    fn add_recent(&mut self, exposure: Exposure) {
        self.recent_requests += exposure.requests;
        self.recent_callers += exposure.callers;
    }
}

/// The traffic of both arms in one stage.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Flows {
    canary: Flow,
    control: Flow,
    faded: Moment,
}

impl Flows {
    pub fn starting(now: Moment) -> Self {
        Self {
            faded: now,
            ..Self::default()
        }
    }

    /// Takes a report; gives how many of its two halves cannot be used.
    pub fn add(&mut self, now: Moment, report: Traffic) -> u64 {
        #[expect(clippy::cast_precision_loss, reason = "seconds of a rollout are few")]
        let seconds = now.seconds_since(self.faded) as f64;
        self.faded = now;
        let by = (-seconds / HALF_LIFE_SECONDS).exp2();
        self.canary.fade(by);
        self.control.fade(by);
        let is_late = now.seconds_since(report.at) > LATE_SECONDS;
        let usable = |exposure: &Exposure| exposure.is_usable() && !is_late;
        let (canary, control) = (report.canary.filter(usable), report.control.filter(usable));
        // Half a report says nothing about shares.
        if let (Some(canary), Some(control)) = (canary, control) {
            self.canary.add_recent(canary);
            self.control.add_recent(control);
        }
        let unusable = u64::from(canary.is_none() && report.canary.is_some())
            + u64::from(control.is_none() && report.control.is_some());
        for (flow, exposure) in [(&mut self.canary, canary), (&mut self.control, control)] {
            if let Some(exposure) = exposure {
                flow.add(now, exposure);
            }
        }
        unusable
    }

    fn of(&self, arm: Arm) -> &Flow {
        match arm {
            Arm::Canary => &self.canary,
            Arm::Control => &self.control,
        }
    }

    pub fn requests(&self, arm: Arm) -> f64 {
        self.of(arm).requests
    }

    pub fn most_callers(&self, arm: Arm) -> f64 {
        self.of(arm).most_callers
    }

    /// When the last usable report arrived.
    pub fn last(&self, arm: Arm) -> Option<Moment> {
        self.of(arm).last
    }

    /// The canary's share of bad events, given the share that was asked for.
    pub fn shares(&self, asked: Share) -> Shares {
        let requests = self.canary.recent_requests + self.control.recent_requests;
        let callers = self.canary.recent_callers + self.control.recent_callers;
        let known = [
            (requests < ENOUGH_REQUESTS).then(|| asked.fraction()),
            (requests >= 1.0).then(|| self.canary.recent_requests / requests),
            (callers >= 1.0).then(|| self.canary.recent_callers / callers),
        ];
        let known = known.into_iter().flatten();
        let least = known.clone().fold(1.0, f64::min);
        let most = known.fold(0.0, f64::max);
        // A bad event of an arm without traffic is possible all the same: reports lag behind.
        Shares {
            least: least.clamp(1e-4, 1.0 - 1e-4),
            most: most.clamp(1e-4, 1.0 - 1e-4),
        }
    }

    /// The canary's share of requests, when it is above what the cap allows.
    pub fn over_cap(&self, cap: Share) -> Option<f64> {
        let requests = self.canary.recent_requests + self.control.recent_requests;
        let share = self.canary.recent_requests / requests;
        (requests >= ENOUGH_REQUESTS && share > cap.fraction() * OVER_CAP).then_some(share)
    }
}
