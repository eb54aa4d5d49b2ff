//! Recordings as Python reads them.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use lockgate_recording::{Decision, Event, Filter, Reader};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use serde::Deserialize;

/// A filter as JSON; `status` is the lowest and the highest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    application: Option<String>,
    api: Option<String>,
    route: Option<String>,
    code: Option<String>,
    decision: Option<Decision>,
    status: Option<(u16, u16)>,
    since: Option<u64>,
    until: Option<u64>,
    client: Option<String>,
    path_contains: Option<String>,
    limit: Option<u64>,
}

/// The events of a recording as JSON, one after the other.
#[pyclass(frozen)]
pub struct Events(Mutex<Open>);

struct Open {
    reader: Reader,
    filter: Filter,
    given: u64,
    damages: Vec<String>,
}

impl Open {
    fn next(&mut self) -> Option<Event> {
        if self.filter.limit.is_some_and(|limit| self.given >= limit) {
            return None;
        }
        loop {
            match self.reader.next()? {
                Ok(event) if self.filter.matches(&event) => {
                    self.given += 1;
                    return Some(event);
                }
                Ok(_) => {}
                Err(error) => self.damages.push(error.to_string()),
            }
        }
    }
}

#[pymethods]
impl Events {
    /// Opens a segment or a folder of segments. Raises `OSError` when it cannot be read.
    #[new]
    fn new(path: PathBuf, wanted: &str) -> PyResult<Self> {
        let wanted: Wanted = serde_json::from_str(wanted)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let client = wanted.client.map(|text| {
            text.parse::<IpAddr>().map_err(|_| {
                PyValueError::new_err(format!(
                    "`{text}` is not an address; write one such as `192.0.2.7`"
                ))
            })
        });
        let reader = Reader::open(&path).map_err(|error| PyOSError::new_err(error.to_string()))?;
        let filter = Filter {
            application: wanted.application,
            api: wanted.api,
            route: wanted.route,
            code: wanted.code,
            decision: wanted.decision,
            status: wanted.status.map(|(lowest, highest)| lowest..=highest),
            since: wanted.since,
            until: wanted.until,
            client: client.transpose()?,
            path_contains: wanted.path_contains,
            limit: wanted.limit,
        };
        let damages = Vec::new();
        Ok(Self(Mutex::new(Open {
            reader,
            filter,
            given: 0,
            damages,
        })))
    }

    const fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    /// The next event as JSON.
    fn __next__(&self, py: Python<'_>) -> PyResult<Option<String>> {
        let event = py.detach(|| self.0.lock().unwrap_or_else(PoisonError::into_inner).next());
        event
            .map(|event| serde_json::to_string(&event))
            .transpose()
            .map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// What of the recording could not be read so far, one sentence each.
    fn damages(&self) -> Vec<String> {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lost = match open.reader.warnings().lost_ends {
            0 => None,
            1 => Some(
                "the end of a sealed segment is missing: its writer died, or the disk lost it"
                    .into(),
            ),
            ends => Some(format!(
                "the ends of {ends} sealed segments are missing: their writers died, or the disk lost them"
            )),
        };
        open.damages.iter().cloned().chain(lost).collect()
    }
}
