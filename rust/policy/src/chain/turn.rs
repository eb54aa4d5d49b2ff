//! One policy of a chain judges one request.

use lockgate_config::{Mode, OnError};

use crate::answer_rules::AnswerWatch;
use crate::env::Env;
use crate::need::Need;
use crate::policy::{BoundPolicy, Phase};
use crate::reason;
use crate::request::{Body, RequestView};
use crate::verdict::{Effect, Effects, Refusal, Verdict};

use super::progress::{Outcome, Progress, Step};
use super::said::Word;

/// Turns to the next policy, or ends.
pub(super) enum Turn {
    Next,
    Stop(Step),
}

/// Asks a policy, notes what it said, and takes what follows from it.
pub(super) fn evaluate(
    bound: &BoundPolicy,
    request: &RequestView<'_>,
    route: &str,
    progress: &mut Progress,
    env: &mut Env<'_>,
) -> Turn {
    let acts = bound.mode == Mode::Enforce;
    let at = progress.next;
    if acts && bound.kind.phase == Phase::Identify && progress.identity.is_some() {
        progress.note(at, Word::Skip, None);
        return Turn::Next;
    }
    let verdict = match applies(bound, request, route, progress, env) {
        Ok(true) => {
            let view = progress.known(request);
            bound.policy.evaluate(&view, env)
        }
        Ok(false) => {
            progress.note(at, Word::Skip, None);
            return Turn::Next;
        }
        Err(why) => Verdict::Undecided(why.into()),
    };
    match verdict {
        Verdict::Pass => progress.note(at, Word::Pass, None),
        Verdict::Allow(effects) => {
            progress.note_tried(at, &effects);
            progress.note(at, Word::Allow, None);
            take_effects(progress, effects, bound);
        }
        Verdict::Identified(identity, effects) => {
            progress.note(at, Word::Allow, None);
            take_effects(progress, effects, bound);
            if acts {
                progress.unidentified = None;
                progress.identity = Some(*identity);
            }
        }
        Verdict::NoCredential(refusal) => {
            progress.note(at, Word::Deny, Some(refusal.reason.code));
            if acts {
                progress.missing(refusal);
            }
        }
        Verdict::Deny(refusal) => {
            progress.note_refusal(at, &refusal);
            if acts {
                return Turn::Stop(Step::Decided(Outcome::Refuse(refusal)));
            }
        }
        Verdict::Respond(reply) => {
            progress.note(at, Word::Respond, Some(reply.code));
            if acts {
                return Turn::Stop(Step::Decided(Outcome::Respond(reply)));
            }
        }
        Verdict::Need(Need::Body(limit)) if is_larger(request.body, limit) => {
            progress.note(at, Word::Deny, Some(reason::BODY_TOO_LARGE.code));
            if acts {
                let refusal = Refusal::new(
                    &reason::BODY_TOO_LARGE,
                    "the body is larger than the policies of this API can look at",
                );
                return Turn::Stop(Step::Decided(Outcome::Refuse(Box::new(refusal))));
            }
        }
        Verdict::Need(need) => return Turn::Stop(Step::Need(need)),
        Verdict::Undecided(_) => {
            progress.note(at, Word::Undecided, Some(reason::UNDECIDED.code));
            if acts && bound.on_error == OnError::Deny {
                return Turn::Stop(Step::Decided(Outcome::Refuse(undecided())));
            }
        }
    }
    Turn::Next
}

/// Whether a policy applies: its end, its share of callers, its condition.
fn applies(
    bound: &BoundPolicy,
    request: &RequestView<'_>,
    route: &str,
    progress: &Progress,
    env: &Env<'_>,
) -> Result<bool, String> {
    if bound.mode == Mode::Off || bound.expires.is_some_and(|end| env.now >= end) {
        return Ok(false);
    }
    if let Some(prompt) = &progress.prompt
        && !bound.is_for(prompt.model.as_ref())
    {
        return Ok(false);
    }
    if bound.share < 10_000 && !bound.concerns(&progress.caller(request)) {
        return Ok(false);
    }
    match &bound.when {
        None => Ok(true),
        Some(condition) => condition.holds(&progress.known(request), route),
    }
}

/// Whether a body is known to have more bytes than `limit`.
const fn is_larger(body: Body<'_>, limit: usize) -> bool {
    matches!(body, Body::TooLarge(known) if limit <= known)
}

/// A shadow policy only holds what it counts, and looks at answers.
fn take_effects(progress: &mut Progress, effects: Effects, bound: &BoundPolicy) {
    let acts = bound.mode == Mode::Enforce;
    for effect in effects {
        match effect {
            Effect::WatchAnswer(banned) => progress.answers.watch(AnswerWatch {
                banned,
                acts,
                policy: u16::try_from(progress.next).unwrap_or(u16::MAX),
                id: bound.id.clone(),
                scope: bound.scope.clone(),
            }),
            Effect::Reserve(mut held) => {
                held.binds &= acts;
                progress.effects.push(Effect::Reserve(held));
            }
            Effect::Hold(_) => progress.effects.push(effect),
            Effect::Tried(..) => {}
            _ if !acts => {}
            Effect::Response(edit) => progress.edits.push(edit),
            Effect::Ask(rewritten) => {
                if let Some(prompt) = &mut progress.prompt {
                    prompt.asked = rewritten.asked;
                }
                progress.answers.put_back(rewritten.taken_out);
            }
            effect => progress.effects.push(effect),
        }
    }
}

/// The refusal when a policy that must not be passed over could not decide.
pub(super) fn undecided() -> Box<Refusal> {
    Box::new(Refusal::new(
        &reason::UNDECIDED,
        "a policy could not decide about this request",
    ))
}
