//! Observations in few words.

use lockgate_rollout::{
    Arm, BadEvent, Caller, Change, Exposure, Metric, Moment, Needs, Observation, PairedDifference,
    Traffic,
};

pub fn second(seconds: u64) -> Moment {
    Moment::from_seconds(1_780_000_000 + seconds)
}

pub const NEEDS: Needs = Needs {
    at_least_seconds: 60,
    at_most_seconds: 3_600,
    requests: 500.0,
    callers: 2.0,
    ratio_below: 5.0,
};

pub fn bad(at: u64, metric: Metric, arm: Arm, caller: &str) -> Observation {
    Observation::Bad(BadEvent {
        at: second(at),
        id: format!("{caller}@{at}").into(),
        caller: Caller::named(caller),
        arm,
        metric,
    })
}

pub fn traffic(at: u64, canary: f64, control: f64) -> Observation {
    let exposure = |requests: f64| Exposure {
        requests,
        callers: (requests / 10.0).ceil(),
    };
    Observation::Traffic(Traffic {
        at: second(at),
        canary: Some(exposure(canary)),
        control: Some(exposure(control)),
    })
}

pub fn differs(at: u64, change: Change, approved: bool) -> Observation {
    Observation::Paired(PairedDifference {
        at: second(at),
        id: format!("request-{at}").into(),
        change,
        approved,
    })
}
