//! When segments end, and what a writer has done.

use std::time::Duration;

use serde::Serialize;

/// When segments end and how much is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentOptions {
    /// A segment is sealed when it has this many compressed bytes.
    pub rotate_bytes: u64,
    /// A segment is sealed when it is this old.
    pub rotate_every: Duration,
    /// Sealed segments are deleted, oldest first, while they have more bytes than this together. The newest one always stays,
    /// so the directory needs this and twice `rotate_bytes`.
    pub keep_bytes: u64,
}

impl Default for SegmentOptions {
    /// 64 MiB, one hour, 4 GiB.
    fn default() -> Self {
        Self {
            rotate_bytes: 64 << 20,
            rotate_every: Duration::from_secs(3600),
            keep_bytes: 4 << 30,
        }
    }
}

/// What a [`SegmentWriter`](super::SegmentWriter) has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SegmentStats {
    /// Events handed to the system.
    pub written: u64,
    /// Events lost because the disk did not take them.
    pub failed: u64,
    /// Compressed bytes written.
    pub bytes: u64,
    /// Segments sealed, those of dead processes included.
    pub sealed: u64,
    /// Segments deleted to stay within `keep_bytes`.
    pub deleted: u64,
    /// Attempts to write, seal or delete that failed.
    pub errors: u64,
}
