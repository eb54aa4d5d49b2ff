//! How segments are named.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const PREFIX: &str = "events-";
const SUFFIX: &str = ".ndjson.zst";
const PART: &str = ".part";

/// The name of a segment; in order of start, then number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SegmentName {
    /// When it was opened: microseconds since the Unix epoch.
    pub(crate) start: u64,
    /// Its number in its directory.
    pub(crate) number: u64,
    /// Whether it is complete.
    pub(crate) sealed: bool,
}

impl SegmentName {
    /// Reads a name that [`path`](Self::path) wrote; any other gives nothing, so that files of others are never touched.
    pub(crate) fn read(name: &str) -> Option<Self> {
        let (name, sealed) = match name.strip_suffix(PART) {
            Some(name) => (name, false),
            None => (name, true),
        };
        let (start, number) = name
            .strip_prefix(PREFIX)?
            .strip_suffix(SUFFIX)?
            .split_once('-')?;
        let read = Self {
            start: start.parse().ok()?,
            number: number.parse().ok()?,
            sealed,
        };
        (read.as_sealed().text() == name).then_some(read)
    }

    pub(crate) fn as_sealed(self) -> Self {
        Self {
            sealed: true,
            ..self
        }
    }

    pub(crate) fn path(self, directory: &Path) -> PathBuf {
        directory.join(self.text())
    }

    fn text(self) -> String {
        let part = if self.sealed { "" } else { PART };
        // Fixed widths: sorting by name is sorting by time.
        format!(
            "{PREFIX}{:016}-{:06}{SUFFIX}{part}",
            self.start, self.number
        )
    }
}

/// The segments of a directory, oldest first; other files are left out.
pub(crate) fn list(directory: &Path) -> io::Result<Vec<SegmentName>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        names.extend(entry?.file_name().to_str().and_then(SegmentName::read));
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
#[path = "segment_name_tests.rs"]
mod tests;
