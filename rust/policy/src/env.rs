use crate::counters::Counters;
use crate::directory::Directory;
use crate::facts::Facts;

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

/// Everything a policy may know besides the request. Time comes from here and nowhere else, so that a replay sees the past.
pub struct Env<'a> {
    /// The time of the request.
    pub now: Timestamp,
    /// The facts known so far.
    pub facts: &'a Facts,
    /// Who may call.
    pub directory: &'a Directory,
    /// Usage by policy and key.
    pub counters: &'a std::sync::Arc<Counters>,
}
