//! Generations and bundles as Python uses them.

use std::path::PathBuf;
use std::time::Duration;

use lockgate_config::{Source, read_file};
use lockgate_generations::{
    Bundle, Listing, MAX_BUNDLE_BYTES, Nack, Opened, PublicKey, SigningKey, Store, Target,
};
use lockgate_proxy::{Bake, Options, Taster};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use serde::Deserialize;
use serde_json::json;

use crate::{error, memory, now as timestamp};

/// What is asked of the process and not of the document.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Asked {
    state: Option<PathBuf>,
    /// The public key, PEM.
    trust: Option<String>,
    taster: Option<Vec<String>>,
    taster_seconds: Option<f64>,
    bake_seconds: Option<f64>,
    bake_requests: Option<u64>,
    rollouts_only: bool,
}

/// Reads the options of a node.
pub fn options(text: Option<&str>) -> PyResult<Options> {
    let wrong = |error: String| PyValueError::new_err(error);
    let asked: Asked = text
        .map(serde_json::from_str)
        .transpose()
        .map_err(|error| wrong(error.to_string()))?
        .unwrap_or_default();
    let seconds = |value: Option<f64>, usual: Duration| {
        value.map_or(Ok(usual), |value| {
            Duration::try_from_secs_f64(value).map_err(|error| wrong(error.to_string()))
        })
    };
    let usual = Bake::default();
    let trust = asked.trust.as_deref().map(PublicKey::from_pem).transpose();
    let wait = seconds(asked.taster_seconds, Duration::from_secs(30))?;
    Ok(Options {
        state: asked.state,
        trust: trust.map_err(|error| wrong(error.to_string()))?,
        taster: asked.taster.map(|command| Taster { command, wait }),
        bake: Bake {
            time: seconds(asked.bake_seconds, usual.time)?,
            requests: asked.bake_requests.unwrap_or(usual.requests),
        },
        rollouts_only: asked.rollouts_only,
        give_back: Some(memory::give_back),
        ..Options::default()
    })
}

fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// What a taster does: compiles a candidate and judges requests by it; JSON in, JSON out.
#[pyfunction]
fn taste(py: Python<'_>, asked: &str) -> PyResult<String> {
    let tasted = py
        .detach(|| lockgate_proxy::taste(asked, timestamp()))
        .map_err(PyValueError::new_err)?;
    serde_json::to_string(&tasted).map_err(|error| PyRuntimeError::new_err(error.to_string()))
}

/// What a state folder keeps, as JSON. Raises `OSError`.
#[pyfunction]
fn generations(state: PathBuf) -> PyResult<String> {
    let found = Listing::read(&state).map_err(|error| error::store(&error))?;
    serde_json::to_string(&found).map_err(|error| PyRuntimeError::new_err(error.to_string()))
}

/// Goes back in the state folder of a node that does not run: its next start serves that. JSON with `generation` and `id`. Raises
/// `OSError` when a node runs, `ValueError` when there is nothing to go back to.
#[pyfunction]
fn roll_back(py: Python<'_>, state: PathBuf, to: &str, why: &str) -> PyResult<String> {
    let target: Target = to.parse().map_err(PyValueError::new_err)?;
    let done = py.detach(|| {
        let Opened { mut store, .. } = Store::open(&state, now())?;
        let mut said = None;
        for generation in store.targets(target)? {
            match store.load(generation) {
                Ok((bundle, _)) => {
                    store.go_back(generation, why, now()).map_err(|error| {
                        lockgate_generations::StoreError::Disk {
                            folder: state.clone(),
                            error,
                        }
                    })?;
                    let id = bundle.id();
                    return Ok(json!({ "generation": generation, "id": id }));
                }
                Err(error) => said = said.or(Some(error)),
            }
        }
        Err(said.unwrap_or(lockgate_generations::StoreError::NoTarget(
            "none is kept".to_owned(),
        )))
    });
    done.map(|done| done.to_string())
        .map_err(|error| error::store(&error))
}

/// Revokes in the state folder of a node that does not run; JSON with `revoked`. Raises `ValueError`.
#[pyfunction]
fn revoke(py: Python<'_>, state: PathBuf, what: &str) -> PyResult<String> {
    let revoked = py
        .detach(|| lockgate_proxy::revoke_on_disk(&state, what, now()))
        .map_err(PyValueError::new_err)?;
    Ok(json!({ "revoked": revoked, "known": null }).to_string())
}

/// Blocks for a time in the state folder of a node that does not run: JSON with `what`, `seconds`, `why`, `who` and `per_minute` in,
/// JSON with `block` out. Raises `ValueError`.
#[pyfunction]
fn block(py: Python<'_>, state: PathBuf, wanted: &str) -> PyResult<String> {
    let wanted: lockgate_proxy::WantedBlock =
        serde_json::from_str(wanted).map_err(|error| PyValueError::new_err(error.to_string()))?;
    let block = py
        .detach(|| lockgate_proxy::block_on_disk(&state, &wanted, now()))
        .map_err(PyValueError::new_err)?;
    Ok(json!({ "block": block }).to_string())
}

/// Ends a block in the state folder of a node that does not run; JSON with `block`. Raises `ValueError`.
#[pyfunction]
fn unblock(py: Python<'_>, state: PathBuf, what: &str) -> PyResult<String> {
    let block = py
        .detach(|| lockgate_proxy::unblock_on_disk(&state, what, now()))
        .map_err(PyValueError::new_err)?;
    Ok(json!({ "block": block }).to_string())
}

/// What is blocked, as a state folder knows it, as JSON. Raises `ValueError`.
#[pyfunction]
fn blocks(py: Python<'_>, state: PathBuf) -> PyResult<String> {
    let blocks = py
        .detach(|| lockgate_proxy::blocks_on_disk(&state, now()))
        .map_err(PyValueError::new_err)?;
    serde_json::to_string(&blocks).map_err(|error| PyRuntimeError::new_err(error.to_string()))
}

/// Publishes a directory in the state folder of a node that does not run; its sequence. Raises `ValueError`.
#[pyfunction]
fn publish_directory(py: Python<'_>, state: PathBuf, path: PathBuf) -> PyResult<u64> {
    py.detach(|| lockgate_proxy::publish_on_disk(&state, &path, now()))
        .map_err(PyValueError::new_err)
}

/// A new Ed25519 key: the private and the public half, PEM.
#[pyfunction]
fn new_signing_key() -> PyResult<(String, String)> {
    let key = SigningKey::generate().map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
    Ok((key.to_pem(), key.public().to_pem()))
}

/// Checks a document and packs it as a bundle, signed when there is a key (PEM); JSON with `bundle`, `id` and
/// `problems`. Raises `ProblemsError`.
#[pyfunction]
fn build_bundle(
    py: Python<'_>,
    path: PathBuf,
    generation: u64,
    base: Option<String>,
    key: Option<&str>,
) -> PyResult<String> {
    let key = key
        .map(SigningKey::from_pem)
        .transpose()
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    py.detach(|| {
        let (bundle, warnings) = lockgate_proxy::pack(&Source::File(path), generation, base, now())
            .map_err(|found| error::problems(&found))?;
        let bundle = match &key {
            Some(key) => bundle.sign(key),
            None => bundle,
        };
        Ok(json!({
            "bundle": bundle.text(),
            "id": bundle.id(),
            "signed_with": bundle.signed_with(),
            "files": bundle.file_names().collect::<Vec<_>>(),
            "problems": error::problems_json(&warnings),
        })
        .to_string())
    })
}

/// Looks at a bundle as a node would; JSON with what it says, or with `reason`, `message` and `help` when it would be refused.
#[pyfunction]
fn verify_bundle(py: Python<'_>, path: PathBuf, trust: Option<&str>) -> PyResult<String> {
    let trust = trust
        .map(PublicKey::from_pem)
        .transpose()
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    let found = py.detach(|| {
        let bytes = read_file(&path, MAX_BUNDLE_BYTES as u64)
            .map_err(|error| Nack::Malformed(error.to_string()))?;
        let bundle = Bundle::read(&bytes)?;
        trust.map_or(Ok(()), |key| bundle.verify(&key))?;
        Ok(bundle)
    });
    Ok(match found {
        Ok(bundle) => json!({
            "reason": null,
            "id": bundle.id(),
            "generation": bundle.generation(),
            "base": bundle.base(),
            "created": bundle.created().to_string(),
            "signed_with": bundle.signed_with(),
            "verified": trust.is_some(),
            "files": bundle.file_names().collect::<Vec<_>>(),
        }),
        Err::<_, Nack>(nack) => json!({
            "reason": nack.code(),
            "message": nack.to_string(),
            "help": nack.help(),
        }),
    }
    .to_string())
}

/// Adds the functions of this file.
pub fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(taste, module)?)?;
    module.add_function(wrap_pyfunction!(generations, module)?)?;
    module.add_function(wrap_pyfunction!(roll_back, module)?)?;
    module.add_function(wrap_pyfunction!(revoke, module)?)?;
    module.add_function(wrap_pyfunction!(block, module)?)?;
    module.add_function(wrap_pyfunction!(unblock, module)?)?;
    module.add_function(wrap_pyfunction!(blocks, module)?)?;
    module.add_function(wrap_pyfunction!(publish_directory, module)?)?;
    module.add_function(wrap_pyfunction!(new_signing_key, module)?)?;
    module.add_function(wrap_pyfunction!(build_bundle, module)?)?;
    module.add_function(wrap_pyfunction!(verify_bundle, module)?)
}
