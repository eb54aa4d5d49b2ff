//! A rollout inside a running node: the candidate is asked beside the live revision, serves a growing share of callers, and goes
//! live or back by itself. What is decided when, and on what evidence, is `lockgate_rollout`'s; here it meets traffic.
//!
//! | part | what it does |
//! |---|---|
//! | [`Trial`] | what a request sees: both generations, who is served by which, where to report |
//! | [`Watch`] | reports how a request fared, once |
//! | [`Rollouts`] | the rollout of this node: begun, driven by [`drive`], and shown |
//!
//! A request reads one pointer; when no rollout runs, that is all.

mod admin;
mod asked;
mod asking;
mod beside;
mod differences;
mod expected;
mod head;
mod journey;
mod reload;
mod serve;
mod status;
mod tracks;
mod trial;
mod welcome;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use lockgate_rollout::{Command, Moment, Refused, Stage};
use parking_lot::Mutex;
use serde_json::Value;

pub use admin::answer;
pub use asked::{Asked, NotBegun};
pub use head::Head;
pub use journey::Begun;
use journey::{Journey, Published};
pub use reload::{Reload, reload};
pub use trial::{Trial, Watch};

use crate::core::{Generation, Shared};

/// How often reports are taken and the rollout moves, unless something wakes it.
const TICK: Duration = Duration::from_millis(100);

/// The rollout of a node: the one that runs, else the last one.
#[derive(Debug, Default)]
pub struct Rollouts {
    trial: ArcSwapOption<Trial>,
    journey: Mutex<Option<Journey>>,
}

/// Why a command was not followed.
#[derive(Debug, thiserror::Error)]
pub enum Unfollowed {
    /// There is none.
    #[error("no rollout runs; begin one with `lockgate rollout start`")]
    None,
    /// The rollout refuses.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl Rollouts {
    /// What requests see of the rollout that runs.
    pub fn trial(&self) -> Option<Arc<Trial>> {
        self.trial.load_full()
    }

    /// Begins a rollout; nothing happens when one runs.
    pub fn begin(&self, shared: &Arc<Shared>, begun: Begun) -> std::io::Result<()> {
        let mut journey = self.journey.lock();
        if journey.as_ref().is_some_and(Journey::runs) {
            return Ok(());
        }
        let next = journey.insert(Journey::begin(shared, begun)?);
        self.publish(shared, next);
        Ok(())
    }

    /// Whether one runs, where it is, and which revision it tries.
    pub fn running(&self) -> Option<(Stage, Arc<str>)> {
        let journey = self.journey.lock();
        let journey = journey.as_ref().filter(|journey| journey.runs())?;
        Some((journey.stage(), journey.candidate()))
    }

    /// The revision that the last rollout replaced for good: whoever reads it again has forgotten to replace the document.
    pub fn replaced(&self) -> Option<Arc<str>> {
        let journey = self.journey.lock();
        let journey = journey.as_ref()?;
        journey.replaced()
    }

    /// A document was read that is not the replaced one: the next may be anything.
    pub fn settle(&self) {
        if let Some(journey) = self.journey.lock().as_mut() {
            journey.settle();
        }
    }

    /// Stops asking and driving; the node is about to end.
    pub fn close(&self) {
        self.trial.store(None);
        *self.journey.lock() = None;
    }

    /// Follows a command.
    ///
    /// # Errors
    /// Why it cannot be followed.
    pub fn command(&self, shared: &Shared, command: Command) -> Result<(), Unfollowed> {
        let mut journey = self.journey.lock();
        let journey = journey.as_mut().ok_or(Unfollowed::None)?;
        // A hard stop, or bad answers that nobody has looked at yet, come before what a person says.
        journey.tick(shared, now(shared));
        let followed = journey.command(now(shared), command);
        self.publish(shared, journey);
        Ok(followed?)
    }

    /// Ends the rollout that runs; says whether one did.
    pub fn end(&self, shared: &Shared) -> bool {
        let runs = self.running().is_some();
        runs && self.command(shared, Command::Abort).is_ok()
    }

    /// Changes both revisions of the rollout that runs; says whether one does.
    ///
    /// # Errors
    /// What `change` says; nothing has changed then.
    pub fn replace<E>(
        &self,
        shared: &Shared,
        change: impl Fn(&Generation) -> Result<Generation, E>,
    ) -> Result<bool, E> {
        let mut journey = self.journey.lock();
        let Some(journey) = journey.as_mut().filter(|journey| journey.runs()) else {
            return Ok(false);
        };
        if let Some(next) = journey.replace(change)? {
            self.show(shared, next);
        }
        Ok(true)
    }

    /// The state as JSON; nothing before the first rollout.
    pub fn status(&self, shared: &Shared) -> Option<Value> {
        let journey = self.journey.lock();
        journey.as_ref().map(|journey| journey.status(now(shared)))
    }

    fn tick(&self, shared: &Shared) {
        let mut journey = self.journey.lock();
        if let Some(journey) = journey.as_mut().filter(|journey| journey.runs()) {
            journey.tick(shared, now(shared));
            self.publish(shared, journey);
        }
    }

    /// Lets requests see where the rollout is. What serves everybody is replaced before the rollout ends, and after it began: a
    /// request between the two finds the same revision in both places.
    fn publish(&self, shared: &Shared, journey: &mut Journey) {
        if let Some(next) = journey.published() {
            self.show(shared, next);
        }
    }

    fn show(&self, shared: &Shared, next: Published) {
        shared.current.store(next.live);
        self.trial.store(next.trial);
    }
}

/// Drives the rollouts of a node as long as it runs. On a thread that serves nobody: a candidate that keeps a core busy cannot keep
/// the guard from stopping it.
pub async fn drive(shared: Arc<Shared>) {
    loop {
        let trial = shared.rollouts.trial();
        match trial {
            Some(trial) => {
                tokio::select! {
                    () = tokio::time::sleep(TICK) => {}
                    () = trial.tracks.wake.notified() => {}
                }
            }
            None => tokio::time::sleep(TICK).await,
        }
        shared.rollouts.tick(&shared);
    }
}

fn now(shared: &Shared) -> Moment {
    trial::moment(shared.clock.now())
}

#[cfg(test)]
mod tests;
