//! A gateway that tests send requests to.

use std::path::PathBuf;

use lockgate_policy::ExplainRequest;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use crate::{error, now};

/// A document compiled for tests, with one set of counters. Raises `ProblemsError`.
#[pyclass(frozen)]
pub struct Bench(lockgate_cases::Bench);

#[pymethods]
impl Bench {
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        py.detach(|| lockgate_cases::Bench::open(&path))
            .map(Self)
            .map_err(|found| error::problems(&found))
    }

    /// Sends one request, given as JSON, with the key of an application when one is named; the trace as JSON.
    fn call(&self, py: Python<'_>, request: &str, application: Option<&str>) -> PyResult<String> {
        py.detach(|| {
            let request: ExplainRequest = serde_json::from_str(request)
                .map_err(|error| PyValueError::new_err(error.to_string()))?;
            let trace = self.0.call(request, application, now());
            serde_json::to_string(&trace.map_err(PyValueError::new_err)?)
                .map_err(|error| PyRuntimeError::new_err(error.to_string()))
        })
    }
}
