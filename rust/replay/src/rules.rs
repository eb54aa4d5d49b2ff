//! What policies said when the request was recorded: true of a rule that is still the same, whatever was kept of the request.

use std::sync::Arc;

use lockgate_policy::{BoundPolicy, Word};
use lockgate_recording::Verdict;

/// What a policy said of a recorded request.
#[derive(Debug, Clone, Copy)]
pub struct Before<'e> {
    pub word: Word,
    pub code: Option<&'e str>,
}

/// What a policy said of a request, when its rule has not changed since. Whether it acted then, and on whom, does not matter: a guard
/// that was in shadow has said what it will say.
pub fn said<'e>(policy: &BoundPolicy, verdicts: &'e [Verdict]) -> Option<Before<'e>> {
    let rule = policy.rule.as_ref()?;
    let mut verdicts = verdicts.iter();
    let said = verdicts.find(|said| said.id == policy.id && said.scope == policy.scope)?;
    let word = match &*said.word {
        "allow" => Word::Allow,
        "pass" => Word::Pass,
        "deny" => Word::Deny,
        _ => return None,
    };
    let same = said.rule.as_ref() == Some(rule);
    same.then_some(Before {
        word,
        code: said.code.as_deref(),
    })
}

/// Whether two policies do the same to a call to a model.
pub fn are_alike(a: &Arc<BoundPolicy>, b: &Arc<BoundPolicy>) -> bool {
    a.rule.is_some() && a.rule == b.rule
}

/// A policy of whose work nothing is known, and what had to be recorded.
#[derive(Debug, Clone, Copy)]
pub struct Unseen<'r> {
    pub policy: &'r Arc<BoundPolicy>,
    pub what: &'static str,
}

impl Unseen<'_> {
    pub fn may_refuse(&self) -> bool {
        !self.policy.kind.reasons.is_empty()
    }
}
