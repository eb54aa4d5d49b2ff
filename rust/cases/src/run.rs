//! Running cases through the engine.

use std::sync::Arc;
use std::time::Duration;

use lockgate_policy::{Counters, Explained, Timestamp, Trace, explain_with};
use serde::Serialize;

use crate::came::Came;
use crate::expect::Difference;
use crate::suite::{Case, Suite};

/// How a case went.
#[derive(Debug, Clone, Serialize)]
pub struct CaseReport {
    /// Its name.
    pub name: String,
    /// Its line.
    pub line: u32,
    /// How many requests it sends.
    pub steps: usize,
    /// What was not as expected; empty when it passed.
    pub failures: Vec<Failure>,
    /// What became of each request.
    #[serde(skip)]
    pub traces: Vec<Trace>,
}

/// Something that was not as a case expects.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    /// The number of the request, from 1.
    pub step: usize,
    /// Its line.
    pub line: u32,
    /// What differs.
    #[serde(flatten)]
    pub difference: Difference,
}

impl Suite {
    /// Runs every case with counters of its own. `now` is the time of cases that say none.
    pub fn run(&self, now: Timestamp) -> Vec<CaseReport> {
        self.cases.iter().map(|case| self.one(case, now)).collect()
    }

    fn one(&self, case: &Case, now: Timestamp) -> CaseReport {
        let counters = Arc::<Counters>::default();
        let mut clock = case.at.unwrap_or(now);
        let mut in_flight: Vec<(usize, Explained)> = Vec::new();
        let (mut failures, mut traces) = (Vec::new(), Vec::new());
        for (at, step) in case.steps.iter().enumerate() {
            clock = later(clock, step.after);
            let explained = explain_with(&self.gateway.revision, &step.request, clock, &counters);
            let differences = match &explained {
                Ok(explained) => step
                    .expect
                    .differences(&Came::of(&explained.trace, &step.request)),
                Err(why) => vec![Difference {
                    what: "request".into(),
                    expected: "one that can be read".into(),
                    came: why.clone(),
                }],
            };
            let unasked = explained.as_ref().ok().and_then(unasked);
            let differences = differences.into_iter().chain(unasked);
            failures.extend(differences.map(|difference| Failure {
                step: at + 1,
                line: step.line,
                difference,
            }));
            // Those of which this was the last step to be in flight are answered.
            in_flight.retain_mut(|(left, _)| {
                *left -= 1;
                *left > 0
            });
            if let Ok(explained) = explained {
                traces.push(explained.trace.clone());
                if step.in_flight > 0 {
                    in_flight.push((step.in_flight, explained));
                }
            }
        }
        CaseReport {
            name: case.name.clone(),
            line: case.line,
            steps: case.steps.len(),
            failures,
            traces,
        }
    }
}

/// Facts that nobody asked for: the case tests something else than it says.
fn unasked(explained: &Explained) -> Option<Difference> {
    let left = explained.unasked_facts;
    (left > 0).then(|| Difference {
        what: "facts".into(),
        expected: "all of them asked for".into(),
        came: format!("{left} that nobody asked for"),
    })
}

/// A time after another, at most the last that there is.
pub fn later(time: Timestamp, by: Duration) -> Timestamp {
    let micros = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
    Timestamp(time.0.saturating_add(micros))
}
