//! Serving another generation: a candidate that passed all there is to pass, or an older one again.

mod back;
mod start;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lockgate_config::{Base, Problem, Source, one_line};
use lockgate_generations::{Kept, Nack, PublicKey, Store};
use parking_lot::{Mutex, MutexGuard};
use serde_json::{Value, json};

use crate::candidate::Candidate;
use crate::clock::Clock;
use crate::compile::{Compiled, compile, fenced, needs_a_start};
use crate::core::{Generation, Shared};
use crate::history::{Bake, History};
use crate::metrics;
use crate::rollout::{self, Reload};
use crate::taster::Taster;

/// How many notices wait for somebody to read them.
const MAX_NOTICES: usize = 64;

/// What is asked of the process and not of the document.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The folder that generations and the use of quotas are kept in; the one that the document names otherwise.
    pub state: Option<PathBuf>,
    /// The publisher whose bundles are served, and nothing else.
    pub trust: Option<PublicKey>,
    /// What tries candidates first.
    pub taster: Option<Taster>,
    /// What makes a generation the last good one.
    pub bake: Bake,
    /// Whether another revision is served at once only by force, and by a rollout otherwise (F8).
    pub rollouts_only: bool,
    /// The time of day.
    pub clock: Clock,
    /// What gives memory back to the system, on the thread that has read a document.
    pub give_back: Option<fn()>,
}

/// What a reload may do that it does not do by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reloading {
    /// Serve a revision that was taken back.
    pub again: bool,
    /// End the rollout that runs, or undo the one that has ended.
    pub force: bool,
}

/// What a reload or a rollback did.
#[derive(Debug)]
pub struct Applied {
    /// Whether it is now served; what was served before serves on when it is not.
    pub applied: bool,
    /// The id of what is served now.
    pub id: String,
    /// Its generation, when generations are kept.
    pub generation: Option<u64>,
    /// The code of the reason, when it was refused.
    pub reason: Option<&'static str>,
    /// From when its document was read until it served: compiling, keeping it on disk, and the change of places.
    pub live_in: Option<Duration>,
    /// Problems and warnings of the document.
    pub problems: Vec<Problem>,
}

impl Applied {
    /// How long it took to serve what was read, in milliseconds.
    #[must_use]
    pub fn live_ms(&self) -> Option<f64> {
        self.live_in.map(|time| time.as_secs_f64() * 1e3)
    }
}

/// What reads the document, and puts a new generation in the place of the old one.
#[derive(Debug)]
pub struct Reloader {
    source: Source,
    trust: Option<PublicKey>,
    taster: Option<Taster>,
    rollouts_only: bool,
    clock: Clock,
    give_back: Option<fn()>,
    cores: usize,
    history: Option<History>,
    /// The files of the last reading that came as far, whether or not it is served.
    read: Mutex<Base>,
    /// One reload at a time: a later one must not be overtaken by an earlier one (F15).
    line: Mutex<()>,
    /// Held while another generation takes its place; counts how often the node went back, so that a candidate which was tried
    /// meanwhile does not undo that. A taster that hangs holds only the line: a rollback never waits for it (F13).
    turn: Mutex<u64>,
    /// What the rollout tries, for the disk to keep when it is the last good one.
    tried: Mutex<Option<Material>>,
    notices: Mutex<VecDeque<String>>,
    /// Why the last candidate was not served; nothing once one was.
    refused: Mutex<Option<Value>>,
}

/// What a bundle of a candidate is made of.
#[derive(Debug)]
struct Material {
    candidate: Candidate,
    id: Arc<str>,
    canonical: String,
    base: Base,
}

/// A candidate that passed.
struct Passed {
    read_at: Instant,
    generation: Generation,
    warnings: Vec<Problem>,
    material: Material,
}

impl Reloader {
    /// Everything that a candidate must pass before it may take a place. Nothing changes.
    fn examine(
        &self,
        source: &Source,
        taster: Option<&Taster>,
        previous: Option<&Generation>,
        again: bool,
    ) -> Result<Passed, Nack> {
        let candidate = Candidate::read(source, self.trust.as_ref())?;
        if let (Candidate::Bundle { bundle, .. }, Some(history)) = (&candidate, &self.history) {
            history.ask(|store| store.admits(bundle))?;
        }
        let tasted = taster.map(|taster| taster.taste(source)).transpose()?;
        let loaded = candidate.load().map_err(Nack::Document)?;
        let read_at = Instant::now();
        if std::ptr::eq(source, &raw const self.source) {
            self.watch(&loaded.base);
        }
        let cores = previous.map(|_| self.cores);
        let Compiled {
            generation,
            mut warnings,
            canonical,
        } = compile(loaded, &candidate, cores, previous).map_err(Nack::Document)?;
        if tasted.is_some_and(|tasted| tasted.id.as_deref() != Some(&*generation.id)) {
            let message = "the document or its files changed while they were read";
            let problem = Problem::in_file(candidate.name(), message);
            return Err(Nack::Document(vec![
                problem.help("reload when they are written"),
            ]));
        }
        if let Some(history) = &self.history
            && let Some(nack) = history
                .ask(|store| store.refused(&generation.id))
                .filter(|_| !again)
        {
            return Err(nack);
        }
        if let Some(previous) = previous {
            let needs = needs_a_start(&previous.revision.document, &generation.revision.document);
            warnings.extend(needs.map(|problem| problem.known_as(|| candidate.name())));
        }
        let material = Material {
            id: generation.id.clone(),
            base: generation.revision.base.clone(),
            candidate,
            canonical,
        };
        Ok(Passed {
            read_at,
            generation,
            warnings,
            material,
        })
    }

    /// Puts who may call beside the document: what was published apart from it, without what was revoked.
    fn admit(
        &self,
        generation: &mut Generation,
        warnings: &mut Vec<Problem>,
    ) -> Result<(), Vec<Problem>> {
        if let Some(history) = &self.history {
            let (directory, warning) = history.directory(&generation.revision)?;
            generation.directory = directory;
            warnings.extend(warning.map(|problem| self.named(problem)));
        }
        Ok(())
    }

    /// Puts what serves from now on on disk. Gives its number, when generations are kept.
    fn keep(&self, material: &Material) -> Result<Option<u64>, Nack> {
        let Some(history) = &self.history else {
            return Ok(None);
        };
        let (candidate, base) = (&material.candidate, &material.base);
        let build = |generation, from| {
            let canonical = material.canonical.clone();
            candidate.bundle(canonical, &base.carried(), generation, from, self.now())
        };
        let is_numbered = matches!(candidate, Candidate::Bundle { .. });
        history
            .take(build, base.path(), is_numbered, self.now())
            .map(Some)
    }

    /// Compiles the document again and serves it, or keeps the old one. Requests that have begun end as they began.
    pub fn apply(&self, shared: &Shared, how: Reloading) -> Applied {
        let _line = self.line.lock();
        let went_back = *self.turn.lock();
        let current = shared.generation();
        let served = fenced(|| {
            let taster = self.taster.as_ref();
            let passed = self.examine(&self.source, taster, Some(&current), how.again)?;
            if self.rollouts_only && !how.force && passed.generation.id != current.id {
                return Err(Nack::Rollout(self.only_by_rollout()));
            }
            let _turn = self.turn_since(went_back)?;
            self.serve(shared, passed, how.force)
        });
        self.tidy();
        match served {
            Ok(applied) => {
                *self.refused.lock() = None;
                applied
            }
            Err(nack) => {
                self.note(&nack);
                Applied {
                    applied: false,
                    id: current.id.to_string(),
                    generation: self.current().map(|kept| kept.generation),
                    reason: Some(nack.code()),
                    live_in: None,
                    problems: nack.problems(&self.source.name()),
                }
            }
        }
    }

    /// Remembers why a candidate is not served, for whoever asks the node. One that waits for a rollout is not refused.
    fn note(&self, nack: &Nack) {
        if matches!(nack, Nack::Rollout(_)) {
            return;
        }
        let message = one_line(&nack.problems(&self.source.name()));
        let said =
            json!({ "at": self.now().to_string(), "reason": nack.code(), "message": message });
        *self.refused.lock() = Some(said);
    }

    /// Counts since the start, and why the last candidate was not served.
    pub fn stats(&self, shared: &Shared) -> Value {
        let mut stats = metrics::stats(shared);
        if let Some(all) = stats.as_object_mut() {
            all.insert("refused".to_owned(), json!(*self.refused.lock()));
        }
        stats
    }

    /// Reading and compiling took several times the memory that stays.
    fn tidy(&self) {
        if let Some(give_back) = self.give_back {
            give_back();
        }
    }

    fn serve(&self, shared: &Shared, passed: Passed, force: bool) -> Result<Applied, Nack> {
        let Passed {
            read_at,
            mut generation,
            warnings: mut problems,
            material,
        } = passed;
        self.admit(&mut generation, &mut problems)
            .map_err(Nack::Document)?;
        let id = generation.id.clone();
        let number = match rollout::reload(shared, &id, force).map_err(Nack::Rollout)? {
            Reload::Serve => {
                let number = self.keep(&material)?;
                *self.tried.lock() = None;
                shared.current.store(generation.into());
                number
            }
            Reload::Nothing => self.current().map(|kept| kept.generation),
        };
        Ok(Applied {
            applied: true,
            id: id.to_string(),
            generation: number,
            reason: None,
            live_in: Some(read_at.elapsed()),
            problems,
        })
    }

    /// The line of those who change what serves.
    pub fn line(&self) -> MutexGuard<'_, ()> {
        self.line.lock()
    }

    /// Begins a rollout of another document with `begin`, which gets its generation. Gives its warnings. The caller stands first in
    /// the line.
    ///
    /// # Errors
    /// The problems of the document, or what `begin` says.
    pub fn try_out<E: From<Vec<Problem>>>(
        &self,
        shared: &Shared,
        source: &Source,
        begin: impl FnOnce(Generation) -> Result<(), E>,
    ) -> Result<Vec<Problem>, E> {
        let problems = |nack: Nack| E::from(nack.problems(&source.name()));
        let went_back = *self.turn.lock();
        let current = shared.generation();
        let taster = self.taster.as_ref();
        let passed = fenced(|| self.examine(source, taster, Some(&current), false));
        self.tidy();
        let Passed {
            mut generation,
            mut warnings,
            material,
            ..
        } = passed.map_err(problems)?;
        let _turn = self.turn_since(went_back).map_err(problems)?;
        self.admit(&mut generation, &mut warnings)?;
        begin(generation)?;
        *self.tried.lock() = Some(material);
        Ok(warnings)
    }

    fn only_by_rollout(&self) -> Problem {
        let message = "this gateway takes another revision by a rollout only";
        Problem::in_file(self.source.name(), message).help(
            "run `lockgate rollout start`; `lockgate reload --force` serves everybody at once",
        )
    }

    fn turn_since(&self, went_back: u64) -> Result<MutexGuard<'_, u64>, Nack> {
        let turn = self.turn.lock();
        if *turn == went_back {
            Ok(turn)
        } else {
            Err(Nack::Overtaken)
        }
    }

    /// What is served, when generations are kept.
    pub fn current(&self) -> Option<Kept> {
        self.history.as_ref()?.current()
    }

    /// The node ends as it was told to.
    pub fn end(&self) {
        if let Some(history) = &self.history {
            // A mark that stays costs at most one start too many.
            let _ = history.ask(Store::end);
        }
    }

    /// The files that the document consists of and refers to, as the last reading found them: that of an erroneous document too,
    /// because the error may be in any of them.
    pub fn files(&self) -> Vec<PathBuf> {
        self.read.lock().paths()
    }

    fn watch(&self, base: &Base) {
        if let Source::File(path) = &self.source {
            base.note(path.clone());
        }
        *self.read.lock() = base.clone();
    }

    /// What was said since the last call.
    pub fn notices(&self) -> Vec<String> {
        self.notices.lock().drain(..).collect()
    }

    fn say(&self, text: String) {
        let mut notices = self.notices.lock();
        if notices.len() == MAX_NOTICES {
            notices.pop_front();
        }
        notices.push_back(text);
    }

    fn say_once(&self, text: String) {
        if self.notices.lock().back() != Some(&text) {
            self.say(text);
        }
    }

    /// The cores that serve.
    pub const fn cores(&self) -> usize {
        self.cores
    }

    /// The state folder, when generations are kept.
    pub fn state(&self) -> Option<&Path> {
        self.history.as_ref().map(|history| &*history.folder)
    }

    /// A problem of a whole document, under the name that the person knows it by.
    pub fn named(&self, problem: Problem) -> Problem {
        problem.known_as(|| self.source.name())
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::try_from(self.clock.system_time()).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}
