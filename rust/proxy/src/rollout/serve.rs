//! Requests while a rollout runs: who calls, which revision serves, and what the other one is asked.
//!
//! The caller must be known before an arm can be chosen, and only a revision knows who calls. So the live revision identifies, which
//! changes nothing; it goes on with what it found when the caller is not in the canary. One that is in it is judged by the candidate
//! from the beginning, credentials included.

use std::borrow::Cow;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http::request::Parts;
use hyper::body::Body as _;
use lockgate_policy::{Outcome, Refusal, gateway_reasons as reasons};
use lockgate_rollout::{Arm, HardStop};

use super::asking::decided;
use super::beside::{Job, Known};
use super::differences::{Decided, Ruling};
use super::trial::{Trial, Watch};
use crate::forward::RequestBody;
use crate::record::Observation;
use crate::request::Arrived;
use crate::service::{Exchange, Judged, Until};

type Found<'a> = Result<Judged<'a>, Box<Refusal>>;

impl<'a> Exchange<'a> {
    /// Chooses who serves a request, and gives it as far as that one has judged it.
    pub(crate) async fn choose(
        self,
        trial: &'a Arc<Trial>,
        mut judged: Found<'a>,
        (arrived, client): (&'a Arrived<'a>, IpAddr),
        body: &mut RequestBody,
        seen: &mut Observation,
    ) -> (Self, Found<'a>) {
        let watch =
            |arm, application| Watch::new(trial, self.core.index, self.id, (arm, application));
        if !trial.divides() {
            let arm = if trial.is_candidate(self.generation) {
                Arm::Canary
            } else {
                Arm::Control
            };
            seen.watch = Some(watch(arm, None));
            return (self, judged);
        }
        let application = match &mut judged {
            Ok(judged) => {
                let known = self.judge(judged, body, Until::Identified).await;
                if let Err(refusal) = known {
                    return (self, Err(refusal));
                }
                judged.application()
            }
            Err(_) => None,
        };
        let caller = (application.as_deref(), client);
        let admitted = trial.admits(self.core.index, self.at, caller);
        if !admitted {
            seen.watch = Some(watch(Arm::Control, application));
            return (self, judged);
        }
        let by = Exchange {
            generation: &trial.candidate,
            ..self
        };
        let mut judged_by = by.find((arrived, client));
        if application.is_none() && trial.arms.has_excluded() {
            // A credential that only the candidate accepts may still be an excluded application's.
            let known = match &mut judged_by {
                Ok(judged) => by
                    .judge(judged, body, Until::Identified)
                    .await
                    .map(|()| judged),
                Err(_) => return self.canary(by, judged_by, seen, watch(Arm::Canary, None)),
            };
            let is_excluded = known.is_ok_and(|judged| {
                judged
                    .application()
                    .is_some_and(|name| trial.arms.excludes(&name))
            });
            if is_excluded {
                seen.watch = Some(watch(Arm::Control, None));
                return (self, judged);
            }
        }
        self.canary(by, judged_by, seen, watch(Arm::Canary, application))
    }

    fn canary(
        self,
        by: Self,
        judged: Found<'a>,
        seen: &mut Observation,
        watch: Watch,
    ) -> (Self, Found<'a>) {
        seen.watch = Some(watch);
        if seen.keeps_text() {
            seen.event.revision = by.generation.id.clone();
        }
        (by, judged)
    }

    /// Evaluates; a candidate that panics costs this one answer, and is stopped.
    pub(crate) fn fenced<T>(&self, evaluate: impl FnOnce() -> T) -> Result<T, Box<Refusal>> {
        let Some(trial) = self
            .trial
            .filter(|trial| trial.is_candidate(self.generation))
        else {
            return Ok(evaluate());
        };
        catch_unwind(AssertUnwindSafe(evaluate)).map_err(|_| {
            trial
                .tracks
                .hard_stop(HardStop::Panic, self.id.as_str().into());
            Box::new(Refusal::new(
                &reasons::UNDECIDED,
                "a policy could not decide about this request",
            ))
        })
    }

    /// Has the other revision asked about a request that was decided.
    pub(crate) fn ask_beside(&self, judged: &Judged<'_>, body: &RequestBody, outcome: &Outcome) {
        let Some((trial, head)) = self.trial.zip(self.shared_head) else {
            return;
        };
        if !self.is_paired(trial) {
            return;
        }
        trial.beside.ask(|| {
            let served = decided(outcome, judged.route, &judged.progress);
            let known = match body {
                RequestBody::Absent => Known::Absent,
                RequestBody::Stream(stream) => Known::Unread(stream.size_hint().exact()),
                RequestBody::Begun(known, ..) => Known::TooLarge(*known),
                RequestBody::Read(bytes) => Known::Read(bytes.clone()),
            };
            self.job(
                (trial, head),
                (judged.arrived, judged.client),
                known,
                served,
                Some(judged),
            )
        });
    }

    /// The same of a request that no route took.
    pub(crate) fn ask_beside_unrouted(
        &self,
        asked: (&Arrived<'_>, IpAddr),
        body: &RequestBody,
        refusal: &Refusal,
    ) {
        let Some((trial, head)) = self.trial.zip(self.shared_head) else {
            return;
        };
        if !self.is_paired(trial) {
            return;
        }
        trial.beside.ask(|| {
            let served = Decided {
                ruling: Ruling::refusal(refusal),
                application: None,
                route: None,
                policy: None,
            };
            let known = match body {
                RequestBody::Absent => Known::Absent,
                _ => Known::Unread(None),
            };
            self.job((trial, head), asked, known, served, None)
        });
    }

    /// Of a canary, its own requests are paired; else all are.
    fn is_paired(&self, trial: &Trial) -> bool {
        !trial.divides() || trial.is_candidate(self.generation)
    }

    fn job(
        &self,
        (trial, head): (&Trial, &Arc<Parts>),
        (arrived, client): (&Arrived<'_>, IpAddr),
        body: Known,
        served: Decided,
        judged: Option<&Judged<'_>>,
    ) -> Job {
        Job {
            id: self.id.clone(),
            at: self.at,
            head: head.clone(),
            scheme: self.connection.scheme,
            authority: arrived.authority.clone(),
            path: match &arrived.path {
                Cow::Borrowed(_) => None,
                Cow::Owned(path) => Some(path.clone()),
            },
            client,
            certificate: self.connection.certificate.clone(),
            body,
            facts: judged
                .map(|judged| judged.facts.alone())
                .unwrap_or_default(),
            noted: self.counters.noted(),
            other: trial.other(self.generation).clone(),
            is_candidate: !trial.is_candidate(self.generation),
            served,
        }
    }
}
