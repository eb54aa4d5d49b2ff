//! What a revision says of a recorded request.

use std::borrow::Cow;
use std::sync::Arc;

use lockgate_policy::{BoundPolicy, Reason, Route};
use lockgate_recording::Decision;

use crate::authorities::UNTRUSTED;
use crate::rules::{Unseen, are_alike};

/// What a revision says of a request.
#[derive(Debug)]
pub enum Judgement<'r> {
    Decided(Decided<'r>),
    Unjudged(Lack<'r>),
}

/// A decision.
#[derive(Debug)]
pub struct Decided<'r> {
    pub decision: Decision,
    /// The reason code, or that of the gateway's own answer.
    pub code: Option<&'static str>,
    pub status: Option<u16>,
    pub detail: Option<Cow<'static, str>>,
    pub remedy: Option<&'static str>,
    /// The policy that refused or answered.
    pub policy: Option<&'r Arc<BoundPolicy>>,
    /// The rule of its settings that found something.
    pub found_by: Option<Arc<str>>,
    pub route: Option<&'r Route>,
    pub application: Option<Arc<str>>,
    /// What policies took out of the prompt of a request that goes on.
    pub redacted: Option<String>,
    /// Policies of whose work on the prompt and the answer nothing is known. They let the request go on.
    pub unseen: Vec<Unseen<'r>>,
    /// Whether the service was asked: an answer may be withheld that has cost something.
    pub asked: bool,
}

/// Why a request cannot be judged.
#[derive(Debug)]
pub struct Lack<'r> {
    pub policy: Option<&'r Arc<BoundPolicy>>,
    pub route: Option<&'r Route>,
    /// It completes "… was not recorded".
    pub what: Cow<'static, str>,
}

impl Decided<'_> {
    /// A refusal before any policy.
    pub fn refused(reason: &'static Reason) -> Self {
        Self {
            decision: Decision::Refuse,
            code: Some(reason.code),
            status: Some(reason.status),
            detail: None,
            remedy: Some(reason.remedy),
            policy: None,
            found_by: None,
            route: None,
            application: None,
            redacted: None,
            unseen: Vec::new(),
            asked: false,
        }
    }

    /// The handshake fails.
    pub fn unconnected() -> Self {
        Self {
            status: None,
            ..Self::refused(&UNTRUSTED)
        }
    }

    /// What of two revisions' work on a request may differ, and cannot be known: whose, and what was not recorded.
    pub fn unseen_beside(&self, candidate: &Self) -> Option<(&'static str, Lack<'_>)> {
        let goes_on = |side: &Self| side.decision == Decision::Forward;
        let both_go_on = goes_on(self) && goes_on(candidate);
        let of = |side: &Self, other: &Self| {
            let known = |unseen: &Unseen<'_>| {
                let mut others = other.unseen.iter();
                others.any(|other| are_alike(other.policy, unseen.policy))
            };
            let mut unseen = side.unseen.iter();
            unseen
                .find(|unseen| (both_go_on || unseen.may_refuse()) && !known(unseen))
                .copied()
        };
        let differs = of(candidate, self).map(|unseen| ("candidate", unseen));
        let (by, unseen) =
            differs.or_else(|| of(self, candidate).map(|unseen| ("base", unseen)))?;
        let lack = Lack {
            policy: Some(unseen.policy),
            route: candidate.route.or(self.route),
            what: unseen.what.into(),
        };
        Some((by, lack))
    }
}
