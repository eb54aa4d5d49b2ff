//! Which generation to serve: what a person or a failure asks for, and the next best.

use crate::error::StoreError;
use crate::journal::{Kept, Stage};
use crate::target::Target;

use super::Store;

impl Store {
    /// The generation that `target` names.
    ///
    /// # Errors
    /// There is none, or it is served already.
    pub fn find(&self, target: Target) -> Result<u64, StoreError> {
        let missing = |why: &str| StoreError::NoTarget(why.to_owned());
        let found = match target {
            // What is served may be the last that was proven, and be wrong all the same.
            Target::LastGood => self
                .journal
                .last_good
                .filter(|good| self.journal.current != Some(*good))
                .or(self.journal.before)
                .ok_or_else(|| missing("no other was proven, and none was served before"))?,
            Target::Previous => self
                .journal
                .before
                .ok_or_else(|| missing("none was served before"))?,
            Target::Generation(number) => number,
        };
        if self.kept(found).is_none() {
            let known: Vec<String> = self
                .journal
                .kept
                .iter()
                .map(|kept| kept.generation.to_string())
                .collect();
            return Err(missing(&format!(
                "generation {found} is not kept; these are: {}",
                known.join(", ")
            )));
        }
        if self.journal.current == Some(found) {
            return Err(missing(&format!("generation {found} is served already")));
        }
        Ok(found)
    }

    /// What to try, in order, to get to `target`: when the last good one is damaged, the next best.
    ///
    /// # Errors
    /// There is nothing to go back to.
    pub fn targets(&self, target: Target) -> Result<Vec<u64>, StoreError> {
        let first = self.find(target)?;
        let mut targets = vec![first];
        if target == Target::LastGood {
            let others = self.list().into_iter().filter(|kept| {
                kept.stage != Stage::TakenBack
                    && kept.generation != first
                    && self.journal.current != Some(kept.generation)
            });
            targets.extend(others.map(|kept| kept.generation));
        }
        Ok(targets)
    }

    /// What can be served, what is wanted most first: never empty while one generation is kept.
    pub fn servable(&self) -> Vec<u64> {
        let journal = &self.journal;
        let mut others: Vec<&Kept> = journal.kept.iter().collect();
        others.sort_by_key(|kept| {
            (
                kept.stage == Stage::TakenBack,
                std::cmp::Reverse(kept.generation),
            )
        });
        let mut wanted: Vec<u64> = [journal.current, journal.last_good, journal.before]
            .into_iter()
            .flatten()
            .collect();
        wanted.extend(others.iter().map(|kept| kept.generation));
        let mut seen = std::collections::HashSet::new();
        wanted.retain(|generation| self.kept(*generation).is_some() && seen.insert(*generation));
        wanted
    }
}
