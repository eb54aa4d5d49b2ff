//! All errors of the core as Python exceptions.

use lockgate_config::Problem;
use lockgate_generations::StoreError;
use lockgate_proxy::StartError;
use pyo3::create_exception;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use serde_json::{Value, json};

create_exception!(
    _engine,
    ProblemsError,
    PyValueError,
    "A document has problems; the argument is a JSON list of them."
);

/// Problems as JSON.
pub fn problems_json(problems: &[Problem]) -> Value {
    let one = |problem: &Problem| {
        json!({
            "severity": if problem.is_error() { "error" } else { "warning" },
            "file": problem.file,
            "line": problem.line,
            "column": problem.column,
            "message": problem.message,
            "help": problem.help,
        })
    };
    problems.iter().map(one).collect()
}

/// The exception for problems.
pub fn problems(problems: &[Problem]) -> PyErr {
    ProblemsError::new_err(problems_json(problems).to_string())
}

/// The exception for generations on disk.
pub fn store(error: &StoreError) -> PyErr {
    match error {
        StoreError::NoTarget(_) => PyValueError::new_err(error.to_string()),
        other => PyOSError::new_err(other.to_string()),
    }
}

/// The exception for a node that does not start.
pub fn start(error: &StartError) -> PyErr {
    match error {
        StartError::Document(found) => problems(found),
        other => PyOSError::new_err(other.to_string()),
    }
}
