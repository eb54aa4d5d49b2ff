//! What requests see of a rollout: which revision serves them, and where they report.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use lockgate_policy::{Timestamp, is_block};
use lockgate_recording::{Decision, Event};
use lockgate_rollout::{Arm, Arms, BadEvent, Ceiling, Metric, Moment, Share};

use super::beside::Beside;
use super::expected::Expected;
use super::tracks::Tracks;
use crate::core::Generation;
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

/// Reports how a request fared; once, at the latest when it is dropped with the request.
#[derive(Debug)]
pub struct Watch {
    trial: Arc<Trial>,
    core: usize,
    id: RequestId,
    arm: Arm,
    /// Who called as the live revision sees it; when nobody had to find out, the record knows.
    application: Option<Arc<str>>,
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
        }
    }

    /// The request was answered after so long, or given up.
    pub fn ended(self, event: &Event, took: Duration) {
        let Some(client) = event.client else {
            return;
        };
        let application = self.application.as_deref().or(event.application.as_deref());
        let caller = self.trial.arms.caller(application, client);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bad = self
            .metric(event, micros, application)
            .map(|metric| BadEvent {
                at: Moment(event.at),
                id: self.id.as_str().into(),
                caller,
                arm: self.arm,
                metric,
            });
        let tracks = &self.trial.tracks;
        tracks.add(self.core, (self.arm, caller), micros, bad);
    }

    fn metric(&self, event: &Event, micros: u64, application: Option<&str>) -> Option<Metric> {
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
            Some(_) if event.decision == Decision::Refuse => {
                let is_expected = self.trial.expected.refusals_of(application);
                (!is_expected).then_some(Metric::Refusal)
            }
            _ if event.status >= 500 => Some(Metric::ServerError),
            None if event.decision == Decision::Forward && event.status >= 400 => {
                Some(Metric::ClientError)
            }
            _ => is_slow.then_some(Metric::Slow),
        }
    }
}
