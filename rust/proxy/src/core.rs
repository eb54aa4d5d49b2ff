//! What a core serves with: the generation of now, and what is counted and kept.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use http::HeaderValue;
use lockgate_policy::{Counters, Directory, Revision};
use lockgate_recording::{Event, Tally, TallySnapshot};
use parking_lot::Mutex;

use crate::access_log::AccessLog;
use crate::blocks::Blocks;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::facts::Facts;
use crate::listen::tls::ListenerTls;
use crate::models::KeptAnswers;
use crate::models::Models;
use crate::recording::Recording;
use crate::request_id::RequestId;
use crate::rollout::Rollouts;
use crate::telemetry::Telemetry;
use crate::timers::Timers;
use crate::upstream::{Forbidden, Pools, Service, Upstreams};

/// What serves requests at one time.
#[derive(Debug, Clone)]
pub struct Generation {
    /// The compiled document.
    pub revision: Arc<Revision>,
    /// Who may call: it changes without the document.
    pub directory: Arc<Directory>,
    /// Its id as text.
    pub id: Arc<str>,
    /// How many cores serve it.
    pub cores: usize,
    /// Its services.
    pub upstreams: Upstreams,
    /// Its models.
    pub models: Models,
    /// The TLS of listeners, by name.
    pub tls: HashMap<Arc<str>, ListenerTls>,
    /// Where events are kept.
    pub recording: Option<Arc<Recording>>,
    /// Where lines are written.
    pub access_log: Option<Arc<AccessLog>>,
    /// Where spans are sent.
    pub telemetry: Option<Arc<Telemetry>>,
}

impl Generation {
    /// Whether someone keeps what all requests say, and does not only count them.
    pub const fn keeps_text(&self) -> bool {
        self.recording.is_some() || self.access_log.is_some()
    }
}

/// What all cores share.
#[derive(Debug)]
pub struct Shared {
    /// What serves now.
    pub current: ArcSwap<Generation>,
    /// The time of day.
    pub clock: Clock,
    /// The name of the node.
    pub name: Arc<str>,
    /// What the node adds to `Via` (RFC 9110 §7.6.3).
    pub via: HeaderValue,
    /// What is refused for a time; it outlives generations.
    pub blocks: ArcSwap<Blocks>,
    /// Usage of limits; it outlives generations.
    pub counters: Arc<Counters>,
    /// Connections of callers.
    pub connections: AtomicUsize,
    /// Whether the node takes no more connections.
    pub draining: AtomicBool,
    /// Addresses that no route leads to.
    pub forbidden: Forbidden,
    /// Facts from the network.
    pub facts: Facts,
    /// Answers that are kept.
    pub cache: Arc<Cache>,
    /// Answers of models that are kept.
    pub kept_answers: KeptAnswers,
    /// The rollout of a candidate.
    pub rollouts: Rollouts,
    /// Counts of each core.
    tallies: Vec<Mutex<Tally>>,
}

impl Shared {
    /// Shares a generation between `cores`.
    pub fn new(generation: Generation, cores: usize, forbidden: Forbidden, clock: Clock) -> Self {
        let name = generation
            .revision
            .document
            .node
            .name
            .as_deref()
            .unwrap_or("lockgate");
        Self {
            name: Arc::from(name),
            via: HeaderValue::try_from(format!("1.1 {name}"))
                .unwrap_or(const { HeaderValue::from_static("1.1 lockgate") }),
            current: ArcSwap::from_pointee(generation),
            blocks: ArcSwap::default(),
            counters: Arc::default(),
            connections: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            forbidden,
            facts: Facts::new(forbidden, clock.clone()),
            cache: Arc::new(Cache::new(clock.clone())),
            kept_answers: KeptAnswers::new(clock.clone()),
            clock,
            rollouts: Rollouts::default(),
            tallies: (0..cores).map(|_| Mutex::default()).collect(),
        }
    }

    /// The generation that serves a request from its start to its end.
    pub fn generation(&self) -> Arc<Generation> {
        self.current.load_full()
    }

    /// What serves: the generation, or both of a rollout.
    pub fn generations(&self) -> Vec<Arc<Generation>> {
        match self.rollouts.trial() {
            Some(trial) => vec![trial.base.clone(), trial.candidate.clone()],
            None => vec![self.generation()],
        }
    }

    /// All services that requests may be sent to.
    pub fn services(&self) -> Vec<Arc<Service>> {
        let generations = self.generations();
        let services = generations
            .iter()
            .flat_map(|generation| generation.upstreams.values().cloned());
        services.collect()
    }

    /// How many cores serve.
    pub fn cores(&self) -> usize {
        self.tallies.len()
    }

    /// How many requests have ended.
    pub fn answered(&self) -> u64 {
        let one = |tally: &Mutex<Tally>| tally.lock().total();
        self.tallies.iter().map(one).sum()
    }

    /// The counts of all cores.
    pub fn tally(&self) -> TallySnapshot {
        let mut all = Tally::default();
        for tally in &self.tallies {
            all.absorb(&tally.lock());
        }
        all.snapshot()
    }
}

/// What belongs to one core.
#[derive(Debug)]
pub struct Core {
    /// Its number, from 0.
    pub index: usize,
    /// What all cores share.
    pub shared: Arc<Shared>,
    /// Its connections to services.
    pub pools: Arc<Pools>,
    /// Its timers.
    pub timers: Timers,
    seed: RandomState,
    turn: AtomicU64,
}

impl Core {
    /// The core of this number.
    pub fn new(index: usize, shared: Arc<Shared>) -> Self {
        Self {
            index,
            shared,
            pools: Arc::default(),
            timers: Timers::default(),
            seed: RandomState::new(),
            turn: AtomicU64::new(0),
        }
    }

    /// An id that no other request has and no caller can guess.
    pub fn request_id(&self) -> RequestId {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        RequestId::of([self.seed.hash_one((turn, 0)), self.seed.hash_one((turn, 1))])
    }

    /// A number that looks random.
    pub fn random(&self) -> u64 {
        self.seed
            .hash_one((self.turn.fetch_add(1, Ordering::Relaxed), 2))
    }

    /// A service by weight.
    pub fn pick<'a>(&self, weights: &'a [(u32, Arc<str>)]) -> Option<&'a Arc<str>> {
        let total = weights.last()?.0.max(1);
        let at = u32::try_from(self.random() % u64::from(total)).unwrap_or_default();
        weights
            .iter()
            .find(|(end, _)| at < *end)
            .map(|(_, name)| name)
    }

    /// Counts a request that has ended.
    pub fn count(&self, event: &Event) {
        if let Some(tally) = self.shared.tallies.get(self.index) {
            tally.lock().add(event);
        }
    }
}
