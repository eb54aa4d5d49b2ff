//! Time, as decisions see it.

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Whole seconds since 1970.
    pub const fn seconds(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Whole milliseconds since 1970.
    pub const fn millis(self) -> u64 {
        self.0 / 1_000
    }

    /// `seconds` since 1970.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds * 1_000_000)
    }
}
