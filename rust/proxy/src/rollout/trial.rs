//! What requests see of a rollout: which revision serves them, and where they report.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use lockgate_policy::{Timestamp, gateway_reasons as reasons, is_block};
use lockgate_recording::{Decision, Event};
use lockgate_rollout::{Arm, Arms, BadEvent, Caller, Ceiling, Metric, Moment, Share};

use super::beside::Beside;
use super::expected::Expected;
use super::tracks::Tracks;
use crate::core::Generation;
use crate::ending;
use crate::request_id::RequestId;

/// Who is served by the candidate.
#[derive(Debug, Clone, PartialEq)]
pub enum Serving {
    /// Nobody; it is asked beside the live revision.
    Nobody,
    /// A share of callers.
    Some {
        /// The share.
        share: Share,
        /// What it cannot exceed, whoever is chosen.
        ceiling: Ceiling,
    },
    /// Everybody.
    Everybody,
}

/// A stage of a rollout. Immutable: the next stage is another one.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The revision that the rollout began with.
    pub base: Arc<Generation>,
    /// The revision that it tries.
    pub candidate: Arc<Generation>,
    /// Who is in the canary.
    pub arms: Arc<Arms>,
    /// What is expected to differ.
    pub expected: Arc<Expected>,
    /// Who is served by the candidate.
    pub serving: Serving,
    /// What is slow, in microseconds; nothing while nobody has measured it.
    pub slow_us: Option<u64>,
    /// Where requests report.
    pub tracks: Arc<Tracks>,
    /// Where the other revision is asked.
    pub beside: Beside,
}

pub(super) const fn moment(at: Timestamp) -> Moment {
    Moment(at.0)
}

impl Trial {
    /// What serves those who are not in the canary. After a hard stop it is the base at once, before the rollout has moved.
    pub fn live(&self) -> &Arc<Generation> {
        if self.serving == Serving::Everybody && !self.tracks.is_tripped() {
            &self.candidate
        } else {
            &self.base
        }
    }

    /// The other of the two revisions.
    pub fn other(&self, than: &Generation) -> &Arc<Generation> {
        if self.is_candidate(than) {
            &self.base
        } else {
            &self.candidate
        }
    }

    /// Whether a generation is the candidate.
    pub fn is_candidate(&self, generation: &Generation) -> bool {
        std::ptr::eq(generation, &raw const *self.candidate)
    }

    /// Whether callers must be told apart.
    pub const fn divides(&self) -> bool {
        matches!(self.serving, Serving::Some { .. })
    }

    /// Whether the caller's arm is the canary, and the cap has room for the request.
    pub fn admits(
        &self,
        core: usize,
        at: Timestamp,
        (application, client): (Option<&str>, IpAddr),
    ) -> bool {
        let Serving::Some { share, ceiling } = &self.serving else {
            return false;
        };
        let is_wanted =
            !self.tracks.is_tripped() && self.arms.arm(*share, application, client) == Arm::Canary;
        let now = moment(at);
        self.tracks.admits(core, now, ceiling.at(now), is_wanted)
    }
}

/// Reports how a request fared: when its answer begins, and what came to light until it ended.
#[derive(Debug)]
pub struct Watch {
    trial: Arc<Trial>,
    core: usize,
    id: RequestId,
    arm: Arm,
    /// Who called as the live revision sees it; when nobody had to find out, the record knows.
    application: Option<Arc<str>>,
    told: Told,
}

/// What a [`Watch`] has reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    /// That there was a request, and nothing bad about it yet.
    Good,
    Bad,
}

impl Watch {
    /// Watches a request whose arm is known.
    pub fn new(
        trial: &Arc<Trial>,
        core: usize,
        id: &RequestId,
        (arm, application): (Arm, Option<Arc<str>>),
    ) -> Self {
        Self {
            trial: trial.clone(),
            core,
            id: id.clone(),
            arm,
            application,
            told: Told::Nothing,
        }
    }

    /// Which revision serves it.
    pub const fn arm(&self) -> Arm {
        self.arm
    }

    /// The request was answered after so long, or given up.
    pub fn answered(&mut self, event: &Event, took: Duration) {
        let Some(caller) = self.caller(event) else {
            return;
        };
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let tracks = &self.trial.tracks;
        tracks.add(self.core, (self.arm, caller), micros);
        self.told = Told::Good;
        if let Some(metric) = self.metric(event, micros) {
            self.bad(event, caller, metric);
        }
    }

    /// The answer has ended, or was given up.
    pub fn ended(mut self, event: &Event, took: Duration) {
        match self.told {
            Told::Nothing => self.answered(event, took),
            Told::Good => {
                if let Some((caller, metric)) = self.caller(event).zip(self.ending(event)) {
                    self.bad(event, caller, metric);
                }
            }
            Told::Bad => {}
        }
    }

    fn caller(&self, event: &Event) -> Option<Caller> {
        let client = event.client?;
        Some(self.trial.arms.caller(self.application(event), client))
    }

    fn application<'a>(&'a self, event: &'a Event) -> Option<&'a str> {
        self.application.as_deref().or(event.application.as_deref())
    }

    fn bad(&mut self, event: &Event, caller: Caller, metric: Metric) {
        self.told = Told::Bad;
        let bad = BadEvent {
            at: Moment(event.at),
            id: self.id.as_str().into(),
            caller,
            arm: self.arm,
            metric,
        };
        self.trial.tracks.bad(self.core, bad);
    }

    /// What only the end of an answer said: it broke off, gRPC failed, a model failed in the middle, or a policy withheld the rest.
    fn ending(&self, event: &Event) -> Option<Metric> {
        let failed = event
            .model_call
            .as_ref()
            .and_then(|call| call.failure.as_deref());
        if failed == Some(reasons::ANSWER_WITHHELD.code) {
            return self.unless_expected(event);
        }
        if event.broke_off || failed.is_some() {
            return Some(Metric::ServerError);
        }
        of_grpc(event.grpc_status?)
    }

    fn unless_expected(&self, event: &Event) -> Option<Metric> {
        let expected = &self.trial.expected;
        (!expected.refusals_of(self.application(event))).then_some(Metric::Refusal)
    }

    fn metric(&self, event: &Event, micros: u64) -> Option<Metric> {
        let is_slow = self.trial.slow_us.is_some_and(|slow| micros > slow);
        match event.code.as_deref() {
            Some("upstream.timeout") => Some(Metric::Timeout),
            Some(code)
                if code.starts_with("upstream.")
                    || code == "aggregate.part_failed"
                    || code == "policy.undecided" =>
            {
                Some(Metric::GatewayError)
            }
            // Somebody ordered it, whatever the revision.
            Some(code) if is_block(code) => None,
            // Paired decisions alone judge what the change says that it will refuse.
            Some(_) if event.decision == Decision::Refuse => self.unless_expected(event),
            _ if event.status >= 500 => Some(Metric::ServerError),
            None if event.decision == Decision::Forward && event.status >= 400 => {
                Some(Metric::ClientError)
            }
            // An answer of gRPC without a body says at once how it fared.
            _ => event
                .grpc_status
                .and_then(of_grpc)
                .or_else(|| is_slow.then_some(Metric::Slow)),
        }
    }
}

fn of_grpc(status: u8) -> Option<Metric> {
    match status {
        0 => None,
        status if ending::is_failure(status) => Some(Metric::ServerError),
        _ => Some(Metric::ClientError),
    }
}
