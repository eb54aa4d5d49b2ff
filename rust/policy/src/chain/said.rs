//! What policies said of a request.

use serde::Serialize;

/// What one policy said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerdictRecord {
    /// The place of the policy in the chain.
    pub policy: u16,
    /// What it said.
    pub word: Word,
    /// The reason code, when it refused or answered.
    pub code: Option<&'static str>,
    /// The rule of the policy that found something, by its place in [`Policy::own_rules`](crate::policy::Policy::own_rules).
    pub found_by: Option<u16>,
    /// Whether it is the word of a rule that is only tried out, and not that of the policy.
    pub tried: bool,
}

/// What a policy said, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// The request may go on.
    Allow,
    /// It is refused.
    Deny,
    /// The gateway answers itself.
    Respond,
    /// The policy has nothing to say.
    Pass,
    /// The policy does not apply: its share, its condition or its end.
    Skip,
    /// The policy could not decide.
    Undecided,
}

impl Word {
    /// The word as records hold it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Respond => "respond",
            Self::Pass => "pass",
            Self::Skip => "skip",
            Self::Undecided => "undecided",
        }
    }
}
