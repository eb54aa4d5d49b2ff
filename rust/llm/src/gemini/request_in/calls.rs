//! Ids for calls of tools, which Gemini's callers need not give.

use std::collections::{HashMap, VecDeque};

use crate::write::made_up_id;

/// Ids for calls that have none: a result answers the first call of its function that has no answer yet.
#[derive(Default)]
pub(super) struct Calls {
    made: u64,
    waiting: HashMap<String, VecDeque<String>>,
}

impl Calls {
    /// The id of a call.
    pub(super) fn call(&mut self, name: &str, id: Option<String>) -> String {
        let id = id.unwrap_or_else(|| {
            self.made += 1;
            made_up_id("", self.made)
        });
        self.waiting
            .entry(name.to_owned())
            .or_default()
            .push_back(id.clone());
        id
    }

    /// The id of the call that a result is of.
    pub(super) fn result(&mut self, name: &str, id: Option<String>) -> String {
        let waiting = self.waiting.entry(name.to_owned()).or_default();
        match id {
            Some(id) => {
                waiting.retain(|other| *other != id);
                id
            }
            None => waiting.pop_front().unwrap_or_else(|| made_up_id(name, 0)),
        }
    }
}
