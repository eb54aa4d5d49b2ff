//! What a node has done.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Stats {
    requests: AtomicU64,
    by_class: [AtomicU64; 5],
    refusals: Mutex<BTreeMap<&'static str, u64>>,
}

impl Stats {
    /// Counts an answer.
    pub fn answered(&self, status: http::StatusCode) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if let Some(class) = self
            .by_class
            .get(usize::from(status.as_u16() / 100).saturating_sub(1))
        {
            class.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a refusal; codes come from the catalogue, so there are few.
    pub fn refused(&self, code: &'static str) {
        if let Ok(mut refusals) = self.refusals.lock() {
            *refusals.entry(code).or_default() += 1;
        }
    }

    /// All counts.
    pub fn to_json(&self) -> Value {
        let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"]
            .iter()
            .zip(&self.by_class);
        let classes: BTreeMap<&str, u64> = classes
            .map(|(name, count)| (*name, count.load(Ordering::Relaxed)))
            .collect();
        let refusals = self
            .refusals
            .lock()
            .map(|refusals| refusals.clone())
            .unwrap_or_default();
        json!({ "requests": self.requests.load(Ordering::Relaxed), "answers": classes, "refusals": refusals })
    }
}
