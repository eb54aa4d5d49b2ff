//! One rollout from its begin to its end: what requests report goes in, and the stage comes out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lockgate_policy::Counters;
use lockgate_rollout::{
    Arm, Arms, Command, Exposure, Metric, Moment, Observation, Refused, Rollout, Stage,
    Traffic as Report, Verdict,
};
use parking_lot::Mutex;

use super::asking::{Asking, Found};
use super::beside::{Beside, process_time};
use super::expected::Expected;
use super::tracks::{Tracks, Traffic};
use super::trial::{Serving, Trial};
use super::welcome::Welcome;
use crate::core::{Generation, Shared};

/// How often traffic is reported to the guard.
const REPORT_EVERY: u64 = 1;
/// Of the time that its cores have, what a node is taken to use at least: on one that is idle, asking costs nobody anything.
const LEAST_USED: f64 = 0.1;
/// How much of the budget is granted: the rest is what a single request may cost more than was left.
const GRANTED: f64 = 0.9;
/// How much the cost of the last look weighs against those before.
const SMOOTH: f64 = 0.02;

/// What a rollout begins with.
#[derive(Debug)]
pub struct Begun {
    /// Its id, which also is the salt of its arms.
    pub id: String,
    /// Why, in a person's words.
    pub reason: String,
    /// The revision to try.
    pub candidate: Arc<Generation>,
    /// The plan and the guard, ready to start.
    pub rollout: Rollout,
    /// The most that asking beside may cost, as a share of processor time.
    pub cpu_share: f64,
    /// Who is in the canary.
    pub arms: Arms,
    /// What is expected to differ.
    pub expected: Expected,
    /// When.
    pub at: Moment,
}

/// What only a rollout that runs needs.
#[derive(Debug)]
struct Running {
    trial: Trial,
    reported: Moment,
    canary: Traffic,
    control: Traffic,
    wall: std::time::Instant,
    process: Duration,
    spent: Duration,
}

/// A rollout.
#[derive(Debug)]
pub struct Journey {
    pub(super) id: String,
    pub(super) reason: String,
    pub(super) base: Arc<str>,
    pub(super) candidate: Arc<str>,
    pub(super) at: Moment,
    pub(super) rollout: Rollout,
    pub(super) verdict: Option<Verdict>,
    pub(super) expected: Arc<Expected>,
    pub(super) found: Arc<Mutex<Found>>,
    pub(super) shed: u64,
    pub(super) cost: f64,
    pub(super) cpu_share: f64,
    pub(super) slow_us: Option<u64>,
    pub(super) totals: [Totals; 2],
    welcome: Welcome,
    settled: bool,
    running: Option<Running>,
    /// The stage that requests see; nothing at the begin.
    seen: Option<Stage>,
}

/// What is shown of an arm: of the stage, and bad answers of the whole rollout.
#[derive(Debug, Default)]
pub struct Totals {
    pub(super) traffic: Traffic,
    pub(super) bad: BTreeMap<Metric, u64>,
}

/// What requests see next.
#[derive(Debug)]
pub struct Published {
    /// What serves everybody else.
    pub live: Arc<Generation>,
    /// The rollout; nothing at its end.
    pub trial: Option<Arc<Trial>>,
}

const fn place(arm: Arm) -> usize {
    match arm {
        Arm::Canary => 0,
        Arm::Control => 1,
    }
}

impl Journey {
    /// Begins, with a thread that asks the other revision.
    pub fn begin(shared: &Arc<Shared>, begun: Begun) -> std::io::Result<Self> {
        let base = shared.generation();
        let (beside, jobs) = Beside::new();
        let tracks = Arc::new(Tracks::new(shared.cores()));
        let (arms, expected) = (Arc::new(begun.arms), Arc::new(begun.expected));
        let found = Arc::<Mutex<Found>>::default();
        // What quotas have used is known from the begin; a month would be too long to find out.
        let counters = Arc::<Counters>::default();
        counters.restore_quotas(shared.counters.snapshot_quotas(), shared.clock.now());
        let asking = Asking {
            shared: shared.clone(),
            jobs,
            found: found.clone(),
            expected: expected.clone(),
            arms: arms.clone(),
            tracks: tracks.clone(),
            counters,
        };
        std::thread::Builder::new()
            .name("lockgate-beside".to_owned())
            .spawn(move || asking.run())?;
        Ok(Self {
            base: base.id.clone(),
            candidate: begun.candidate.id.clone(),
            running: Some(Running {
                trial: Trial {
                    base,
                    candidate: begun.candidate,
                    arms,
                    expected: expected.clone(),
                    serving: Serving::Nobody,
                    slow_us: None,
                    tracks,
                    beside,
                },
                reported: begun.at,
                canary: Traffic::default(),
                control: Traffic::default(),
                wall: std::time::Instant::now(),
                process: process_time(),
                spent: Duration::ZERO,
            }),
            id: begun.id,
            reason: begun.reason,
            at: begun.at,
            rollout: begun.rollout,
            verdict: None,
            expected,
            found,
            shed: 0,
            cost: 0.0,
            cpu_share: begun.cpu_share,
            slow_us: None,
            totals: Default::default(),
            welcome: Welcome::default(),
            settled: false,
            seen: None,
        })
    }

    /// Whether it has not ended.
    pub fn runs(&self) -> bool {
        !self.rollout.stage().is_end()
    }

    /// Where it is.
    pub const fn stage(&self) -> Stage {
        self.rollout.stage()
    }

    /// The id of the revision that it tries.
    pub fn candidate(&self) -> Arc<str> {
        self.candidate.clone()
    }

    /// The revision that it has replaced for good, until another document was read.
    pub fn replaced(&self) -> Option<Arc<str>> {
        let is_in_place = self.rollout.stage() == Stage::LastGood && !self.settled;
        is_in_place.then(|| self.base.clone())
    }

    /// Another document was read.
    pub const fn settle(&mut self) {
        self.settled = true;
    }

    /// Follows a command.
    pub fn command(&mut self, now: Moment, command: Command) -> Result<(), Refused> {
        self.rollout.command(now, command).map(drop)
    }

    /// Takes what was reported, and does what is due.
    pub fn tick(&mut self, shared: &Shared, now: Moment) {
        self.take_reports(now);
        self.take_found(now);
        self.account(shared, now);
        if let Some(verdict) = self.rollout.tick(now) {
            self.verdict = Some(verdict);
        }
    }

    fn take_reports(&mut self, now: Moment) {
        let Some(running) = &mut self.running else {
            return;
        };
        let (report, stops) = running.trial.tracks.take();
        for (what, id) in stops {
            self.rollout
                .observe(now, Observation::HardStop { what, id });
        }
        for bad in report.bad {
            if let Some(totals) = self.totals.get_mut(place(bad.arm)) {
                *totals.bad.entry(bad.metric).or_default() += 1;
            }
            if bad.metric != Metric::ClientError || self.welcome.refused(bad.caller) {
                self.rollout.observe(now, Observation::Bad(bad));
            }
        }
        for traffic in [&report.canary, &report.control] {
            self.welcome.sent(traffic.sent().map(|(caller, _)| caller));
        }
        let [canary, control] = &mut self.totals;
        canary.traffic.absorb(&report.canary);
        control.traffic.absorb(&report.control);
        running.canary.absorb(&report.canary);
        running.control.absorb(&report.control);
    }

    fn take_found(&mut self, now: Moment) {
        let Some(running) = &mut self.running else {
            return;
        };
        self.shed = running.trial.beside.budget.shed();
        let is_due = now.seconds_since(running.reported) >= REPORT_EVERY;
        let (fresh, judged) = {
            let mut found = self.found.lock();
            let judged = is_due.then(|| found.take_exposure());
            (found.take_fresh(), judged)
        };
        for difference in fresh {
            self.rollout.observe(now, Observation::Paired(difference));
        }
        let Some(judged) = judged else { return };
        running.reported = now;
        let canary = std::mem::take(&mut running.canary).exposure();
        let control = std::mem::take(&mut running.control).exposure();
        let (canary, control): (Exposure, Option<Exposure>) = match running.trial.serving {
            Serving::Nobody => (judged, Some(control)),
            Serving::Some { .. } => (canary, Some(control)),
            Serving::Everybody => (canary, None),
        };
        let report = Report {
            at: now,
            canary: Some(canary),
            control,
        };
        self.rollout.observe(now, Observation::Traffic(report));
    }

    /// Grants what asking may cost from now on, and reports what it has cost.
    fn account(&mut self, shared: &Shared, now: Moment) {
        let Some(running) = &mut self.running else {
            return;
        };
        let (wall, process) = (running.wall.elapsed(), process_time());
        let spent = self.found.lock().spent;
        let all = wall.as_secs_f64() * shared.cores() as f64;
        let used = process.saturating_sub(running.process).as_secs_f64();
        let used = used.max(LEAST_USED * all);
        if used <= 0.0 {
            return;
        }
        let cost = spent.saturating_sub(running.spent).as_secs_f64() / used;
        running.wall = std::time::Instant::now();
        (running.process, running.spent) = (process, spent);
        self.cost += SMOOTH * (cost - self.cost);
        let granted = Duration::try_from_secs_f64(used * self.cpu_share * GRANTED);
        running
            .trial
            .beside
            .budget
            .grant(granted.unwrap_or_default());
        let cost = Observation::ShadowCost {
            cpu_share: self.cost,
        };
        self.rollout.observe(now, cost);
    }

    /// What requests must see, when it is not what they see.
    pub fn published(&mut self) -> Option<Published> {
        let stage = self.rollout.stage();
        if self.seen.replace(stage) == Some(stage) {
            return None;
        }
        let running = self.running.as_mut()?;
        running.trial.serving = match stage {
            Stage::Ready | Stage::Shadow | Stage::RolledBack => Serving::Nobody,
            Stage::Canary { .. } => Serving::Some {
                share: self.rollout.share(),
                ceiling: self.rollout.ceiling().cloned()?,
            },
            Stage::Live | Stage::Bake | Stage::LastGood => Serving::Everybody,
        };
        if stage == (Stage::Canary { step: 0 }) {
            // From here on what was normal before is what the arms are measured by.
            let [_, control] = &self.totals;
            self.slow_us = control.traffic.latencies.quantile(0.99);
            running.trial.slow_us = self.slow_us;
            let (sent, steps) = (control.traffic.sent(), self.rollout.steps());
            running.trial.arms = Arc::new(running.trial.arms.turned(sent, &steps));
        }
        // Of a rollout that has ended, the last stage stays to be seen.
        if !stage.is_end() {
            for totals in &mut self.totals {
                totals.traffic = Traffic::default();
            }
        }
        (running.canary, running.control) = Default::default();
        let view = self.view();
        if stage.is_end() {
            self.running = None;
        }
        view
    }

    /// Changes both revisions, without a change of what the rollout is about; gives what requests must see.
    pub fn replace<E>(
        &mut self,
        change: impl Fn(&Generation) -> Result<Generation, E>,
    ) -> Result<Option<Published>, E> {
        if let Some(Running { trial, .. }) = &mut self.running {
            let (base, candidate) = (change(&trial.base)?, change(&trial.candidate)?);
            (trial.base, trial.candidate) = (Arc::new(base), Arc::new(candidate));
        }
        Ok(self.view())
    }

    fn view(&self) -> Option<Published> {
        let trial = &self.running.as_ref()?.trial;
        let live = match trial.serving {
            Serving::Everybody => &trial.candidate,
            Serving::Nobody | Serving::Some { .. } => &trial.base,
        };
        let runs = self.runs();
        Some(Published {
            live: live.clone(),
            trial: runs.then(|| Arc::new(trial.clone())),
        })
    }
}
