//! Which target a request goes to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderName;
use lockgate_config::{Balance, Problem, Upstream};
use smallvec::SmallVec;

use super::Target;

/// What `consistent_hash` hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HashBy {
    /// The application, else the caller's address.
    Application,
    /// The caller's address.
    Client,
    /// The path.
    Path,
    /// A header field.
    Header(HeaderName),
    /// A cookie.
    Cookie(String),
}

impl HashBy {
    fn read(text: &str) -> Option<Self> {
        Some(match text.split_once(':') {
            None if text == "application" => Self::Application,
            None if text == "client" => Self::Client,
            None if text == "path" => Self::Path,
            Some(("header", name)) => Self::Header(name.parse().ok()?),
            Some(("cookie", name)) if !name.is_empty() => Self::Cookie(name.to_owned()),
            _ => return None,
        })
    }
}

/// The way a service chooses.
#[derive(Debug, Default)]
pub struct Balancer {
    balance: Balance,
    hash_by: Option<HashBy>,
    slow_start: Option<u64>,
    /// Hundredths of a percent.
    panic_threshold: u64,
}

/// The places of targets that may be chosen, with their weights of now.
type Candidates = SmallVec<[(usize, f64); 16]>;

impl Balancer {
    pub fn new(settings: &Upstream) -> Result<Self, Problem> {
        let hashes = settings.balance == Balance::ConsistentHash;
        let hash_by = match &settings.hash_by {
            Some(text) if !hashes => {
                return Err(Problem::new(
                    &text.span,
                    "`hash_by` has no effect with this `balance`",
                )
                .help("write `balance: consistent_hash`, or leave `hash_by` out"));
            }
            Some(text) => Some(HashBy::read(text).ok_or_else(|| {
                Problem::new(&text.span, format!("`{}` cannot be hashed", text.value))
                    .help("write `application`, `client`, `path`, `header:NAME` or `cookie:NAME`")
            })?),
            None => hashes.then_some(HashBy::Application),
        };
        Ok(Self {
            balance: settings.balance,
            hash_by,
            slow_start: settings.slow_start.map(|span| {
                u64::try_from(span.get().as_micros())
                    .unwrap_or(u64::MAX)
                    .max(1)
            }),
            panic_threshold: (settings.panic_threshold.get() * 100.0) as u64,
        })
    }

    pub const fn hash_by(&self) -> Option<&HashBy> {
        self.hash_by.as_ref()
    }

    /// The place of the chosen target; `turn` moves on with each request.
    pub fn choose(
        &self,
        targets: &[Arc<Target>],
        turn: usize,
        key: Option<u64>,
        tried: &[usize],
        now: u64,
    ) -> Option<usize> {
        if targets.len() < 2 {
            return (!targets.is_empty()).then_some(0);
        }
        let candidates = self.candidates(targets, tried, now);
        let busy = |at: usize| targets.get(at).map_or(0, |target| target.busy());
        match self.balance {
            Balance::RoundRobin => in_turn(&candidates, turn),
            Balance::LeastRequests => {
                of_two(&candidates, turn, |at, weight| busy(at) as f64 / weight)
            }
            Balance::Ewma => of_two(&candidates, turn, |at, _| {
                let latency = targets
                    .get(at)
                    .map_or(0.0, |target| target.state.latency.get(now));
                latency * (busy(at) + 1) as f64
            }),
            Balance::ConsistentHash => {
                let key = key.unwrap_or(turn as u64);
                by_hash(&candidates, |at| {
                    let id = targets
                        .get(at)
                        .map_or("", |target| target.authority.as_str());
                    lockgate_policy::stable_hash(&[id]) ^ key
                })
            }
        }
    }

    /// Healthy targets of the node's zone, else healthy ones, else all; never one that was tried, as long as there is another.
    fn candidates(&self, targets: &[Arc<Target>], tried: &[usize], now: u64) -> Candidates {
        let weighed = |at: usize, target: &Target| (at, self.weight(target, now));
        let usable = |target: &Target| target.state.health.is_usable(now);
        let enough = |some: usize, of: usize| {
            some > 0 && some as u64 * 10_000 >= of as u64 * self.panic_threshold
        };
        let healthy: Candidates = targets
            .iter()
            .enumerate()
            .filter(|(_, target)| usable(target))
            .map(|(at, target)| weighed(at, target))
            .collect();
        let mut chosen = if enough(healthy.len(), targets.len()) {
            healthy
        } else {
            targets
                .iter()
                .enumerate()
                .map(|(at, target)| weighed(at, target))
                .collect()
        };
        let near = |at: usize| targets.get(at).is_some_and(|target| target.near);
        let all_near = targets.iter().filter(|target| target.near).count();
        let good_near = chosen.iter().filter(|(at, _)| near(*at)).count();
        if all_near > 0 && enough(good_near, all_near) {
            let nearby: Candidates = chosen.iter().copied().filter(|(at, _)| near(*at)).collect();
            // A retry may leave the zone.
            if nearby.iter().any(|(at, _)| !tried.contains(at)) {
                chosen = nearby;
            }
        }
        if chosen.iter().any(|(at, _)| !tried.contains(at)) {
            chosen.retain(|(at, _)| !tried.contains(at));
        }
        chosen
    }

    /// The weight of a target; one that has just joined or recovered grows into its own, from a tenth.
    fn weight(&self, target: &Target, now: u64) -> f64 {
        let weight = f64::from(target.weight);
        let Some(slow_start) = self.slow_start else {
            return weight;
        };
        match target.state.health.since() {
            0 => weight,
            since => {
                let age = now.saturating_sub(since) as f64 / slow_start as f64;
                weight * age.clamp(0.1, 1.0)
            }
        }
    }
}

impl Target {
    fn busy(&self) -> usize {
        self.state.busy.load(Ordering::Relaxed)
    }
}

/// One after the other; by weight over a sequence that spreads evenly (multiples of the golden ratio).
fn in_turn(candidates: &Candidates, turn: usize) -> Option<usize> {
    let first = candidates.first()?.1;
    if candidates.iter().all(|(_, weight)| *weight == first) {
        return candidates.get(turn % candidates.len()).map(|(at, _)| *at);
    }
    by_weight(candidates, spread(turn, 0))
}

/// The better of two that are drawn by weight; the first when they are alike.
fn of_two(candidates: &Candidates, turn: usize, cost: impl Fn(usize, f64) -> f64) -> Option<usize> {
    let first = by_weight(candidates, spread(turn, 0))?;
    let mut second = by_weight(candidates, spread(turn, 1))?;
    if second == first {
        let place = candidates.iter().position(|(at, _)| *at == first)?;
        second = candidates.get((place + 1) % candidates.len())?.0;
    }
    let cost = |wanted: usize| {
        let weight = candidates
            .iter()
            .find(|(at, _)| *at == wanted)
            .map_or(1.0, |(_, w)| *w);
        cost(wanted, weight)
    };
    Some(if cost(second) < cost(first) {
        second
    } else {
        first
    })
}

/// A number from 0 to 1 that looks random and never repeats for long.
fn spread(turn: usize, salt: u64) -> f64 {
    let mut mixed = (turn as u64)
        .wrapping_add(salt << 32)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    if salt > 0 {
        mixed ^= mixed >> 29;
        mixed = mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^= mixed >> 32;
    }
    (mixed >> 11) as f64 / (1u64 << 53) as f64
}

fn by_weight(candidates: &Candidates, at: f64) -> Option<usize> {
    let total: f64 = candidates.iter().map(|(_, weight)| weight).sum();
    let mut left = at * total;
    for (place, weight) in candidates {
        left -= weight;
        if left < 0.0 {
            return Some(*place);
        }
    }
    candidates.last().map(|(place, _)| *place)
}

/// Weighted rendezvous hashing: a target that goes takes only its own keys with it.
fn by_hash(candidates: &Candidates, hash: impl Fn(usize) -> u64) -> Option<usize> {
    let score = |at: usize, weight: f64| {
        let mut mixed = hash(at).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^= mixed >> 32;
        mixed = mixed.wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^= mixed >> 32;
        let unit = ((mixed >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        -weight / unit.ln()
    };
    candidates
        .iter()
        .map(|(at, weight)| (*at, score(*at, *weight)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(at, _)| at)
}

/// The latency of a target, weighted towards the latest answers; a slow answer counts at once (peak EWMA). What was seen counts less
/// the older it is: a target that was slow once would never be asked again, and so never be seen to be quick.
#[derive(Debug, Default)]
pub struct Latency {
    seconds: AtomicU64,
    /// When it was last observed, in microseconds since the start.
    at: AtomicU64,
}

/// The time in which what was seen loses half of its weight.
const HALF_LIFE: Duration = Duration::from_secs(10);

impl Latency {
    pub fn observe(&self, took: Duration, now: u64) {
        let took = took.as_secs_f64();
        let known = f64::from_bits(self.seconds.load(Ordering::Relaxed));
        let next = if took > known {
            took
        } else {
            known + (took - known) * 0.1
        };
        self.seconds.store(next.to_bits(), Ordering::Relaxed);
        self.at.store(now, Ordering::Relaxed);
    }

    /// Seconds; a target that was never asked is worth a try.
    fn get(&self, now: u64) -> f64 {
        let known = f64::from_bits(self.seconds.load(Ordering::Relaxed));
        let age = Duration::from_micros(now.saturating_sub(self.at.load(Ordering::Relaxed)));
        let left = (-age.as_secs_f64() / HALF_LIFE.as_secs_f64()).exp2();
        (known * left).max(1e-6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_counts_at_once_and_less_with_time() {
        let latency = Latency::default();
        latency.observe(Duration::from_millis(10), 0);
        latency.observe(Duration::from_secs(8), 0);
        assert_eq!(latency.get(0), 8.0);
        let half = HALF_LIFE.as_micros() as u64;
        assert_eq!(latency.get(half), 4.0);
        assert_eq!(latency.get(3 * half), 1.0);
        // A clock that another core read a moment earlier.
        latency.observe(Duration::from_secs(8), half);
        assert_eq!(latency.get(0), 8.0);
        assert!(latency.get(100 * half) > 0.0);
    }
}
