//! Why a recording cannot be written.

use std::io;
use std::path::{Path, PathBuf};

/// Why a recording cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The directory does not exist and cannot be made, or cannot be read.
    #[error("recording directory `{}` cannot be used: {source}; name a directory that this user can write, or create it", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A segment cannot be created.
    #[error("segment `{}` cannot be created: {source}; make its directory writable for this user", path.display())]
    Create {
        /// The segment.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A segment cannot be written or sealed.
    #[error("segment `{}` cannot be written: {source}; free space on its disk or lower `keep_bytes`", path.display())]
    Write {
        /// The segment.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The thread that writes cannot be started.
    #[error(
        "the recording thread cannot be started: {source}; raise the limit of threads of this user"
    )]
    Thread {
        /// What the system said.
        source: io::Error,
    },
}

impl SegmentError {
    pub(super) fn directory(path: &Path, source: io::Error) -> Self {
        Self::Directory {
            path: path.to_owned(),
            source,
        }
    }
}
