//! What was decided about a recorded request, by whom, and what follows from it.

use std::sync::Arc;

use lockgate_config::Mode;
use lockgate_policy::{
    Asked, BoundPolicy, Effect, Outcome, Refusal, RouteTarget, Word, gateway_reasons as reasons,
};
use lockgate_recording::Decision;

use crate::judgement::{Decided, Judgement};
use crate::rules::Unseen;
use crate::words::Answer;

use super::judging::Judging;

impl<'r> Judging<'r, '_> {
    /// The policy that withholds the recorded answer of a model.
    fn withheld(&mut self) -> Option<(&'r Arc<BoundPolicy>, Refusal)> {
        for watch in self.progress.answers.acting() {
            let policies = self.route.chain.policies();
            let Some(policy) = policies.get(usize::from(watch.policy)) else {
                continue;
            };
            let judged = match &self.request.answer {
                Answer::None => Ok(None),
                Answer::Kept(answer) => watch.judge_recorded(answer),
                Answer::NotKept => Err("the answer of the model"),
            };
            let what = match judged {
                Ok(None) => continue,
                Ok(Some(refusal)) => return Some((policy, refusal)),
                Err(what) => what,
            };
            match self.said_before(Some(policy)).map(|before| before.word) {
                Some(Word::Allow | Word::Pass) => {}
                Some(Word::Deny) => {
                    let detail = "as the policy said when the answer was recorded";
                    return Some((policy, Refusal::new(&reasons::ANSWER_WITHHELD, detail)));
                }
                _ => self.unseen.push(Unseen { policy, what }),
            }
        }
        None
    }

    /// What policies took out of the prompt, and the last of them that did.
    fn redacted(&self) -> Option<(String, Option<&'r Arc<BoundPolicy>>)> {
        let Asked::Recorded(recalled) = &self.progress.prompt.as_ref()?.asked else {
            return None;
        };
        let names: Vec<&str> = recalled.redacted.iter().map(|class| class.name()).collect();
        let mut policies = self.route.chain.policies().iter().rev();
        let policy = policies.find(|policy| policy.kind.name == "redact_prompt");
        (!names.is_empty()).then(|| (format!("redacted {}", names.join(", ")), policy))
    }

    /// The last policy that acts and said this, for this reason.
    fn who_said(&self, word: Word, code: &str) -> Option<&'r Arc<BoundPolicy>> {
        let policies = self.route.chain.policies();
        self.progress.verdicts.iter().rev().find_map(|record| {
            let policy = policies.get(usize::from(record.policy))?;
            let said = !record.tried && record.word == word && record.code == Some(code);
            (said && policy.mode == Mode::Enforce).then_some(policy)
        })
    }

    /// The judgement of a request about which `outcome` was decided.
    pub fn decided(&mut self, outcome: Outcome) -> Judgement<'r> {
        if let Some(what) = self.facts.missing()
            && let Some(policy) = self.who_said(Word::Undecided, reasons::UNDECIDED.code)
        {
            return self.unjudged(Some(policy), what.into());
        }
        let application = self.application();
        let policy = match &outcome {
            Outcome::Forward => None,
            Outcome::Respond(reply) => self.who_said(Word::Respond, reply.code),
            Outcome::Refuse(refusal) => self
                .who_said(Word::Deny, refusal.reason.code)
                .or_else(|| self.who_said(Word::Undecided, refusal.reason.code)),
        };
        let at = Decided {
            policy,
            route: Some(self.route),
            application,
            ..Decided::refused(&reasons::NO_ROUTE)
        };
        Judgement::Decided(match outcome {
            Outcome::Forward if matches!(self.route.target, RouteTarget::Nobody) => at,
            Outcome::Forward if self.streams_too_much() => Decided {
                code: Some(reasons::BODY_TOO_LARGE.code),
                status: Some(reasons::BODY_TOO_LARGE.status),
                remedy: Some(reasons::BODY_TOO_LARGE.remedy),
                ..at
            },
            Outcome::Forward => self.forwarded(at),
            Outcome::Respond(reply) => Decided {
                decision: Decision::Respond,
                code: Some(reply.code),
                status: Some(reply.status.as_u16()),
                remedy: None,
                ..at
            },
            Outcome::Refuse(refusal) => Decided {
                found_by: policy
                    .and_then(|policy| policy.own_rule(refusal.found_by))
                    .cloned(),
                code: Some(refusal.reason.code),
                status: Some(refusal.reason.status),
                detail: Some(refusal.detail),
                remedy: Some(refusal.reason.remedy),
                ..at
            },
        })
    }

    /// A request that goes on, and whose answer, of a model, policies may withhold.
    fn forwarded(&mut self, at: Decided<'r>) -> Decided<'r> {
        if let Some((policy, refusal)) = self.withheld() {
            return Decided {
                detail: Some(refusal.detail),
                policy: Some(policy),
                route: at.route,
                application: at.application,
                asked: true,
                ..Decided::refused(refusal.reason)
            };
        }
        let (redacted, policy) = self.redacted().unzip();
        Decided {
            decision: Decision::Forward,
            code: None,
            status: None,
            remedy: None,
            policy: policy.flatten(),
            redacted,
            unseen: std::mem::take(&mut self.unseen),
            asked: true,
            ..at
        }
    }

    /// Whether the body is longer than policies let through.
    fn streams_too_much(&self) -> bool {
        let bytes = self.request.body_bytes.unwrap_or_default();
        let mut effects = self.progress.effects.iter();
        effects.any(|effect| matches!(effect, Effect::LimitBody(limit) if bytes > *limit))
    }
}
