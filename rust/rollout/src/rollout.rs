//! The journey of a revision: shadow, canary steps, live, bake, last good; or rolled back.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::cap::Ceiling;
use crate::guard::{Guard, Phase};
use crate::moment::Moment;
use crate::observation::Observation;
use crate::plan::{Plan, PlanError};
use crate::settings::Settings;
use crate::share::Share;
use crate::verdict::{Verdict, Why};

/// Transitions that are kept. A rollout without pauses has fewer than thirty.
const MAX_TRANSITIONS: usize = 256;

/// Where a rollout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    /// Not begun.
    Ready,
    /// Evaluated beside the live revision.
    Shadow,
    /// Serving the share of a step.
    Canary {
        /// The step, from 0.
        step: usize,
    },
    /// Serving everybody, just so.
    Live,
    /// Serving everybody for the bake time.
    Bake,
    /// The end: the revision that others go back to.
    LastGood,
    /// The end: the last good revision serves.
    RolledBack,
}

impl Stage {
    /// Whether nothing follows.
    #[must_use]
    pub const fn is_end(self) -> bool {
        matches!(self, Self::LastGood | Self::RolledBack)
    }
}

/// What a person says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Begin, or go on after a pause.
    Start,
    /// Go to the next stage without waiting for the guard's certainty.
    Promote,
    /// Stay in this stage; the guard still watches.
    Pause,
    /// Go back.
    Abort,
}

/// A command that cannot be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refused {
    /// It is over.
    #[error("the rollout has ended; begin another one")]
    Ended,
    /// It has not begun.
    #[error("the rollout has not begun; start it")]
    NotBegun,
    /// It runs already.
    #[error("the rollout runs already; nothing is to be started")]
    Running,
    /// It is paused already.
    #[error("the rollout is paused already; start it to go on")]
    AlreadyPaused,
    /// It is paused by a person.
    #[error("the rollout is paused; start it before promoting it")]
    PausedByPerson,
    /// The guard has a reason that a person cannot overrule.
    #[error("the guard has paused the rollout; restore what it misses, or abort")]
    InDoubt,
    /// The cap does not open yet.
    #[error("the next step opens in {seconds} s; wait, or abort")]
    TooEarly {
        /// How long it takes.
        seconds: u64,
    },
    /// Bake time is not cut short.
    #[error("the bake time cannot be cut short; wait, or abort")]
    Baking,
}

/// Who caused a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Cause {
    /// A person.
    Person {
        /// What they said.
        command: Command,
    },
    /// The guard found it safe.
    Promoted,
    /// The guard found that nothing can be said.
    Paused {
        /// Why.
        why: Why,
    },
    /// What the guard missed is there again.
    Resumed,
    /// The guard found it unsafe.
    RolledBack {
        /// Why.
        why: Why,
    },
}

/// A change of stage, or a pause within one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// When.
    pub at: Moment,
    /// From where.
    pub from: Stage,
    /// To where.
    pub to: Stage,
    /// By whom, and why.
    pub cause: Cause,
}

/// Who holds a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "held_by", rename_all = "snake_case")]
enum Hold {
    Nobody,
    Person,
    Guard { why: Why },
}

/// One rollout, driven by time, observations and commands. It is written down after each of them and survives a restart: what
/// it says depends on nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    plan: Plan,
    guard: Guard,
    stage: Stage,
    hold: Hold,
    ceiling: Option<Ceiling>,
    history: VecDeque<Transition>,
    now: Moment,
}

impl Rollout {
    /// A rollout that has not begun.
    ///
    /// # Errors
    /// A plan or settings that make no sense.
    pub fn new(plan: Plan, settings: Settings, now: Moment) -> Result<Self, PlanError> {
        plan.check()?;
        let guard = Guard::new(settings, now, Phase::Shadow, plan.shadow)?;
        Ok(Self {
            plan,
            guard,
            stage: Stage::Ready,
            hold: Hold::Nobody,
            ceiling: None,
            history: VecDeque::new(),
            now,
        })
    }

    /// Where it is.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether it is paused, by a person or by the guard.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.hold != Hold::Nobody
    }

    /// The share of callers that the candidate serves.
    #[must_use]
    pub fn share(&self) -> Share {
        match self.stage {
            Stage::Ready | Stage::Shadow | Stage::RolledBack => Share::NONE,
            Stage::Canary { step } => self
                .plan
                .steps
                .get(step)
                .map_or(Share::NONE, |step| step.share),
            Stage::Live | Stage::Bake | Stage::LastGood => Share::ALL,
        }
    }

    /// The shares of all steps.
    #[must_use]
    pub fn steps(&self) -> Vec<Share> {
        self.plan.steps.iter().map(|step| step.share).collect()
    }

    /// The most that nodes may give the candidate, by time; absent before the canary and after a roll-back.
    #[must_use]
    pub const fn ceiling(&self) -> Option<&Ceiling> {
        self.ceiling.as_ref()
    }

    /// What happened so far, oldest first; of very many transitions the newest.
    pub fn history(&self) -> impl Iterator<Item = &Transition> {
        self.history.iter()
    }

    /// Takes what was observed; `now` is when it arrived. Call [`Rollout::tick`] to act on it.
    pub fn observe(&mut self, now: Moment, observation: Observation) {
        self.now = self.now.max(now);
        if self.stage != Stage::Ready && !self.stage.is_end() {
            self.guard.observe(self.now, observation);
        }
    }

    /// Does what is due; gives the guard's verdict, or nothing when the rollout has not begun or has ended.
    pub fn tick(&mut self, now: Moment) -> Option<Verdict> {
        self.now = self.now.max(now);
        if self.stage == Stage::Ready || self.stage.is_end() {
            return None;
        }
        let verdict = self.guard.verdict(self.now);
        match &verdict {
            Verdict::RollBack { why, .. } => {
                self.move_to(Stage::RolledBack, Cause::RolledBack { why: *why });
            }
            Verdict::Pause { why, .. } => self.hold_back(*why),
            Verdict::Continue { .. } => self.release(),
            Verdict::Promote { .. } => {
                self.release();
                if self.hold == Hold::Nobody && self.opens_in() == 0 {
                    self.move_to(self.next(), Cause::Promoted);
                }
            }
        }
        Some(verdict)
    }

    /// Follows a person's command.
    ///
    /// # Errors
    /// Why it cannot be followed; nothing has changed then.
    pub fn command(&mut self, now: Moment, command: Command) -> Result<Transition, Refused> {
        self.now = self.now.max(now);
        if self.stage.is_end() {
            return Err(Refused::Ended);
        }
        let cause = Cause::Person { command };
        match (command, self.stage, self.hold) {
            (Command::Abort, ..) => Ok(self.move_to(Stage::RolledBack, cause)),
            (Command::Start, Stage::Ready, _) => Ok(self.move_to(Stage::Shadow, cause)),
            (_, Stage::Ready, _) => Err(Refused::NotBegun),
            (Command::Start, _, Hold::Person) => {
                self.hold = Hold::Nobody;
                Ok(self.note(self.stage, cause))
            }
            (Command::Start, _, Hold::Guard { .. }) => Err(Refused::InDoubt),
            (Command::Start, ..) => Err(Refused::Running),
            (Command::Pause, _, Hold::Person) => Err(Refused::AlreadyPaused),
            (Command::Pause, ..) => {
                self.hold = Hold::Person;
                Ok(self.note(self.stage, cause))
            }
            (Command::Promote, ..) => self.promote(cause),
        }
    }

    fn promote(&mut self, cause: Cause) -> Result<Transition, Refused> {
        if self.hold == Hold::Person {
            return Err(Refused::PausedByPerson);
        }
        // A person may take the risk of too little evidence, and none that the guard has seen.
        match self.guard.verdict(self.now) {
            Verdict::RollBack { .. } => return Err(Refused::InDoubt),
            Verdict::Pause { why, .. } if why != Why::NotEnoughEvidence => {
                return Err(Refused::InDoubt);
            }
            _ => {}
        }
        if self.stage == Stage::Bake {
            return Err(Refused::Baking);
        }
        match self.opens_in() {
            0 => Ok(self.move_to(self.next(), cause)),
            seconds => Err(Refused::TooEarly { seconds }),
        }
    }

    /// Seconds until the ceiling lets the next stage begin.
    fn opens_in(&self) -> u64 {
        let next = match self.stage {
            Stage::Canary { step } => step + 1,
            _ => return 0,
        };
        let opens = self
            .ceiling
            .as_ref()
            .and_then(|ceiling| ceiling.opens(next));
        opens.map_or(0, |opens| {
            opens.0.saturating_sub(self.now.0).div_ceil(1_000_000)
        })
    }

    fn next(&self) -> Stage {
        match self.stage {
            Stage::Ready => Stage::Shadow,
            Stage::Shadow => Stage::Canary { step: 0 },
            Stage::Canary { step } if step + 1 < self.plan.steps.len() => {
                Stage::Canary { step: step + 1 }
            }
            Stage::Canary { .. } => Stage::Live,
            Stage::Live => Stage::Bake,
            Stage::Bake | Stage::LastGood => Stage::LastGood,
            Stage::RolledBack => Stage::RolledBack,
        }
    }

    fn move_to(&mut self, to: Stage, cause: Cause) -> Transition {
        let transition = self.note(to, cause);
        self.stage = to;
        self.hold = Hold::Nobody;
        let (phase, needs) = match to {
            Stage::Ready | Stage::LastGood => return transition,
            Stage::RolledBack => {
                self.ceiling = None;
                return transition;
            }
            Stage::Shadow => (Phase::Shadow, self.plan.shadow),
            Stage::Live => (Phase::Alone, self.plan.live),
            Stage::Bake => (Phase::Alone, self.plan.bake),
            Stage::Canary { step } => {
                if step == 0 {
                    self.ceiling = Some(self.plan.ceiling(self.now));
                }
                let Some(step) = self.plan.steps.get(step) else {
                    return transition;
                };
                let (share, cap) = (step.share, step.cap);
                (Phase::Canary { share, cap }, step.needs)
            }
        };
        self.guard.enter(self.now, phase, needs);
        transition
    }

    fn hold_back(&mut self, why: Why) {
        match self.hold {
            // A person's pause stays one when the guard's reason goes away.
            Hold::Person => {}
            Hold::Guard { why: before } if before == why => {}
            Hold::Guard { .. } | Hold::Nobody => {
                self.note(self.stage, Cause::Paused { why });
                self.hold = Hold::Guard { why };
            }
        }
    }

    fn release(&mut self) {
        if matches!(self.hold, Hold::Guard { .. }) {
            self.note(self.stage, Cause::Resumed);
            self.hold = Hold::Nobody;
        }
    }

    fn note(&mut self, to: Stage, cause: Cause) -> Transition {
        let transition = Transition {
            at: self.now,
            from: self.stage,
            to,
            cause,
        };
        if self.history.len() == MAX_TRANSITIONS {
            self.history.pop_front();
        }
        self.history.push_back(transition);
        transition
    }
}
