//! Going back, by order and by itself, and what changes without a new generation.

use lockgate_config::{Problem, one_line};
use lockgate_generations::{Nack, StoreError, Target};

use super::{Applied, Reloader};
use crate::candidate::Candidate;
use crate::compile::{compile, fenced};
use crate::core::{Generation, Shared};
use crate::history::{History, Trial};

impl Reloader {
    /// Serves an older generation again. Needs nothing but this process; when the disk does not take it, it serves all the same, and
    /// says so. While a rollout runs, what it began with is what is gone back to.
    ///
    /// # Errors
    /// No generations are kept, there is none to go back to, or it cannot be served.
    pub fn go_back(
        &self,
        shared: &Shared,
        target: Target,
        why: &str,
    ) -> Result<Applied, StoreError> {
        let history = self.history.as_ref().ok_or_else(|| {
            StoreError::NoTarget("this node keeps none; start it with `--state FOLDER`".to_owned())
        })?;
        let mut turn = self.turn.lock();
        let has_ended = shared.rollouts.end(shared);
        let current = shared.generation();
        let kept = history.current();
        let is_kept = kept.as_ref().is_some_and(|kept| *kept.id == *current.id);
        let served = kept.map_or(0, |kept| kept.generation);
        let targets = match target {
            Target::Generation(wanted) if wanted == served && (has_ended || !is_kept) => {
                vec![served]
            }
            Target::LastGood | Target::Previous if has_ended || !is_kept => vec![served],
            _ => history.ask(|store| store.targets(target))?,
        };
        let mut said = Vec::new();
        for number in targets {
            let compiled = if number == served && is_kept {
                Ok((Generation::clone(&current), Vec::new()))
            } else {
                self.compile_kept(history, number, Some(&current))
            };
            let (generation, mut problems) = match compiled {
                Ok(compiled) => compiled,
                Err(error) => {
                    said.push(error.to_string());
                    continue;
                }
            };
            *turn += 1;
            *self.tried.lock() = None;
            let id = generation.id.to_string();
            shared.current.store(generation.into());
            shared.rollouts.settle();
            if number != served
                && let Err(error) = history.go_back(number, why, self.now())
            {
                let message =
                    format!("generation {number} serves, but the disk does not take that: {error}");
                problems.push(
                    Problem::in_file(history.folder.display().to_string(), message)
                        .help("make room and go back again: the next start serves the other one")
                        .warning(),
                );
            }
            return Ok(Applied {
                applied: true,
                id,
                generation: Some(number),
                reason: None,
                live_in: None,
                problems,
            });
        }
        Err(StoreError::NoTarget(said.join("; ")))
    }

    /// A generation of the disk, with its warnings.
    pub(super) fn compile_kept(
        &self,
        history: &History,
        number: u64,
        previous: Option<&Generation>,
    ) -> Result<(Generation, Vec<Problem>), StoreError> {
        let (bundle, folder) = history.ask(|store| store.load(number))?;
        let name = format!("generation {number}");
        let cores = previous.map(|_| self.cores);
        fenced(|| {
            let candidate = Candidate::of(bundle, name.clone(), folder, self.trust.as_ref())?;
            let loaded = candidate.load().map_err(Nack::Document)?;
            let mut compiled =
                compile(loaded, &candidate, cores, previous).map_err(Nack::Document)?;
            self.admit(&mut compiled.generation, &mut compiled.warnings)
                .map_err(Nack::Document)?;
            Ok((compiled.generation, compiled.warnings))
        })
        .map_err(|nack| StoreError::Damaged {
            generation: number,
            why: one_line(&nack.problems(&name)),
        })
    }

    /// Changes who may call, at once and without a new generation; with both revisions of a rollout that runs.
    ///
    /// # Errors
    /// Nothing is kept apart, the change is refused, or the disk does not take it.
    pub fn change_members<T>(
        &self,
        shared: &Shared,
        change: impl FnOnce(&History, &Generation, jiff::Timestamp) -> Result<T, String>,
    ) -> Result<T, String> {
        let history = self.history.as_ref().ok_or_else(|| {
            "this node keeps nothing apart; start it with `--state FOLDER`".to_owned()
        })?;
        let _turn = self.turn.lock();
        let current = shared.generation();
        let changed = change(history, &current, self.now())?;
        let readmitted = |generation: &Generation| {
            let (directory, _) = history
                .directory(&generation.revision)
                .map_err(|problems| one_line(&problems))?;
            let mut next = Generation::clone(generation);
            next.directory = directory;
            Ok::<_, String>(next)
        };
        if !shared.rollouts.replace(shared, readmitted)? {
            shared.current.store(readmitted(&current)?.into());
        }
        self.block(shared);
        Ok(changed)
    }

    /// Refuses what is blocked for a time from now on.
    pub fn block(&self, shared: &Shared) {
        if let Some(history) = &self.history {
            shared
                .blocks
                .store(history.blocks(&shared.blocks.load()).into());
        }
    }

    /// Looks after the generation that is on trial: proves it, or goes back by itself. What a rollout tries is looked after by its
    /// guard, and kept once that has proven it. Says when spans do not reach their collector.
    pub fn tend(&self, shared: &Shared) {
        let notice = shared
            .generation()
            .telemetry
            .as_ref()
            .and_then(|one| one.notice());
        if let Some(notice) = notice {
            self.say(notice);
        }
        let Some(history) = &self.history else {
            return;
        };
        if shared.rollouts.running().is_some() {
            history.begin();
            return;
        }
        self.keep_tried(shared, history);
        match history.trial(|| shared.answered()) {
            Trial::Goes => {}
            Trial::Passed => self.prove(history),
            Trial::Failed => {
                let left = self.current().map_or(0, |kept| kept.generation);
                let why = "the node faulted while it served it";
                match self.go_back(shared, Target::LastGood, why) {
                    Ok(applied) => self.say(format!(
                        "went back from generation {left} to {}: {why}",
                        applied.generation.unwrap_or_default()
                    )),
                    Err(error) => {
                        self.say_once(format!("{why}, and it cannot go back: {error}"));
                        history.begin();
                    }
                }
            }
        }
    }

    /// What the last rollout has brought live is the last good one, on disk too.
    fn keep_tried(&self, shared: &Shared, history: &History) {
        let _turn = self.turn.lock();
        let mut tried = self.tried.lock();
        let Some(material) = tried.as_ref() else {
            return;
        };
        if shared.rollouts.running().is_some() {
            return;
        }
        let is_live = shared.rollouts.replaced().is_some() && shared.generation().id == material.id;
        let kept = is_live.then(|| self.keep(material)).transpose();
        match kept {
            Ok(kept) => {
                *tried = None;
                if kept.is_some() {
                    self.prove(history);
                }
            }
            Err(nack) => {
                self.say_once(format!("what the rollout brought live is not kept: {nack}"));
                if !matches!(nack, Nack::Disk(_)) {
                    *tried = None;
                }
            }
        }
    }

    fn prove(&self, history: &History) {
        match history.proven(self.now()) {
            Ok(generation) => self.say(format!(
                "generation {} is proven: it is the last good one from now on",
                generation.unwrap_or_default()
            )),
            Err(error) => self.say_once(format!(
                "what serves is proven, but the disk does not take that: {error}"
            )),
        }
    }
}
