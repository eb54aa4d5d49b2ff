//! Counts events for metrics, with a bounded number of series.

mod models;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Serialize;

use crate::event::{DENY, Decision, Event};
use crate::text::Text;

use foldhash::fast::RandomState as Hashing;
use models::Models;
pub use models::{ModelCounts, ModelSeries};

/// The name under which everything is counted once there are too many series.
pub const OTHER: &str = "other";

/// Upper bounds of the latency buckets, in microseconds; a last bucket takes what is slower.
pub const LATENCY_BUCKETS_US: [u64; 14] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000,
];

const MAX_SERIES: usize = 10_000;

/// What is counted of the calls of one route.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Series {
    /// Calls by the class of their status: no status, 1xx, 2xx, 3xx, 4xx, 5xx.
    pub by_class: [u64; 6],
    /// Calls by latency: not more than each of [`LATENCY_BUCKETS_US`] but more than the one before, then slower ones.
    pub by_latency: [u64; LATENCY_BUCKETS_US.len() + 1],
    /// The latencies together, in microseconds.
    pub latency_us: u64,
    /// Bytes of request bodies.
    pub bytes_in: u64,
    /// Bytes of answers' bodies.
    pub bytes_out: u64,
}

impl Series {
    fn add(&mut self, event: &Event) {
        let class = usize::from(event.status / 100);
        if let Some(count) = self.by_class.get_mut(if class > 5 { 0 } else { class }) {
            *count += 1;
        }
        let bucket = LATENCY_BUCKETS_US.partition_point(|bound| *bound < event.latency_us);
        if let Some(count) = self.by_latency.get_mut(bucket) {
            *count += 1;
        }
        self.latency_us = self.latency_us.saturating_add(event.latency_us);
        self.bytes_in = self.bytes_in.saturating_add(event.bytes_in);
        self.bytes_out = self.bytes_out.saturating_add(event.bytes_out);
    }

    fn absorb(&mut self, other: &Self) {
        for (mine, theirs) in self.by_class.iter_mut().zip(other.by_class) {
            *mine += theirs;
        }
        for (mine, theirs) in self.by_latency.iter_mut().zip(other.by_latency) {
            *mine += theirs;
        }
        self.latency_us = self.latency_us.saturating_add(other.latency_us);
        self.bytes_in = self.bytes_in.saturating_add(other.bytes_in);
        self.bytes_out = self.bytes_out.saturating_add(other.bytes_out);
    }
}

/// The counts of one route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RouteSeries {
    /// The API; empty when no route was found.
    pub api: Text,
    /// The route; empty when none was found.
    pub route: Text,
    /// The counts.
    #[serde(flatten)]
    pub series: Series,
}

/// The counts at one moment, in order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TallySnapshot {
    /// By API and route.
    pub routes: Vec<RouteSeries>,
    /// Refused calls by reason code.
    pub refusals: BTreeMap<Text, u64>,
    /// Calls that a policy in shadow would have refused, by policy.
    pub shadow_denials: BTreeMap<Text, u64>,
    /// Calls to models, by model and provider.
    pub models: Vec<ModelCounts>,
}

/// Counts events. Each core keeps its own and merges them when someone asks. A series is a route, a reason code or a policy in
/// shadow; after 10,000 of them, what is new is counted under [`OTHER`].
#[derive(Debug, Clone, Default)]
pub struct Tally {
    // Nested, so that a look-up needs no key of its own.
    routes: HashMap<Text, HashMap<Text, Series, Hashing>, Hashing>,
    refusals: HashMap<Text, u64>,
    shadow_denials: HashMap<Text, u64>,
    models: Models,
    series: usize,
}

impl Tally {
    /// How many events were counted.
    pub fn total(&self) -> u64 {
        let series = self.routes.values().flat_map(HashMap::values);
        series.flat_map(|series| series.by_class).sum()
    }

    /// Counts an event.
    pub fn add(&mut self, event: &Event) {
        let api = event.api.as_deref().unwrap_or_default();
        self.count_route(api, event.route.as_deref().unwrap_or_default(), |series| {
            series.add(event)
        });
        // What a policy answers in place of the service, such as a redirect, has a code too and is no refusal.
        if let Some(code) = &event.code
            && event.decision != Decision::Respond
        {
            count(&mut self.refusals, code, 1, &mut self.series);
        }
        for verdict in event
            .verdicts
            .iter()
            .filter(|verdict| verdict.shadow && verdict.word == DENY)
        {
            count(&mut self.shadow_denials, &verdict.id, 1, &mut self.series);
        }
        if let Some(call) = &event.model_call {
            self.models.add(call, &mut self.series);
        }
    }

    /// Adds the counts of another.
    pub fn absorb(&mut self, other: &Self) {
        for (api, routes) in &other.routes {
            for (route, series) in routes {
                self.count_route(api, route, |mine| mine.absorb(series));
            }
        }
        for (code, calls) in &other.refusals {
            count(&mut self.refusals, code, *calls, &mut self.series);
        }
        for (policy, calls) in &other.shadow_denials {
            count(&mut self.shadow_denials, policy, *calls, &mut self.series);
        }
        self.models.absorb(&other.models, &mut self.series);
    }

    /// The counts now.
    #[must_use]
    pub fn snapshot(&self) -> TallySnapshot {
        let mut routes: Vec<RouteSeries> = self
            .routes
            .iter()
            .flat_map(|(api, routes)| {
                routes.iter().map(move |(route, series)| RouteSeries {
                    api: Arc::clone(api),
                    route: Arc::clone(route),
                    series: *series,
                })
            })
            .collect();
        routes.sort_by(|a, b| (&a.api, &a.route).cmp(&(&b.api, &b.route)));
        TallySnapshot {
            routes,
            refusals: ordered(&self.refusals),
            shadow_denials: ordered(&self.shadow_denials),
            models: self.models.snapshot(),
        }
    }

    fn count_route(&mut self, api: &str, route: &str, add: impl FnOnce(&mut Series)) {
        // A known route costs two look-ups and no copy of its names.
        if let Some(series) = self
            .routes
            .get_mut(api)
            .and_then(|routes| routes.get_mut(route))
        {
            return add(series);
        }
        let (api, route) = if admits(&mut self.series) {
            (api, route)
        } else {
            (OTHER, OTHER)
        };
        add(self
            .routes
            .entry(api.into())
            .or_default()
            .entry(route.into())
            .or_default());
    }
}

/// Takes a place for a new series, when one is left.
fn admits(series: &mut usize) -> bool {
    let admitted = *series < MAX_SERIES;
    *series += usize::from(admitted);
    admitted
}

fn count(counts: &mut HashMap<Text, u64>, name: &str, calls: u64, series: &mut usize) {
    if let Some(count) = counts.get_mut(name) {
        *count += calls;
        return;
    }
    let name = if admits(series) { name } else { OTHER };
    *counts.entry(name.into()).or_default() += calls;
}

fn ordered(counts: &HashMap<Text, u64>) -> BTreeMap<Text, u64> {
    counts
        .iter()
        .map(|(name, calls)| (Arc::clone(name), *calls))
        .collect()
}

#[cfg(test)]
#[path = "tally_tests.rs"]
mod tests;
