//! What serves first: the document, or what served before when the document is refused.

use std::path::PathBuf;

use lockgate_config::{Base, Problem, Source};
use lockgate_generations::{Kept, Members, Nack, PublicKey, Store, StoreError};
use parking_lot::Mutex;

use super::{Options, Reloader};
use crate::candidate::Candidate;
use crate::compile::fenced;
use crate::core::Generation;
use crate::error::StartError;
use crate::history::History;

impl Reloader {
    /// Opens the state, and finds what serves first.
    ///
    /// # Errors
    /// The document is refused and no generation can take its place; the state folder cannot be used.
    pub fn open(
        source: Source,
        options: Options,
    ) -> Result<(Self, Generation, Vec<Problem>), StartError> {
        let mut reloader = Self {
            trust: options.trust,
            taster: options.taster,
            rollouts_only: options.rollouts_only,
            clock: options.clock,
            give_back: options.give_back,
            cores: 0,
            history: None,
            read: Mutex::new(Base::folder(".")),
            line: Mutex::default(),
            turn: Mutex::default(),
            tried: Mutex::default(),
            notices: Mutex::default(),
            refused: Mutex::default(),
            source,
        };
        reloader.watch(&Base::folder("."));
        let named = || named_by(&reloader.source, reloader.trust.as_ref());
        if let Some(folder) = options.state.or_else(named) {
            let now = reloader.now();
            let opened = Store::open(&folder, now)?;
            let mut store = opened.store;
            let looped = store.start(now).map_err(|error| StoreError::Disk {
                folder: folder.clone(),
                error,
            })?;
            opened
                .said
                .into_iter()
                .chain(looped)
                .for_each(|said| reloader.say(said));
            let members = Members::open(&folder, store.revocations())?;
            reloader.history = Some(History::new(folder, store, members, options.bake));
        }
        let (generation, warnings) = reloader.first()?;
        // Each core has a lane of the recording.
        reloader.cores = generation.cores;
        if let Some(history) = &reloader.history {
            history.begin();
        }
        Ok((reloader, generation, warnings))
    }

    /// The taster is asked only when there is something else to serve: without that, its end is the node's.
    fn first(&self) -> Result<(Generation, Vec<Problem>), StartError> {
        let current = self.history.as_ref().and_then(History::current);
        let taster = current.as_ref().and(self.taster.as_ref());
        let first = fenced(|| {
            let mut passed = self.examine(&self.source, taster, None, false)?;
            let is_served = |kept: &Kept| *kept.id == *passed.generation.id;
            if self.rollouts_only && !current.as_ref().is_none_or(is_served) {
                // A restart must be no way around a rollout.
                return Err(Nack::Rollout(self.only_by_rollout().warning()));
            }
            self.admit(&mut passed.generation, &mut passed.warnings)
                .map_err(Nack::Document)?;
            self.keep(&passed.material)?;
            Ok((passed.generation, passed.warnings))
        });
        let nack = match first {
            Ok(first) => return Ok(first),
            Err(nack) => nack,
        };
        self.note(&nack);
        let mut problems = nack.problems(&self.source.name());
        let Some(history) = &self.history else {
            return Err(StartError::Document(problems));
        };
        for number in history.ask(|store| store.servable()) {
            let (generation, warnings) = match self.compile_kept(history, number, None) {
                Ok(compiled) => compiled,
                Err(error) => {
                    self.say(error.to_string());
                    continue;
                }
            };
            if current
                .as_ref()
                .is_none_or(|kept| kept.generation != number)
            {
                let why = "it could not be served at a start";
                if let Err(error) = history.go_back(number, why, self.now()) {
                    self.say(format!("the state folder does not take it: {error}"));
                }
            }
            self.say(format!(
                "generation {number} serves: {nack} ({})",
                nack.code()
            ));
            problems.extend(warnings);
            return Ok((generation, problems));
        }
        Err(StartError::Document(problems))
    }
}

/// The state folder that the document names. One that cannot be read names none.
fn named_by(source: &Source, trust: Option<&PublicKey>) -> Option<PathBuf> {
    fenced(|| {
        let candidate = Candidate::read(source, trust)?;
        let loaded = candidate.load().map_err(Nack::Document)?;
        let folder = loaded.document.node.state.as_ref();
        Ok(folder.map(|folder| loaded.base.join(folder)))
    })
    .ok()
    .flatten()
}
