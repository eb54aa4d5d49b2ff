//! The answers to requests, shown to the policies of a chain that see them.

use bytes::Bytes;
use lockgate_config::{Mode, OnError};

use crate::env::Env;
use crate::policy::BoundPolicy;
use crate::reason;
use crate::request::{RequestView, ResponseView};
use crate::verdict::{Refusal, ResponseEdit, ResponseVerdict};

use super::Chain;
use super::progress::Progress;
use super::said::Word;
use super::turn::undecided;

impl Chain {
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
            if !progress.applied(*at) {
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

fn judge(
    bound: &BoundPolicy,
    request: &RequestView<'_>,
    response: &ResponseView<'_>,
    progress: &Progress,
    env: &mut Env<'_>,
) -> ResponseVerdict {
    let view = progress.known(request);
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
            progress.note(at, Word::Deny, Some(refusal.reason.code));
            if acts { Err(refusal) } else { Ok(None) }
        }
        ResponseVerdict::Undecided(_) => {
            progress.note(at, Word::Undecided, Some(reason::UNDECIDED.code));
            if acts && bound.on_error == OnError::Deny {
                Err(undecided())
            } else {
                Ok(None)
            }
        }
    }
}
