//! `lockgate._engine`: the compiled core as Python sees it. Documents go in as paths, results come out as JSON.

mod bench;
mod error;
mod generations;
mod guard;
mod memory;
mod reading;
mod recording;
mod replay;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lockgate_config::{Problem, Source, sha256_hex};
use lockgate_policy::{ExplainRequest, Revision, Timestamp};
use lockgate_proxy::{Asked, NotBegun};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use serde_json::{Value, json};

fn load(path: PathBuf) -> PyResult<(Revision, Vec<Problem>)> {
    Revision::check(&Source::File(path)).map_err(|found| error::problems(&found))
}

fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// Checks a document; JSON with `id`, `problems`, and the numbers of `routes` and `policies`.
#[pyfunction]
fn check(py: Python<'_>, path: PathBuf) -> String {
    py.detach(|| match lockgate_proxy::check(&Source::File(path)) {
        Ok((revision, warnings)) => {
            let routes: std::collections::HashSet<_> =
                revision.routes.iter().map(|route| (&route.api, &route.version, &route.id)).collect();
            let policies: std::collections::HashSet<String> =
                revision.routes.iter().flat_map(|route| route.chain.policies()).map(|policy| format!("{} {}", policy.origin, policy.id)).collect();
            json!({
                "id": revision.id.to_string(),
                "problems": error::problems_json(&warnings),
                "routes": routes.len(),
                "policies": policies.len(),
            })
        }
        Err(found) => json!({ "id": Value::Null, "problems": error::problems_json(&found), "routes": 0, "policies": 0 }),
    })
    .to_string()
}

/// Compares two documents by route; a JSON list.
#[pyfunction]
fn diff(py: Python<'_>, base: PathBuf, candidate: PathBuf) -> PyResult<String> {
    py.detach(|| {
        let found = lockgate_policy::diff(&load(base)?.0, &load(candidate)?.0);
        serde_json::to_string(&found).map_err(|error| PyRuntimeError::new_err(error.to_string()))
    })
}

/// Explains one request, given as JSON; the trace as JSON.
#[pyfunction]
fn explain(py: Python<'_>, path: PathBuf, request: &str) -> PyResult<String> {
    py.detach(|| {
        let request: ExplainRequest = serde_json::from_str(request)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let trace = lockgate_policy::explain(&load(path)?.0, &request, now())
            .map_err(PyValueError::new_err)?;
        serde_json::to_string(&trace).map_err(|error| PyRuntimeError::new_err(error.to_string()))
    })
}

/// A document as tools see it: JSON with the whole `document`, the folder `base` that its files are relative to, its `routes` with
/// their effective policies, and the OpenAPI `descriptions` of its versions.
#[pyfunction]
fn outline(py: Python<'_>, path: PathBuf) -> PyResult<String> {
    py.detach(|| {
        let source = Source::File(path);
        let (revision, _) =
            lockgate_proxy::check(&source).map_err(|found| error::problems(&found))?;
        let loaded =
            lockgate_config::load_document(&source).map_err(|found| error::problems(&found))?;
        let document: Value = serde_json::from_str(&loaded.canonical)
            .map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        Ok(json!({
            "id": revision.id.to_string(),
            "document": document,
            "base": revision.base.path(),
            "routes": lockgate_policy::outline(&revision),
            "descriptions": lockgate_policy::descriptions(&revision),
        })
        .to_string())
    })
}

/// Runs case files, and all case files in folders; the report as JSON. `gateway` takes the place of the one that each file names.
#[pyfunction]
fn test(py: Python<'_>, paths: Vec<PathBuf>, gateway: Option<PathBuf>) -> PyResult<String> {
    py.detach(|| {
        let report = lockgate_cases::Report::run(&paths, gateway.as_deref(), now())
            .map_err(|found| error::problems(&found))?;
        serde_json::to_string(&report).map_err(|error| PyRuntimeError::new_err(error.to_string()))
    })
}

/// The JSON Schema of documents.
#[pyfunction]
fn document_schema() -> String {
    lockgate_policy::document_schema().to_string()
}

/// The catalogue of policy kinds as JSON.
#[pyfunction]
fn policy_catalogue() -> String {
    lockgate_policy::catalogue().to_string()
}

/// A new API key of 256 random bits, and its SHA-256 as hexadecimal digits.
#[pyfunction]
fn new_key() -> PyResult<(String, String)> {
    use base64::Engine as _;
    let mut bits = [0u8; 32];
    getrandom::fill(&mut bits)
        .map_err(|error| PyRuntimeError::new_err(format!("no random numbers: {error}")))?;
    let key = format!(
        "lg_{}",
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bits)
    );
    let hash = sha256_hex(key.as_bytes());
    Ok((key, hash))
}

/// The argon2id hash of a password as documents hold it. Raises `ValueError` for an empty one.
#[pyfunction]
fn hash_password(py: Python<'_>, password: &str) -> PyResult<String> {
    py.detach(|| lockgate_policy::hash_password(password))
        .map_err(|error| PyValueError::new_err(error.to_string()))
}

/// A running gateway.
#[pyclass(frozen)]
struct Node {
    running: Mutex<Option<lockgate_proxy::Node>>,
    warnings: String,
}

impl Node {
    fn with<T>(&self, use_it: impl FnOnce(&lockgate_proxy::Node) -> T) -> PyResult<T> {
        let node = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        node.as_ref()
            .map(use_it)
            .ok_or_else(|| PyRuntimeError::new_err("the node is stopped"))
    }
}

#[pymethods]
impl Node {
    /// Serves a document or a bundle, with what is asked of the process as JSON. Raises `ProblemsError`, or `OSError` when an
    /// address cannot be bound or the state folder cannot be used.
    #[staticmethod]
    #[pyo3(signature = (path, options = None))]
    fn start(py: Python<'_>, path: PathBuf, options: Option<&str>) -> PyResult<Self> {
        let options = generations::options(options)?;
        let (node, warnings) = py
            .detach(|| lockgate_proxy::Node::start_with(Source::File(path), options))
            .map_err(|error| error::start(&error))?;
        memory::give_back();
        Ok(Self {
            running: Mutex::new(Some(node)),
            warnings: error::problems_json(&warnings).to_string(),
        })
    }

    /// What the document was warned of at the start, as a JSON list of problems.
    fn warnings(&self) -> &str {
        &self.warnings
    }

    /// Reads the document again; JSON with `applied`, `id`, `generation`, `reason`, `live_ms` and `problems`.
    fn apply(&self, py: Python<'_>) -> PyResult<String> {
        let applied = py.detach(|| self.with(lockgate_proxy::Node::apply))?;
        Ok(json!({
            "applied": applied.applied,
            "id": applied.id,
            "generation": applied.generation,
            "reason": applied.reason,
            "live_ms": applied.live_ms(),
            "problems": error::problems_json(&applied.problems),
        })
        .to_string())
    }

    /// What the node did by itself since the last call, a sentence each.
    fn notices(&self) -> PyResult<Vec<String>> {
        self.with(lockgate_proxy::Node::notices)
    }

    /// The files that the document consists of and refers to, as the last reading found them.
    fn files(&self) -> PyResult<Vec<PathBuf>> {
        self.with(lockgate_proxy::Node::files)
    }

    /// Begins the rollout of another document, from the JSON that the admin listener takes. Gives its warnings as a JSON list. Raises
    /// `ProblemsError` for a candidate with errors, `ValueError` for what makes no sense or comes at the wrong time.
    fn begin_rollout(&self, py: Python<'_>, asked: &str) -> PyResult<String> {
        let asked: Asked = serde_json::from_str(asked)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let begun = py.detach(|| self.with(|node| node.begin_rollout(asked)))?;
        match begun {
            Ok(warnings) => Ok(error::problems_json(&warnings).to_string()),
            Err(NotBegun::Problems(found)) => Err(error::problems(&found)),
            Err(error) => Err(PyValueError::new_err(error.to_string())),
        }
    }

    /// Follows a command: `start`, `promote`, `pause` or `abort`. Raises `ValueError` when it cannot be followed.
    fn command_rollout(&self, py: Python<'_>, command: &str) -> PyResult<()> {
        let command = guard::word("command", command)?;
        py.detach(|| self.with(|node| node.command_rollout(command)))?
            .map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// The rollout that runs, else the last one, as JSON; nothing before the first.
    fn rollout(&self) -> PyResult<Option<String>> {
        self.with(|node| node.rollout().map(|rollout| rollout.to_string()))
    }

    /// Counts since the start as JSON.
    fn stats(&self) -> PyResult<String> {
        self.with(|node| node.stats().to_string())
    }

    /// The listeners: name, address that was really bound, `http` or `https`.
    fn listeners(&self) -> PyResult<Vec<(String, String, &'static str)>> {
        self.with(|node| {
            node.listeners()
                .iter()
                .map(|listening| {
                    let scheme = if listening.tls { "https" } else { "http" };
                    (
                        listening.name.clone(),
                        listening.address.to_string(),
                        scheme,
                    )
                })
                .collect()
        })
    }

    /// The address of the admin listener that was really bound.
    fn admin(&self) -> PyResult<String> {
        self.with(|node| node.admin().to_string())
    }

    /// Stops; gives whether all requests ended within the time. A second stop does nothing.
    fn stop(&self, py: Python<'_>, drain_seconds: f64) -> PyResult<bool> {
        let drain = Duration::try_from_secs_f64(drain_seconds)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let node = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        Ok(py.detach(|| node.is_none_or(|node| node.stop(drain))))
    }
}

#[pymodule]
fn _engine(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add(
        "ProblemsError",
        module.py().get_type::<error::ProblemsError>(),
    )?;
    module.add_class::<guard::Guard>()?;
    module.add_class::<Node>()?;
    module.add_class::<bench::Bench>()?;
    module.add_class::<recording::Events>()?;
    module.add_function(wrap_pyfunction!(check, module)?)?;
    module.add_function(wrap_pyfunction!(diff, module)?)?;
    module.add_function(wrap_pyfunction!(explain, module)?)?;
    module.add_function(wrap_pyfunction!(outline, module)?)?;
    module.add_function(wrap_pyfunction!(test, module)?)?;
    module.add_function(wrap_pyfunction!(replay::replay, module)?)?;
    module.add_function(wrap_pyfunction!(reading::read, module)?)?;
    module.add_function(wrap_pyfunction!(document_schema, module)?)?;
    module.add_function(wrap_pyfunction!(policy_catalogue, module)?)?;
    module.add_function(wrap_pyfunction!(hash_password, module)?)?;
    module.add_function(wrap_pyfunction!(new_key, module)?)?;
    generations::add(module)
}
