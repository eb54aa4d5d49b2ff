//! What somebody who begins a rollout says, and what is made of it.

use std::path::PathBuf;
use std::sync::Arc;

use lockgate_config::{Problem, Source};
use lockgate_rollout::{
    Arms, ChosenAndExcluded, Command, Moment, Plan, PlanError, Rollout, Settings,
};
use serde::Deserialize;

use super::expected::Expected;
use super::journey::Begun;
use super::trial::moment;
use crate::core::Shared;
use crate::reload::Reloader;

/// Applications that are chosen or excluded, at most.
const MOST_APPLICATIONS: usize = 10_000;
const MOST_REASON: usize = 1_000;

/// The body of `POST /rollout`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The candidate: a document on this machine.
    candidate: PathBuf,
    /// Why, for those who look later.
    #[serde(default)]
    reason: String,
    /// The steps.
    #[serde(default)]
    plan: Plan,
    /// How the guard judges.
    #[serde(default)]
    settings: Settings,
    /// Applications that are in the canary from the first step on.
    #[serde(default)]
    chosen: Vec<String>,
    /// Applications that get the candidate only once it is live.
    #[serde(default)]
    excluded: Vec<String>,
    /// What the change says of itself.
    #[serde(default)]
    expect: Expected,
}

/// Why a rollout does not begin.
#[derive(Debug, thiserror::Error)]
pub enum NotBegun {
    /// Another one runs.
    #[error(
        "the rollout of revision {0:.12} runs; wait for its end, or run `lockgate rollout abort`"
    )]
    Runs(Arc<str>),
    /// There is nothing to roll out.
    #[error("the candidate is what is served; change it, or name another document")]
    Same,
    /// The candidate has errors.
    #[error("the candidate has errors")]
    Problems(Vec<Problem>),
    /// The plan makes no sense.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// An application is in both lists.
    #[error(transparent)]
    Arms(#[from] ChosenAndExcluded),
    /// What is expected makes no sense, or there is too much of something.
    #[error("{0}")]
    Asked(String),
    /// The machine does not play along.
    #[error("the rollout cannot begin: {0}")]
    Machine(#[from] std::io::Error),
}

impl From<Vec<Problem>> for NotBegun {
    fn from(problems: Vec<Problem>) -> Self {
        Self::Problems(problems)
    }
}

impl Asked {
    fn check(&self) -> Result<(), NotBegun> {
        if self.chosen.len() + self.excluded.len() > MOST_APPLICATIONS {
            return Err(NotBegun::Asked(format!(
                "more than {MOST_APPLICATIONS} applications are chosen or excluded; use the steps instead"
            )));
        }
        if self.reason.len() > MOST_REASON {
            return Err(NotBegun::Asked(format!(
                "the reason has more than {MOST_REASON} bytes; write less"
            )));
        }
        self.expect.check().map_err(NotBegun::Asked)
    }
}

impl Reloader {
    /// Begins the rollout of another document; gives its warnings.
    ///
    /// # Errors
    /// Why it does not begin; nothing has changed then.
    pub fn begin_rollout(
        &self,
        shared: &Arc<Shared>,
        asked: Asked,
    ) -> Result<Vec<Problem>, NotBegun> {
        asked.check()?;
        let _line = self.line();
        if let Some((_, candidate)) = shared.rollouts.running() {
            return Err(NotBegun::Runs(candidate));
        }
        let now: Moment = moment(shared.clock.now());
        let cpu_share = asked.settings.shadow_cpu_share;
        let mut rollout = Rollout::new(asked.plan, asked.settings, now)?;
        let id = new_id()?;
        let arms = Arms::new(&id, asked.chosen, asked.excluded)?;
        rollout
            .command(now, Command::Start)
            .map_err(|refused| NotBegun::Asked(refused.to_string()))?;
        let source = Source::file(asked.candidate);
        self.try_out(shared, &source, |candidate| {
            if candidate.id == shared.generation().id {
                return Err(NotBegun::Same);
            }
            let begun = Begun {
                id,
                reason: asked.reason,
                candidate: Arc::new(candidate),
                rollout,
                cpu_share,
                arms,
                expected: asked.expect,
                at: now,
            };
            Ok(shared.rollouts.begin(shared, begun)?)
        })
    }
}

/// An id that no other rollout has and no caller can guess: who is in the canary follows from it.
fn new_id() -> std::io::Result<String> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(bits.iter().map(|byte| format!("{byte:02x}")).collect())
}
