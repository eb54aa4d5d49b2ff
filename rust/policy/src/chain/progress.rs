//! How far a request has come through a chain, and what follows from each step.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::answer_rules::AnswerRules;
use crate::identity::Identity;
use crate::need::Need;
use crate::prompt::Prompt;
use crate::recorded_prompt::RecordedPrompt;
use crate::request::RequestView;
use crate::verdict::{Effect, Effects, Refusal, Reply, ResponseEdit};

use super::said::{VerdictRecord, Word};

/// How far a request has come and what was found out on the way.
#[derive(Debug, Default)]
pub struct Progress {
    pub(super) next: usize,
    /// The policies that asked for the body of the answer, with the most bytes that each can look at.
    pub(super) awaiting: SmallVec<[(usize, usize); 2]>,
    /// Who calls.
    pub identity: Option<Identity>,
    /// What is asked of a model.
    pub prompt: Option<Box<Prompt>>,
    /// What a recording keeps of it.
    pub to_record: Option<Box<RecordedPrompt>>,
    pub(super) unidentified: Option<Box<Refusal>>,
    /// What happens to the forwarded request.
    pub effects: SmallVec<[Effect; 4]>,
    /// What happens to the answer.
    pub edits: SmallVec<[ResponseEdit; 4]>,
    /// What happens to the answer of a model.
    pub answers: AnswerRules,
    /// What each policy said, in order.
    pub verdicts: SmallVec<[VerdictRecord; 12]>,
}

/// What the driver does next.
#[derive(Debug)]
pub enum Step {
    /// Get this, then advance again.
    Need(Need),
    /// It is decided.
    Decided(Outcome),
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Outcome {
    /// It is forwarded.
    Forward,
    /// The gateway answers.
    Respond(Box<Reply>),
    /// It is refused.
    Refuse(Box<Refusal>),
}

/// What follows from what a policy said of a request before.
#[derive(Debug)]
pub enum SaidBefore {
    /// The next policy is asked.
    GoesOn,
    /// It is decided.
    Decided(Outcome),
    /// Nothing: the policy does not say so.
    Unknown,
}

/// Where a chain stops.
pub(crate) enum Halt {
    /// The driver goes on.
    Step(Step),
    /// The next policy judges what is asked of a model, and that has not been read.
    Prompt,
}

impl Progress {
    /// Remembers what a policy said.
    pub(super) fn note(&mut self, policy: usize, word: Word, code: Option<&'static str>) {
        let policy = u16::try_from(policy).unwrap_or(u16::MAX);
        self.verdicts.push(VerdictRecord {
            policy,
            word,
            code,
            found_by: None,
            tried: false,
        });
    }

    pub(super) fn note_refusal(&mut self, policy: usize, refusal: &Refusal) {
        self.note(policy, Word::Deny, Some(refusal.reason.code));
        if let Some(record) = self.verdicts.last_mut() {
            record.found_by = refusal.found_by;
        }
    }

    /// Rules that are tried out speak before their policy does: its own word is its last.
    pub(super) fn note_tried(&mut self, policy: usize, effects: &Effects) {
        for effect in effects {
            if let Effect::Tried(reason, rule) = effect {
                self.note(policy, Word::Deny, Some(reason.code));
                if let Some(record) = self.verdicts.last_mut() {
                    (record.found_by, record.tried) = (Some(*rule), true);
                }
            }
        }
    }

    /// Whether a policy that sees answers applied to the request: what did not apply then does not apply now.
    pub(super) fn applied(&self, policy: usize) -> bool {
        let mut records = self.verdicts.iter().rev();
        let last = records.find(|record| usize::from(record.policy) == policy);
        last.is_some_and(|record| !matches!(record.word, Word::Skip | Word::Undecided))
    }

    /// Remembers that a credential was not there. Challenges of all policies that looked are sent together (RFC 9110 §11.6.1).
    pub(super) fn missing(&mut self, refusal: Box<Refusal>) {
        match &mut self.unidentified {
            None => self.unidentified = Some(refusal),
            Some(first) => first.headers.extend(refusal.headers),
        }
    }

    /// The request with what was found out on the way.
    pub(super) fn known<'a>(&'a self, request: &RequestView<'a>) -> RequestView<'a> {
        RequestView {
            identity: self.identity.as_ref(),
            prompt: self.prompt.as_deref(),
            ..*request
        }
    }

    /// Who calls, as shares of callers are counted: the address when nobody said who it is.
    pub(super) fn caller(&self, request: &RequestView<'_>) -> Cow<'_, str> {
        let identified = self.identity.as_ref().and_then(Identity::key);
        identified.unwrap_or_else(|| request.client.to_string().into())
    }
}
