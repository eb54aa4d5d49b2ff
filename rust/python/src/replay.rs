//! Replay as Python starts it and watches it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lockgate_config::{MAX_DOCUMENT_BYTES, Problem};
use lockgate_proxy::fetch_key_sets;
use lockgate_replay::{Expectation, Known, Progress, ReplayError};
use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;

use crate::{error, load};

/// How often Python hears how far it is, and signals are looked at.
const EVERY: Duration = Duration::from_millis(100);

/// Replays a recording through two documents; the report as JSON. `watch` is called with the bytes read, the bytes there are and
/// the requests judged. With `fetch_keys` the candidate is judged with the key sets that issuers publish now. Raises `ProblemsError` for a document or an expectation, `OSError` for the recording.
#[pyfunction]
#[pyo3(signature = (base, candidate, recording, expect=None, watch=None, fetch_keys=false))]
pub fn replay(
    py: Python<'_>,
    base: PathBuf,
    candidate: PathBuf,
    recording: PathBuf,
    expect: Option<PathBuf>,
    watch: Option<Py<PyAny>>,
    fetch_keys: bool,
) -> PyResult<String> {
    py.detach(|| {
        let (base, candidate) = (load(base)?.0, load(candidate)?.0);
        let expectation = match &expect {
            None => Expectation::default(),
            Some(path) => {
                let known = Known::of([&base, &candidate]);
                read(path)
                    .map_err(|problem| vec![problem])
                    .and_then(|text| Expectation::read(&path.display().to_string(), &text, &known))
                    .map_err(|found| error::problems(&found))?
            }
        };
        let key_sets = if fetch_keys {
            fetch_key_sets(&candidate).map_err(|error| PyOSError::new_err(error.to_string()))?
        } else {
            Vec::new()
        };
        let mut raised = None;
        let mut last = Instant::now();
        let mut on_progress = |progress: Progress| {
            if last.elapsed() < EVERY {
                return true;
            }
            last = Instant::now();
            raised = Python::attach(|py| tell(py, watch.as_ref(), progress)).err();
            raised.is_none()
        };
        let report = lockgate_replay::replay(
            base,
            candidate,
            &recording,
            &expectation,
            key_sets,
            &mut on_progress,
        );
        match (report, raised) {
            (_, Some(raised)) => Err(raised),
            (Err(error @ ReplayError::Stopped), None) => {
                Err(PyRuntimeError::new_err(error.to_string()))
            }
            (Err(error), None) => Err(PyOSError::new_err(error.to_string())),
            (Ok(report), None) => serde_json::to_string(&report)
                .map_err(|error| PyRuntimeError::new_err(error.to_string())),
        }
    })
}

fn tell(py: Python<'_>, watch: Option<&Py<PyAny>>, progress: Progress) -> PyResult<()> {
    py.check_signals()?;
    if let Some(watch) = watch {
        watch.call1(py, (progress.bytes, progress.of, progress.requests))?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, Problem> {
    let name = path.display().to_string();
    let unreadable =
        |error: std::io::Error| Problem::in_file(&name, format!("it cannot be read: {error}"));
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if usize::try_from(size).map_or(true, |size| size > MAX_DOCUMENT_BYTES) {
        return Err(Problem::in_file(&name, "it is larger than 64MiB"));
    }
    std::fs::read_to_string(path).map_err(unreadable)
}
