//! The guard of a rollout as Python sees it, for notebooks and tests.

use std::sync::{Mutex, PoisonError};

use lockgate_rollout::{
    BadEvent, Caller, Exposure, Moment, Needs, Observation, PairedDifference, Phase, Settings,
    Share, Traffic,
};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// How a guard begins, as JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    at: Moment,
    share: Share,
    cap: Share,
    needs: Needs,
    settings: Settings,
}

/// Watches one stage of a canary.
#[pyclass(frozen)]
pub struct Guard(Mutex<lockgate_rollout::Guard>);

/// A word of a closed set.
pub fn word<T: DeserializeOwned>(what: &str, text: &str) -> PyResult<T> {
    serde_json::from_value(text.into()).map_err(|error| {
        let error = error.to_string();
        let words = error.split_once("expected ").map_or("", |(_, words)| words);
        PyValueError::new_err(format!("`{text}` is no {what}; write {words}"))
    })
}

impl Guard {
    fn observe(&self, at: Moment, observation: Observation) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .observe(at, observation);
    }
}

#[pymethods]
impl Guard {
    /// A guard whose canary begins. Raises `ValueError` for settings that make no sense.
    #[new]
    fn new(start: &str) -> PyResult<Self> {
        let start: Start = serde_json::from_str(start)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let phase = Phase::Canary {
            share: start.share,
            cap: start.cap,
        };
        lockgate_rollout::Guard::new(start.settings, start.at, phase, start.needs)
            .map(|guard| Self(Mutex::new(guard)))
            .map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// Takes a bad answer. Raises `ValueError` for an unknown metric or arm.
    fn bad(&self, at: u64, metric: &str, arm: &str, caller: &str, event: &str) -> PyResult<()> {
        let at = Moment(at);
        let event = BadEvent {
            at,
            id: event.into(),
            caller: Caller::named(caller),
            arm: word("arm", arm)?,
            metric: word("metric", metric)?,
        };
        self.observe(at, Observation::Bad(event));
        Ok(())
    }

    /// Takes requests and callers of both arms since the report before.
    #[pyo3(signature = (at, canary, control))]
    fn traffic(&self, at: u64, canary: Option<(f64, f64)>, control: Option<(f64, f64)>) {
        let at = Moment(at);
        let exposure = |(requests, callers)| Exposure { requests, callers };
        let report = Traffic {
            at,
            canary: canary.map(exposure),
            control: control.map(exposure),
        };
        self.observe(at, Observation::Traffic(report));
    }

    /// Takes two decisions that differ. Raises `ValueError` for an unknown change.
    fn paired(&self, at: u64, change: &str, event: &str, approved: bool) -> PyResult<()> {
        let at = Moment(at);
        let difference = PairedDifference {
            at,
            id: event.into(),
            change: word("change", change)?,
            approved,
        };
        self.observe(at, Observation::Paired(difference));
        Ok(())
    }

    /// Takes a hard stop. Raises `ValueError` for an unknown one.
    fn hard_stop(&self, at: u64, what: &str, event: &str) -> PyResult<()> {
        let (what, id) = (word("hard stop", what)?, event.into());
        self.observe(Moment(at), Observation::HardStop { what, id });
        Ok(())
    }

    /// What is to be done, as JSON.
    fn verdict(&self, at: u64) -> PyResult<String> {
        let verdict = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .verdict(Moment(at));
        serde_json::to_string(&verdict).map_err(|error| PyRuntimeError::new_err(error.to_string()))
    }
}
