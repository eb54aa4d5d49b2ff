//! What becomes of generations: a candidate is served, proven, or taken back.

use std::path::Path;

use jiff::Timestamp;

use crate::bundle::Bundle;
use crate::journal::{Kept, Refused, Stage};
use crate::nack::Nack;
use crate::starts::{MAX_STARTS, START_WINDOW_SECONDS, counted};
use crate::target::Target;

use super::Store;
use super::files;

/// How many revisions that were taken back are remembered.
const MAX_REFUSED: usize = 64;

impl Store {
    /// Whether a bundle comes in its turn.
    ///
    /// # Errors
    /// A newer one was seen, or another one with its number.
    pub fn admits(&self, bundle: &Bundle) -> Result<(), Nack> {
        let (generation, newest) = (bundle.generation(), self.journal.newest);
        match self.kept(generation) {
            Some(kept) if generation == newest && kept.id == bundle.id() => Ok(()),
            Some(_) if generation == newest => Err(Nack::Taken(generation)),
            _ if generation <= newest => Err(Nack::Older { generation, newest }),
            _ => Ok(()),
        }
    }

    /// Keeps a bundle as the candidate. `folder` is where its secrets are read.
    ///
    /// # Errors
    /// A newer one was seen, or the disk does not take it.
    pub fn propose(&mut self, bundle: &Bundle, folder: &Path, now: Timestamp) -> Result<(), Nack> {
        self.admits(bundle)?;
        let generation = bundle.generation();
        if self.kept(generation).is_some() {
            return Ok(());
        }
        let full = |error: std::io::Error| Nack::Disk(error.to_string());
        files::write(&*self.disk, &self.folder, bundle, folder).map_err(full)?;
        let mut next = self.journal.clone();
        next.newest = generation;
        next.kept.push(Kept {
            generation,
            id: bundle.id().to_owned(),
            stage: Stage::Candidate,
            since: now,
            why: None,
        });
        self.save(next).map_err(full)
    }

    /// A generation is served from now on.
    ///
    /// # Errors
    /// The disk does not take it; it must not be served then.
    pub fn applied(&mut self, generation: u64, now: Timestamp) -> std::io::Result<()> {
        let mut next = self.journal.clone();
        if next.current != Some(generation) {
            next.before = next.current;
        }
        next.current = Some(generation);
        next.starts = vec![now];
        next.enter(generation, Stage::Applied, now, None);
        let id = self.kept(generation).map(|kept| kept.id.clone());
        next.refused
            .retain(|refused| Some(&refused.id) != id.as_ref());
        self.save(next)
    }

    /// The current generation is proven.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn baked(&mut self, now: Timestamp) -> std::io::Result<()> {
        let Some(current) = self.journal.current else {
            return Ok(());
        };
        let mut next = self.journal.clone();
        next.last_good = Some(current);
        next.starts.clear();
        next.enter(current, Stage::Baked, now, None);
        self.save(next)
    }

    /// Serves an older generation from now on, and remembers why the current one was taken back.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn go_back(&mut self, to: u64, why: &str, now: Timestamp) -> std::io::Result<()> {
        let mut next = self.journal.clone();
        if let Some(left) = self.current().filter(|left| left.generation != to) {
            next.enter(left.generation, Stage::TakenBack, now, Some(why));
            next.refused.retain(|refused| refused.id != left.id);
            next.refused.push(Refused {
                id: left.id.clone(),
                why: why.to_owned(),
            });
            let over = next.refused.len().saturating_sub(MAX_REFUSED);
            next.refused.drain(..over);
            if next.last_good == Some(left.generation) {
                next.last_good = None;
            }
        }
        let target = self.kept(to);
        let baked = target.is_some_and(|kept| kept.stage == Stage::Baked);
        let id = target.map(|kept| kept.id.clone());
        next.refused
            .retain(|refused| Some(&refused.id) != id.as_ref());
        next.current = Some(to);
        next.starts = vec![now];
        if baked {
            next.last_good = Some(to);
        } else {
            next.enter(to, Stage::Applied, now, None);
        }
        next.before = next
            .kept
            .iter()
            .filter(|kept| kept.generation < to && kept.stage != Stage::TakenBack)
            .map(|kept| kept.generation)
            .max();
        self.save(next)
    }

    /// The node starts. Goes back by itself when the starts before ended badly one after the other; says so.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn start(&mut self, now: Timestamp) -> std::io::Result<Option<String>> {
        let Some(current) = self.current().filter(|kept| kept.stage == Stage::Applied) else {
            return Ok(None);
        };
        let current = current.generation;
        let starts = counted(&self.journal.starts, now);
        if starts.len() >= MAX_STARTS {
            let to = self
                .find(Target::LastGood)
                .or_else(|_| self.find(Target::Previous));
            let times = starts.len();
            let why = format!(
                "the node started {times} times within {START_WINDOW_SECONDS} s and did not live until it was proven"
            );
            if let Ok(to) = to {
                self.go_back(to, &why, now)?;
                return Ok(Some(format!(
                    "went back from generation {current} to {to}: {why}"
                )));
            }
        }
        let mut next = self.journal.clone();
        next.starts = starts;
        // An older Lockgate, or a clock set back, must not make this list grow.
        let over = next.starts.len().saturating_sub(MAX_STARTS);
        next.starts.drain(..over);
        self.save(next)?;
        Ok(None)
    }

    /// The node ends as it was told to: this start says nothing against the generation.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn end(&mut self) -> std::io::Result<()> {
        if self.journal.starts.is_empty() {
            return Ok(());
        }
        let mut next = self.journal.clone();
        next.starts.pop();
        self.save(next)
    }

    /// Raises the number of revocations; it never falls.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn raise_revocations(&mut self, to: u64) -> std::io::Result<()> {
        if to <= self.journal.revocations {
            return Ok(());
        }
        let mut next = self.journal.clone();
        next.revocations = to;
        self.save(next)
    }
}
