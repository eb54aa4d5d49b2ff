//! The policies of a route, one after the other.

mod said;

use std::sync::Arc;

use bytes::Bytes;
use lockgate_config::{Mode, OnError};
use smallvec::SmallVec;

use crate::answer_rules::{AnswerRules, AnswerWatch};
use crate::env::Env;
use crate::identity::Identity;
use crate::policy::{BoundPolicy, Phase};
use crate::prompt::Prompt;
use crate::reason;
use crate::recorded_prompt::RecordedPrompt;
use crate::request::{Body, RequestView, ResponseView};
pub use said::{VerdictRecord, Word};

use crate::verdict::{
    Effect, Effects, Need, Refusal, Reply, ResponseEdit, ResponseVerdict, Verdict,
};

/// The effective policies of a route: those that open it, then by phase, then by declaration from the outer scope to the inner.
#[derive(Debug, Default)]
pub struct Chain {
    policies: Vec<Arc<BoundPolicy>>,
    on_response: Vec<usize>,
}

/// How far a request has come and what was found out on the way.
#[derive(Debug, Default)]
pub struct Progress {
    next: usize,
    /// The policies that asked for the body of the answer, with the most bytes that each can look at.
    awaiting: SmallVec<[(usize, usize); 2]>,
    /// Who calls.
    pub identity: Option<Identity>,
    /// What is asked of a model.
    pub prompt: Option<Box<Prompt>>,
    /// What a recording keeps of it.
    pub to_record: Option<Box<RecordedPrompt>>,
    unidentified: Option<Box<Refusal>>,
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

/// Turns to the next policy, or ends.
enum Turn {
    Next,
    Stop(Step),
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
        note(
            progress,
            progress.next,
            Word::Undecided,
            Some(reason::UNDECIDED.code),
        );
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
        note(
            progress,
            progress.next,
            word,
            reason.map(|reason| reason.code),
        );
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

    /// Shows an answer, without its body, to the policies that see answers. Gives the most bytes of the body that one of them
    /// needs, when one does; [`Chain::judge_body`] then goes on.
    ///
    /// # Errors
    /// The refusal to send in place of the answer.
    pub fn judge_response(
        &self,
        request: &RequestView<'_>,
        response: &ResponseView<'_>,
        progress: &mut Progress,
        env: &mut Env<'_>,
    ) -> Result<Option<usize>, Box<Refusal>> {
        progress.awaiting.clear();
        for at in &self.on_response {
            let Some(bound) = self.policies.get(*at) else {
                continue;
            };
            if !applied(progress, *at) {
                continue;
            }
            let verdict = judge(bound, request, response, progress, env);
            if let ResponseVerdict::NeedBody(limit) = verdict {
                progress.awaiting.push((*at, limit));
            } else {
                take_response_verdict((*at, bound), verdict, progress)?;
            }
        }
        Ok(progress.awaiting.iter().map(|(_, limit)| *limit).max())
    }

    /// Shows the body to the policies that asked for it, each as the one before left it. `None` is a body larger than all can
    /// look at. Gives the body when a policy replaced it.
    ///
    /// # Errors
    /// The refusal to send in place of the answer.
    pub fn judge_body(
        &self,
        request: &RequestView<'_>,
        (response, body): (&ResponseView<'_>, Option<&[u8]>),
        progress: &mut Progress,
        env: &mut Env<'_>,
    ) -> Result<Option<Bytes>, Box<Refusal>> {
        let mut replaced: Option<Bytes> = None;
        for (at, limit) in std::mem::take(&mut progress.awaiting) {
            let Some(bound) = self.policies.get(at) else {
                continue;
            };
            let body = replaced.as_deref().or(body);
            let verdict = match body.filter(|body| body.len() <= limit) {
                None => {
                    ResponseVerdict::Undecided("the answer is too large to be looked at".into())
                }
                body => {
                    let response = ResponseView { body, ..*response };
                    match judge(bound, request, &response, progress, env) {
                        ResponseVerdict::NeedBody(_) => {
                            ResponseVerdict::Undecided("the answer was already shown".into())
                        }
                        verdict => verdict,
                    }
                }
            };
            if let Some(body) = take_response_verdict((at, bound), verdict, progress)? {
                replaced = Some(body);
            }
        }
        Ok(replaced)
    }
}

/// Whether a policy that sees answers applied to the request: what did not apply then does not apply now.
fn applied(progress: &Progress, policy: usize) -> bool {
    let last = progress
        .verdicts
        .iter()
        .rev()
        .find(|record| usize::from(record.policy) == policy);
    last.is_some_and(|record| !matches!(record.word, Word::Skip | Word::Undecided))
}

/// A request with what was found out on the way.
fn known<'a>(request: &RequestView<'a>, progress: &'a Progress) -> RequestView<'a> {
    RequestView {
        identity: progress.identity.as_ref(),
        prompt: progress.prompt.as_deref(),
        ..*request
    }
}

fn judge(
    bound: &BoundPolicy,
    request: &RequestView<'_>,
    response: &ResponseView<'_>,
    progress: &Progress,
    env: &mut Env<'_>,
) -> ResponseVerdict {
    let view = known(request, progress);
    bound.policy.judge_response(&view, response, env)
}

/// Gives the body when the verdict replaces it.
fn take_response_verdict(
    (at, bound): (usize, &BoundPolicy),
    verdict: ResponseVerdict,
    progress: &mut Progress,
) -> Result<Option<Bytes>, Box<Refusal>> {
    let acts = bound.mode == Mode::Enforce;
    match verdict {
        ResponseVerdict::Edit(edits) if acts => {
            let mut body = None;
            for edit in edits {
                match edit {
                    ResponseEdit::Body(bytes) => body = Some(bytes),
                    edit => progress.edits.push(edit),
                }
            }
            Ok(body)
        }
        ResponseVerdict::Pass | ResponseVerdict::Edit(_) | ResponseVerdict::NeedBody(_) => Ok(None),
        ResponseVerdict::Deny(refusal) => {
            note(progress, at, Word::Deny, Some(refusal.reason.code));
            if acts { Err(refusal) } else { Ok(None) }
        }
        ResponseVerdict::Undecided(_) => {
            note(progress, at, Word::Undecided, Some(reason::UNDECIDED.code));
            if acts && bound.on_error == OnError::Deny {
                Err(undecided())
            } else {
                Ok(None)
            }
        }
    }
}

fn note(progress: &mut Progress, policy: usize, word: Word, code: Option<&'static str>) {
    let policy = u16::try_from(policy).unwrap_or(u16::MAX);
    progress.verdicts.push(VerdictRecord {
        policy,
        word,
        code,
        found_by: None,
        tried: false,
    });
}

fn note_refusal(progress: &mut Progress, at: usize, refusal: &Refusal) {
    note(progress, at, Word::Deny, Some(refusal.reason.code));
    if let Some(record) = progress.verdicts.last_mut() {
        record.found_by = refusal.found_by;
    }
}

/// Rules that are tried out speak before their policy does: its own word is its last.
fn note_tried(progress: &mut Progress, at: usize, effects: &Effects) {
    for effect in effects {
        if let Effect::Tried(reason, rule) = effect {
            note(progress, at, Word::Deny, Some(reason.code));
            if let Some(record) = progress.verdicts.last_mut() {
                (record.found_by, record.tried) = (Some(*rule), true);
            }
        }
    }
}

fn undecided() -> Box<Refusal> {
    Box::new(Refusal::new(
        &reason::UNDECIDED,
        "a policy could not decide about this request",
    ))
}

fn caller<'a>(request: &RequestView<'_>, progress: &'a Progress) -> std::borrow::Cow<'a, str> {
    let identified = progress.identity.as_ref().and_then(Identity::key);
    identified.unwrap_or_else(|| request.client.to_string().into())
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
    if bound.share < 10_000 && !bound.concerns(&caller(request, progress)) {
        return Ok(false);
    }
    match &bound.when {
        None => Ok(true),
        Some(condition) => condition.holds(&known(request, progress), route),
    }
}

fn evaluate(
    bound: &BoundPolicy,
    request: &RequestView<'_>,
    route: &str,
    progress: &mut Progress,
    env: &mut Env<'_>,
) -> Turn {
    let acts = bound.mode == Mode::Enforce;
    let at = progress.next;
    if acts && bound.kind.phase == Phase::Identify && progress.identity.is_some() {
        note(progress, at, Word::Skip, None);
        return Turn::Next;
    }
    let verdict = match applies(bound, request, route, progress, env) {
        Ok(true) => {
            let view = known(request, progress);
            bound.policy.evaluate(&view, env)
        }
        Ok(false) => {
            note(progress, at, Word::Skip, None);
            return Turn::Next;
        }
        Err(why) => Verdict::Undecided(why.into()),
    };
    match verdict {
        Verdict::Pass => note(progress, at, Word::Pass, None),
        Verdict::Allow(effects) => {
            note_tried(progress, at, &effects);
            note(progress, at, Word::Allow, None);
            take_effects(progress, effects, bound);
        }
        Verdict::Identified(identity, effects) => {
            note(progress, at, Word::Allow, None);
            take_effects(progress, effects, bound);
            if acts {
                progress.unidentified = None;
                progress.identity = Some(*identity);
            }
        }
        Verdict::NoCredential(refusal) => {
            note(progress, at, Word::Deny, Some(refusal.reason.code));
            if acts {
                missing(progress, refusal);
            }
        }
        Verdict::Deny(refusal) => {
            note_refusal(progress, at, &refusal);
            if acts {
                return Turn::Stop(Step::Decided(Outcome::Refuse(refusal)));
            }
        }
        Verdict::Respond(reply) => {
            note(progress, at, Word::Respond, Some(reply.code));
            if acts {
                return Turn::Stop(Step::Decided(Outcome::Respond(reply)));
            }
        }
        Verdict::Need(Need::Body(limit)) if is_larger(request.body, limit) => {
            note(progress, at, Word::Deny, Some(reason::BODY_TOO_LARGE.code));
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
            note(progress, at, Word::Undecided, Some(reason::UNDECIDED.code));
            if acts && bound.on_error == OnError::Deny {
                return Turn::Stop(Step::Decided(Outcome::Refuse(undecided())));
            }
        }
    }
    Turn::Next
}

/// Whether a body is known to have more bytes than `limit`.
const fn is_larger(body: Body<'_>, limit: usize) -> bool {
    matches!(body, Body::TooLarge(known) if limit <= known)
}

/// Remembers that a credential was not there. Challenges of all policies that looked are sent together (RFC 9110 §11.6.1).
fn missing(progress: &mut Progress, refusal: Box<Refusal>) {
    match &mut progress.unidentified {
        None => progress.unidentified = Some(refusal),
        Some(first) => first.headers.extend(refusal.headers),
    }
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
