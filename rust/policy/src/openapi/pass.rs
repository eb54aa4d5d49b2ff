//! One translation of schemas under way: what it has come across, and under which number.

use std::collections::HashMap;

use lockgate_config::Problem;

use super::side::Side;
use super::source::Source;

/// One translation under way.
pub(super) struct Pass<'a> {
    pub(super) source: &'a Source,
    pub(super) side: Side,
    numbers: HashMap<String, usize>,
    pub(super) origins: Vec<String>,
    pub(super) problems: Vec<Problem>,
}

impl<'a> Pass<'a> {
    pub(super) fn new(source: &'a Source, side: Side) -> Self {
        Self {
            source,
            side,
            numbers: HashMap::new(),
            origins: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// The reference by which the schema at `pointer` is known.
    pub(super) fn reference(&mut self, pointer: String) -> String {
        let next = self.origins.len();
        let number = *self.numbers.entry(pointer.clone()).or_insert_with(|| {
            self.origins.push(pointer);
            next
        });
        format!("#/$defs/{number}")
    }

    pub(super) fn note(&mut self, problem: Problem) {
        self.problems.push(problem);
    }
}
