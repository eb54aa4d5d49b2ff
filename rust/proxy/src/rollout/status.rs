//! A rollout as people and programs see it.

use lockgate_rollout::{Moment, Stage};
use serde_json::{Value, json};

use super::journey::{Journey, Totals};

impl Journey {
    /// Everything that is known.
    pub fn status(&self, now: Moment) -> Value {
        let [canary, control] = &self.totals;
        let found = self.found.lock();
        let step = match self.rollout.stage() {
            Stage::Canary { step } => Some(step + 1),
            _ => None,
        };
        let history: Vec<_> = self.rollout.history().collect();
        json!({
            "id": self.id,
            "reason": self.reason,
            "base": &*self.base,
            "candidate": &*self.candidate,
            "started": self.at,
            "now": now,
            "running": self.runs(),
            "stage": stage(self.rollout.stage()),
            "step": step,
            "share_percent": f64::from(self.rollout.share().hundredths()) / 100.0,
            "cap_percent": self.rollout.ceiling().map(|ceiling| f64::from(ceiling.at(now).hundredths()) / 100.0),
            "paused": self.rollout.is_paused(),
            "verdict": self.verdict,
            "slower_than_ms": self.slow_us.map(|micros| micros as f64 / 1_000.0),
            "canary": arm(canary),
            "control": arm(control),
            "beside": {
                "judged": found.judged,
                "shed": self.shed,
                "unjudged": found.unjudged,
                "cpu_share": self.cost,
                "cpu_share_at_most": self.cpu_share,
            },
            "differences": found.differences.to_json(),
            "expect": &*self.expected,
            "history": history.into_iter().map(|one| json!({
                "at": one.at,
                "from": stage(one.from),
                "to": stage(one.to),
                "cause": one.cause,
            })).collect::<Vec<_>>(),
        })
    }
}

fn stage(stage: Stage) -> String {
    match stage {
        Stage::Ready => "ready".to_owned(),
        Stage::Shadow => "shadow".to_owned(),
        Stage::Canary { step } => format!("canary {}", step + 1),
        Stage::Live => "live".to_owned(),
        Stage::Bake => "bake".to_owned(),
        Stage::LastGood => "last good".to_owned(),
        Stage::RolledBack => "rolled back".to_owned(),
    }
}

fn arm(totals: &Totals) -> Value {
    let latencies = &totals.traffic.latencies;
    let millis = |share| {
        latencies
            .quantile(share)
            .map(|micros| micros as f64 / 1_000.0)
    };
    json!({
        "requests": totals.traffic.requests,
        "callers": totals.traffic.exposure().callers,
        "bad": totals.bad,
        "p50_ms": millis(0.5),
        "p99_ms": millis(0.99),
    })
}
