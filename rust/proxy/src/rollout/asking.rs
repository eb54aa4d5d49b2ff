//! The thread that asks the other revision, and what it finds.

use std::collections::{BTreeMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use lockgate_policy::{Counters, Env, Need, Outcome, Progress, RequestView, Step};
use lockgate_rollout::{Arms, Caller, Exposure, HardStop, Moment, PairedDifference};
use parking_lot::Mutex;

use super::beside::{Job, Jobs, thread_time};
use super::differences::{Decided, Differences, Pair, Place, Ruling, deciding};
use super::expected::Expected;
use super::tracks::Tracks;
use crate::core::Shared;

/// After so long, whoever serves on the same core may go on: what waits there waits no longer than this.
const TURN: Duration = Duration::from_micros(50);
/// Facts that are asked for about one request.
const MOST_FACTS: usize = 8;
/// Differences that wait for the guard; more of them change nothing.
const MOST_FRESH: usize = 1_024;
const MOST_CALLERS: usize = 16_384;

/// Why the other revision could not be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unjudged {
    /// It wants to see a body that nobody has read.
    Body,
    /// It wants more facts than are found out about one request.
    Facts,
    /// It panicked.
    Panic,
}

impl Unjudged {
    const fn name(self) -> &'static str {
        match self {
            Self::Body => "body_not_read",
            Self::Facts => "too_many_facts",
            Self::Panic => "panic",
        }
    }
}

/// What was found so far.
#[derive(Debug, Default)]
pub struct Found {
    /// Requests about which both decided.
    pub judged: u64,
    /// Requests about which one could not.
    pub unjudged: BTreeMap<&'static str, u64>,
    /// Where they differ.
    pub differences: Differences,
    /// Processor time that it took.
    pub spent: Duration,
    fresh: Vec<PairedDifference>,
    requests: u64,
    callers: HashSet<Caller>,
}

impl Found {
    /// Differences that the guard has not seen.
    pub fn take_fresh(&mut self) -> Vec<PairedDifference> {
        std::mem::take(&mut self.fresh)
    }

    /// What was judged since the last look.
    pub fn take_exposure(&mut self) -> Exposure {
        #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
        let exposure = Exposure {
            requests: std::mem::take(&mut self.requests) as f64,
            callers: std::mem::take(&mut self.callers).len() as f64,
        };
        exposure
    }
}

/// Asks the other revision about requests until there are no more.
pub struct Asking {
    /// What the node knows.
    pub shared: Arc<Shared>,
    /// The requests.
    pub jobs: Jobs,
    /// What was found.
    pub found: Arc<Mutex<Found>>,
    /// What is expected.
    pub expected: Arc<Expected>,
    /// How callers are told apart.
    pub arms: Arc<Arms>,
    /// Where a panic is told.
    pub tracks: Arc<Tracks>,
    /// Use of what only one of the revisions counts.
    pub counters: Arc<Counters>,
}

impl Asking {
    /// Runs; this thread gives way to those that serve.
    pub fn run(self) {
        // Of this thread alone on Linux. A system that does not want it loses nothing but that.
        let _ = rustix::process::nice(10);
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        else {
            return;
        };
        let budget = self.jobs.budget();
        let mut turn = Duration::ZERO;
        while let Some(jobs) = self.jobs.next() {
            let mut before = thread_time();
            for job in jobs {
                // What was handed over while there was a budget may have waited for one that took all of it.
                if !budget.is_left() {
                    budget.shed_one();
                    continue;
                }
                runtime.block_on(self.ask(job));
                let now = thread_time();
                let spent = now.saturating_sub(before);
                before = now;
                budget.spend(spent);
                self.found.lock().spent += spent;
                turn += spent;
                if turn >= TURN {
                    turn = Duration::ZERO;
                    std::thread::yield_now();
                }
            }
        }
    }

    async fn ask(&self, job: Job) {
        let answer = self.decide(&job).await;
        let application = job.served.application.as_deref();
        let caller = self.arms.caller(application, job.client);
        let mut found = self.found.lock();
        let other = match answer {
            Ok(decided) => decided,
            Err(why) => {
                *found.unjudged.entry(why.name()).or_default() += 1;
                if why == Unjudged::Panic && job.is_candidate {
                    self.tracks
                        .hard_stop(HardStop::Panic, job.id.as_str().into());
                }
                return;
            }
        };
        found.judged += 1;
        found.requests += 1;
        if found.callers.len() < MOST_CALLERS {
            found.callers.insert(caller);
        }
        let (base, candidate) = if job.is_candidate {
            (job.served, other)
        } else {
            (other, job.served)
        };
        let pair = Pair {
            id: job.id.as_str(),
            at: job.at.0,
            method: job.head.method.as_str(),
            base,
            candidate,
        };
        if let Some((change, approved)) = found.differences.add(pair, &self.expected) {
            if found.fresh.len() < MOST_FRESH {
                found.fresh.push(PairedDifference {
                    at: Moment(job.at.0),
                    id: job.id.as_str().into(),
                    change,
                    approved,
                });
            }
            if !approved {
                self.tracks.wake.notify_one();
            }
        }
    }

    async fn decide(&self, job: &Job) -> Result<Decided, Unjudged> {
        let revision = &job.other.revision;
        let head = &job.head;
        let found = fenced(|| revision.route(job.host(), job.path(), &head.method, &head.headers))?;
        let route = match found {
            Ok(route) => route,
            Err(refusal) => {
                return Ok(Decided {
                    ruling: Ruling::refusal(&refusal),
                    application: None,
                    route: None,
                    policy: None,
                });
            }
        };
        let counters = Arc::new(Counters::aside(job.noted.clone(), self.counters.clone()));
        let (mut facts, mut progress) = (job.facts.alone(), Progress::default());
        let variables = route.template.variables(job.path());
        let view = RequestView {
            method: &head.method,
            scheme: job.scheme,
            host: job.host(),
            path: job.path(),
            query: head.uri.query(),
            version: head.version,
            headers: &head.headers,
            client: job.client,
            certificate: job.certificate.as_ref(),
            body: job.body.view(),
            variables: &variables,
            identity: None,
            prompt: None,
        };
        for _ in 0..=MOST_FACTS {
            let step = fenced(|| {
                let mut env = Env {
                    now: job.at,
                    facts: &facts,
                    directory: &job.other.directory,
                    counters: &counters,
                };
                route.advance(&view, &mut progress, &mut env)
            })?;
            match step {
                Step::Decided(outcome) => {
                    return Ok(decided(&outcome, route, &progress));
                }
                Step::Need(Need::Body(_) | Need::Recorded(_)) => return Err(Unjudged::Body),
                Step::Need(Need::Fact(wanted)) => {
                    let fact = self.shared.facts.get(&wanted).await;
                    facts.put(wanted, fact);
                }
            }
        }
        Err(Unjudged::Facts)
    }
}

/// What a revision decided, with what is shown of it.
pub fn decided(outcome: &Outcome, route: &lockgate_policy::Route, progress: &Progress) -> Decided {
    let ruling = Ruling::of(outcome);
    let identity = progress.identity.as_ref();
    Decided {
        ruling,
        application: identity
            .and_then(|identity| identity.application.as_ref())
            .map(|application| application.id.clone()),
        route: Some(Place::of(route)),
        policy: deciding(&route.chain, &progress.verdicts, ruling),
    }
}

fn fenced<T>(evaluate: impl FnOnce() -> T) -> Result<T, Unjudged> {
    catch_unwind(AssertUnwindSafe(evaluate)).map_err(|_| Unjudged::Panic)
}
