use crate::counters::Counters;
use crate::directory::Directory;
use crate::facts::Facts;
use crate::time::Timestamp;
use crate::verdict::Verdict;

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

impl Env<'_> {
    /// What a policy says that must know what was not recorded; `what` completes "… was not recorded".
    pub fn not_recorded(&self, what: &'static str) -> Verdict {
        self.facts.note_missing(what);
        Verdict::Undecided(what.into())
    }
}
