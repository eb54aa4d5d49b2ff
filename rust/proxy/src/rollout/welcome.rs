//! Whom the service has refused for the first time.
//!
//! A service refuses some callers every day, and which arm they are in is chance: their number says nothing of a candidate. That
//! one is refused who never was says something, once.

use std::collections::HashSet;

use lockgate_rollout::Caller;

/// Callers that are told apart; of those past them nothing is said, in either arm.
const MOST: usize = 16_384;

/// Whom the service answers, and whom it has refused.
#[derive(Debug, Default)]
pub struct Welcome {
    answered: HashSet<Caller>,
    refused: HashSet<Caller>,
}

impl Welcome {
    /// The service refused a caller; whether that is the first time after it had answered it.
    pub fn refused(&mut self, caller: Caller) -> bool {
        self.refused.len() < MOST && self.refused.insert(caller) && self.answered.contains(&caller)
    }

    /// These callers sent requests, of which all that the service refused are known already.
    pub fn sent(&mut self, callers: impl Iterator<Item = Caller>) {
        for caller in callers {
            if self.answered.len() < MOST && !self.refused.contains(&caller) {
                self.answered.insert(caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_refusal_of_a_caller_that_was_answered_before_says_something() {
        let [known, always] = ["known", "always"].map(Caller::named);
        let mut welcome = Welcome::default();
        assert!(!welcome.refused(always));
        welcome.sent([known, always].into_iter());
        assert!(welcome.refused(known));
        assert!(!welcome.refused(known) && !welcome.refused(always));
        welcome.sent([known].into_iter());
        assert!(!welcome.refused(known));
    }
}
