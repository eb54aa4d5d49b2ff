//! Serving another generation: a candidate that passed all there is to pass, or an older one again.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use lockgate_config::{Problem, Source};
use lockgate_generations::{Kept, Members, Nack, PublicKey, Store, StoreError, Target};
use parking_lot::{Mutex, MutexGuard};

use crate::candidate::Candidate;
use crate::clock::Clock;
use crate::core::{Generation, Shared};
use crate::history::{Bake, History, Trial};
use crate::node::{Compiled, StartError, compile, fenced, needs_a_start};
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
    /// The time of day.
    pub clock: Clock,
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
    /// Problems and warnings of the document.
    pub problems: Vec<Problem>,
}

/// What reads the document, and puts a new generation in the place of the old one.
#[derive(Debug)]
pub struct Reloader {
    source: Source,
    trust: Option<PublicKey>,
    taster: Option<Taster>,
    clock: Clock,
    cores: usize,
    history: Option<History>,
    /// One reload at a time: a later one must not be overtaken by an earlier one (F15).
    line: Mutex<()>,
    /// Held while another generation takes its place; counts how often the node went back, so that a candidate which was tried
    /// meanwhile does not undo that. A taster that hangs holds only the line: a rollback never waits for it (F13).
    turn: Mutex<u64>,
    notices: Mutex<VecDeque<String>>,
}

/// A candidate that passed, and the turn that it must be served within.
struct Prepared<'a> {
    compiled: Compiled,
    generation: Option<u64>,
    _turn: MutexGuard<'a, u64>,
}

impl Reloader {
    /// Opens the state, and finds what serves first: the document, or what served before when the document is refused.
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
            clock: options.clock,
            cores: 0,
            history: None,
            line: Mutex::default(),
            turn: Mutex::default(),
            notices: Mutex::default(),
            source,
        };
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

    /// What serves first. The taster is asked only when there is something else to serve: without that, its end is the node's.
    fn first(&self) -> Result<(Generation, Vec<Problem>), StartError> {
        let current = self.history.as_ref().and_then(History::current);
        let taster = current.as_ref().and(self.taster.as_ref());
        let nack = match fenced(|| self.prepare(taster, None, None, false)) {
            Ok(prepared) => {
                let Compiled {
                    generation,
                    warnings,
                    ..
                } = prepared.compiled;
                return Ok((generation, warnings));
            }
            Err(nack) => nack,
        };
        let mut problems = nack.problems(&self.source.name());
        let Some(history) = &self.history else {
            return Err(StartError::Document(problems));
        };
        for generation in history.ask(|store| store.servable()) {
            let compiled = match self.compile_kept(history, generation, None) {
                Ok(compiled) => compiled,
                Err(error) => {
                    self.say(error.to_string());
                    continue;
                }
            };
            if current
                .as_ref()
                .is_none_or(|kept| kept.generation != generation)
            {
                let why = "it could not be served at a start";
                if let Err(error) = history.go_back(generation, why, self.now()) {
                    self.say(format!("the state folder does not take it: {error}"));
                }
            }
            self.say(format!(
                "generation {generation} serves: {nack} ({})",
                nack.code()
            ));
            problems.extend(compiled.warnings);
            return Ok((compiled.generation, problems));
        }
        Err(StartError::Document(problems))
    }

    /// Everything that a candidate must pass, up to the disk. The caller serves it.
    fn prepare(
        &self,
        taster: Option<&Taster>,
        previous: Option<&Generation>,
        went_back: Option<u64>,
        again: bool,
    ) -> Result<Prepared<'_>, Nack> {
        let candidate = Candidate::read(&self.source, self.trust.as_ref())?;
        if let (Candidate::Bundle { bundle, .. }, Some(history)) = (&candidate, &self.history) {
            history.ask(|store| store.admits(bundle))?;
        }
        let tasted = taster
            .map(|taster| taster.taste(&self.source))
            .transpose()?;
        let tasted = tasted.and_then(|tasted| tasted.id);
        if let (Some(history), Some(id)) = (&self.history, &tasted)
            && let Some(nack) = history.ask(|store| store.refused(id)).filter(|_| !again)
        {
            return Err(nack);
        }
        let cores = previous.map(|_| self.cores);
        let mut compiled = compile(&candidate, cores, previous).map_err(Nack::Document)?;
        let revision = compiled.generation.revision.clone();
        let base = &revision.base;
        let canonical = std::mem::take(&mut compiled.canonical);
        let build = |generation, from| {
            candidate.bundle(
                canonical.clone(),
                &base.files(),
                generation,
                from,
                self.now(),
            )
        };
        if tasted.is_some_and(|id| build(0, None).id() != id) {
            let problem = Problem::in_file(
                candidate.name(),
                "the document or its files changed while they were read",
            );
            return Err(Nack::Document(vec![
                problem.help("reload when they are written"),
            ]));
        }
        let turn = self.turn.lock();
        if went_back.is_some_and(|before| *turn != before) {
            return Err(Nack::Overtaken);
        }
        self.admit(&mut compiled)?;
        let generation = match &self.history {
            Some(history) => {
                let numbered = matches!(candidate, Candidate::Bundle { .. });
                Some(history.take(build, base.path(), again, numbered, self.now())?)
            }
            None => None,
        };
        Ok(Prepared {
            compiled,
            generation,
            _turn: turn,
        })
    }

    /// Puts who may call beside the document: what was published apart from it, without what was revoked.
    fn admit(&self, compiled: &mut Compiled) -> Result<(), Nack> {
        let Some(history) = &self.history else {
            return Ok(());
        };
        let (directory, warning) = history
            .directory(&compiled.generation.revision)
            .map_err(Nack::Document)?;
        compiled.generation.directory = directory;
        compiled
            .warnings
            .extend(warning.map(|problem| self.named(problem)));
        Ok(())
    }

    /// Compiles the document again and serves it, or keeps the old one. Requests that have begun end as they began. What was taken
    /// back is served only when it is asked for `again`.
    pub fn apply(&self, shared: &Shared, again: bool) -> Applied {
        let _line = self.line.lock();
        let went_back = *self.turn.lock();
        let current = shared.generation();
        let prepared = fenced(|| {
            let taster = self.taster.as_ref();
            self.prepare(taster, Some(&current), Some(went_back), again)
        });
        match prepared {
            Ok(prepared) => {
                let generation = prepared.generation;
                let Compiled {
                    generation: next,
                    warnings: mut problems,
                    ..
                } = prepared.compiled;
                let needs = needs_a_start(&current.revision.document, &next.revision.document);
                problems.extend(needs.map(|problem| self.named(problem)));
                let id = next.id.to_string();
                shared.current.store(next.into());
                Applied {
                    applied: true,
                    id,
                    generation,
                    reason: None,
                    problems,
                }
            }
            Err(nack) => Applied {
                applied: false,
                id: current.id.to_string(),
                generation: self.current().map(|kept| kept.generation),
                reason: Some(nack.code()),
                problems: nack.problems(&self.source.name()),
            },
        }
    }

    /// Serves an older generation again. Needs nothing but this process; when the disk does not take it, it serves all the same, and
    /// says so.
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
        let current = shared.generation();
        let mut said = Vec::new();
        for generation in history.ask(|store| store.targets(target))? {
            let compiled = match self.compile_kept(history, generation, Some(&current)) {
                Ok(compiled) => compiled,
                Err(error) => {
                    said.push(error.to_string());
                    continue;
                }
            };
            *turn += 1;
            let id = compiled.generation.id.to_string();
            shared.current.store(compiled.generation.into());
            let mut problems = compiled.warnings;
            if let Err(error) = history.go_back(generation, why, self.now()) {
                let message = format!(
                    "generation {generation} serves, but the disk does not take that: {error}"
                );
                problems.push(
                    Problem::in_file(history.folder.display().to_string(), message)
                        .help("make room and go back again: the next start serves the other one")
                        .warning(),
                );
            }
            return Ok(Applied {
                applied: true,
                id,
                generation: Some(generation),
                reason: None,
                problems,
            });
        }
        Err(StoreError::NoTarget(said.join("; ")))
    }

    fn compile_kept(
        &self,
        history: &History,
        generation: u64,
        previous: Option<&Generation>,
    ) -> Result<Compiled, StoreError> {
        let unservable = |why| StoreError::Damaged { generation, why };
        let (bundle, folder) = history.ask(|store| store.load(generation))?;
        let name = format!("generation {generation}");
        let cores = previous.map(|_| self.cores);
        fenced(|| {
            let candidate = Candidate::of(bundle, name.clone(), folder, self.trust.as_ref())?;
            let mut compiled = compile(&candidate, cores, previous).map_err(Nack::Document)?;
            self.admit(&mut compiled)?;
            Ok(compiled)
        })
        .map_err(|nack| unservable(one_line(&nack.problems(&name))))
    }

    /// Changes who may call, at once and without a new generation.
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
        let (directory, _) = history
            .directory(&current.revision)
            .map_err(|problems| one_line(&problems))?;
        let mut next = Generation::clone(&current);
        next.directory = directory;
        shared.current.store(next.into());
        Ok(changed)
    }

    /// Looks after the generation that is on trial: proves it, or goes back by itself.
    pub fn tend(&self, shared: &Shared) {
        let Some(history) = &self.history else {
            return;
        };
        match history.trial(|| shared.answered()) {
            Trial::Goes => {}
            Trial::Passed => match history.proven(self.now()) {
                Ok(generation) => self.say(format!(
                    "generation {} is proven: it is the last good one from now on",
                    generation.unwrap_or_default()
                )),
                Err(error) => self.say_once(format!(
                    "what serves is proven, but the disk does not take that: {error}"
                )),
            },
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
    pub fn named(&self, mut problem: Problem) -> Problem {
        if problem.line == 0 {
            problem.file = self.source.name();
        }
        problem
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::try_from(self.clock.system_time()).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

/// Problems in one line.
pub fn one_line(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("; ")
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
