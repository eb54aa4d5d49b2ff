//! The policies of a route, one after the other.

mod answers;
mod progress;
mod said;
mod turn;

use std::sync::Arc;

use lockgate_config::Mode;

use crate::env::Env;
use crate::policy::{BoundPolicy, Phase};
use crate::reason;
use crate::request::RequestView;
use crate::verdict::Refusal;

pub(crate) use progress::Halt;
pub use progress::{Outcome, Progress, SaidBefore, Step};
pub use said::{VerdictRecord, Word};

use turn::{Turn, evaluate};

/// The effective policies of a route: those that open it, then by phase, then by declaration from the outer scope to the inner.
#[derive(Debug, Default)]
pub struct Chain {
    policies: Vec<Arc<BoundPolicy>>,
    on_response: Vec<usize>,
}

impl Chain {
    /// A chain of policies that are already in order.
    pub fn new(policies: Vec<Arc<BoundPolicy>>) -> Self {
        let on_response = policies
            .iter()
            .enumerate()
            .filter(|(_, bound)| bound.policy.sees_responses())
            .map(|(at, _)| at)
            .collect();
        Self {
            policies,
            on_response,
        }
    }

    /// The policies in the order of evaluation.
    pub fn policies(&self) -> &[Arc<BoundPolicy>] {
        &self.policies
    }

    /// Whether some policy sees answers.
    pub fn sees_responses(&self) -> bool {
        !self.on_response.is_empty()
    }

    /// Whether some policy answers preflights.
    pub fn answers_preflights(&self) -> bool {
        self.policies
            .iter()
            .any(|bound| bound.mode == Mode::Enforce && bound.policy.answers_preflights())
    }

    /// Evaluates policies until one decides, one needs something, or all have allowed.
    pub(crate) fn advance(
        &self,
        request: &RequestView<'_>,
        route: &str,
        progress: &mut Progress,
        env: &mut Env<'_>,
    ) -> Halt {
        while let Some(bound) = self.policies.get(progress.next) {
            if bound.kind.phase > Phase::Identify
                && let Some(refusal) = progress.unidentified.take()
            {
                return Halt::Step(Step::Decided(Outcome::Refuse(refusal)));
            }
            if progress.prompt.is_none() && bound.needs_prompt() {
                return Halt::Prompt;
            }
            match evaluate(bound, request, route, progress, env) {
                Turn::Next => progress.next += 1,
                Turn::Stop(step) => return Halt::Step(step),
            }
        }
        let outcome = match progress.unidentified.take() {
            Some(refusal) => Outcome::Refuse(refusal),
            None => Outcome::Forward,
        };
        Halt::Step(Step::Decided(outcome))
    }

    /// The policy that is asked next, or has asked for something.
    pub fn next(&self, progress: &Progress) -> Option<&Arc<BoundPolicy>> {
        self.policies.get(progress.next)
    }

    /// Goes past the next policy, which could not decide: for a policy in shadow whose need cannot be met.
    pub fn pass_over(&self, progress: &mut Progress) {
        progress.note(progress.next, Word::Undecided, Some(reason::UNDECIDED.code));
        progress.next += 1;
    }

    /// Goes past the next policy with what it said of this request before, for one that cannot be asked again.
    pub fn said_before(
        &self,
        progress: &mut Progress,
        word: Word,
        code: Option<&str>,
    ) -> SaidBefore {
        let Some(bound) = self.next(progress) else {
            return SaidBefore::Unknown;
        };
        let reason = match (word, code) {
            (Word::Allow | Word::Pass, None) => None,
            (Word::Deny, Some(code)) => {
                let mut reasons = bound.kind.reasons.iter();
                match reasons.find(|reason| reason.code == code) {
                    Some(reason) => Some(*reason),
                    None => return SaidBefore::Unknown,
                }
            }
            _ => return SaidBefore::Unknown,
        };
        progress.note(progress.next, word, reason.map(|reason| reason.code));
        match reason {
            Some(reason) if bound.mode == Mode::Enforce => {
                let detail = "as the policy said when the request was recorded";
                let refusal = Box::new(Refusal::new(reason, detail));
                SaidBefore::Decided(Outcome::Refuse(refusal))
            }
            _ => {
                progress.next += 1;
                SaidBefore::GoesOn
            }
        }
    }

    /// Advances only until it is known who calls: gives nothing once every policy that identifies has spoken, and
    /// [`Chain::advance`] goes on from there.
    pub fn identify(
        &self,
        request: &RequestView<'_>,
        route: &str,
        progress: &mut Progress,
        env: &mut Env<'_>,
    ) -> Option<Step> {
        while let Some(bound) = self.policies.get(progress.next) {
            if !bound.policy.opens() && bound.kind.phase > Phase::Identify {
                return None;
            }
            match evaluate(bound, request, route, progress, env) {
                Turn::Next => progress.next += 1,
                Turn::Stop(step) => return Some(step),
            }
        }
        None
    }
}
