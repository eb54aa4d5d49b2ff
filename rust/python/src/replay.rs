//! Replay as Python starts it and watches it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lockgate_config::{MAX_DOCUMENT_BYTES, Problem, read_applications};
use lockgate_policy::Directory;
use lockgate_proxy::fetch_key_sets;
use lockgate_replay::{Expectation, Known, Progress, ReplayError};
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use crate::{error, load};

/// How often Python hears how far it is, and signals are looked at.
const EVERY: Duration = Duration::from_millis(100);

/// Replays a recording through two documents; the report as JSON. `watch` is called with the bytes read, the bytes there are and
/// the requests judged. `applications` is the directory of the node that recorded, as JSON, in place of what the documents say who may
/// call. With `fetch_keys` the candidate is judged with the key sets that issuers publish now. Raises `ProblemsError` for a document or an expectation, `OSError` for the recording.
#[pyfunction]
#[pyo3(signature = (base, candidate, recording, expect=None, watch=None, fetch_keys=false, applications=None))]
#[expect(
    clippy::too_many_arguments,
    reason = "Python names them; each is one of its keywords"
)]
pub fn replay(
    py: Python<'_>,
    base: PathBuf,
    candidate: PathBuf,
    recording: PathBuf,
    expect: Option<PathBuf>,
    watch: Option<Py<PyAny>>,
    fetch_keys: bool,
    applications: Option<String>,
) -> PyResult<String> {
    py.detach(|| {
        let (mut base, mut candidate) = (load(base)?.0, load(candidate)?.0);
        if let Some(text) = applications {
            let directory = Arc::new(directory(&text)?);
            base.directory = directory.clone();
            candidate.directory = directory;
        }
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

/// Who may call, as a state folder holds it.
fn directory(text: &str) -> PyResult<Directory> {
    const NAME: &str = "directory";
    let kept = serde_json::from_str(text)
        .map_err(|error| PyValueError::new_err(format!("the directory is no JSON: {error}")))?;
    let read = read_applications(NAME, &kept).map_err(|found| error::problems(&found))?;
    let mut problems = Vec::new();
    let directory = Directory::of(&read, &mut problems);
    match problems.iter().any(Problem::is_error) {
        false => Ok(directory),
        true => Err(error::problems(&problems)),
    }
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
