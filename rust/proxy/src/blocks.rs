//! What is refused, or slowed down, for a time: looked at before the policies, by both revisions of a rollout alike.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ipnet::IpNet;
use lockgate_generations::Block;
use lockgate_policy::{Reason, Refusal, Timestamp, blocked, gateway_reasons as reasons, read_hash};

const MINUTE_US: u64 = 60_000_000;

/// The blocks of addresses and applications. Those of credentials are the directory's.
#[derive(Debug, Default)]
pub struct Blocks {
    sources: HashMap<IpNet, Entry>,
    /// The lengths of the prefixes that there are: so many look-ups, however many blocks.
    lengths: Vec<u8>,
    applications: HashMap<Arc<str>, Entry>,
    credentials: Vec<Timestamp>,
}

#[derive(Debug, Clone)]
struct Entry {
    until: Timestamp,
    slow: Option<Slow>,
}

/// So many calls a minute. What was used is shared with the entry that takes this one's place.
#[derive(Debug, Clone)]
struct Slow {
    per_minute: u32,
    /// The minute, and how many calls it has seen.
    used: Arc<AtomicU64>,
}

/// How many blocks there are of each sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Addresses and networks.
    pub sources: usize,
    /// Applications.
    pub applications: usize,
    /// Keys and certificates.
    pub credentials: usize,
}

impl Blocks {
    /// Those of the directory; calls that were counted by `previous` stay counted.
    pub fn of(blocks: &[Block], previous: &Self) -> Self {
        let mut next = Self::default();
        for block in blocks {
            let until = micros(block.until);
            let entry = |known: Option<&Entry>| Entry {
                until,
                slow: block.per_minute.map(|per_minute| Slow {
                    per_minute,
                    used: known
                        .and_then(|known| Some(known.slow.as_ref()?.used.clone()))
                        .unwrap_or_default(),
                }),
            };
            match &block.blocks {
                lockgate_generations::Blocks::Source(text) => {
                    // INVARIANT: only what `members::source` wrote stands there.
                    let Ok(network) = text.parse::<IpNet>() else {
                        continue;
                    };
                    let entry = entry(previous.sources.get(&network));
                    next.sources.insert(network, entry);
                }
                lockgate_generations::Blocks::Application(id) => {
                    let id: Arc<str> = id.as_str().into();
                    let entry = entry(previous.applications.get(&id));
                    next.applications.insert(id, entry);
                }
                lockgate_generations::Blocks::Credential(_) => next.credentials.push(until),
            }
        }
        next.lengths = next.sources.keys().map(IpNet::prefix_len).collect();
        next.lengths.sort_unstable();
        next.lengths.dedup();
        next
    }

    /// Why an address is refused, when it is.
    pub fn source(&self, client: IpAddr, now: Timestamp) -> Option<Box<Refusal>> {
        if self.lengths.is_empty() {
            return None;
        }
        let client = client.to_canonical();
        let found = self.lengths.iter().filter_map(|length| {
            let network = IpNet::new(client, *length).ok()?.trunc();
            self.sources.get(&network)
        });
        let why = (
            &reasons::SOURCE_BLOCKED,
            "calls from this address are not accepted for now",
        );
        refusal(found, why, now)
    }

    /// Whether applications are blocked, so that callers must be known.
    pub fn concern_applications(&self) -> bool {
        !self.applications.is_empty()
    }

    /// Why an application is refused, when it is.
    pub fn application(&self, id: &str, now: Timestamp) -> Option<Box<Refusal>> {
        let why = (
            &reasons::APPLICATION_BLOCKED,
            "calls of this application are not accepted for now",
        );
        refusal(self.applications.get(id).into_iter(), why, now)
    }

    /// How many have not ended.
    pub fn counted(&self, now: Timestamp) -> Counted {
        let live = |entry: &&Entry| now < entry.until;
        Counted {
            sources: self.sources.values().filter(live).count(),
            applications: self.applications.values().filter(live).count(),
            credentials: self.credentials.iter().filter(|end| now < **end).count(),
        }
    }
}

/// A block counts before any number of calls a minute does.
fn refusal<'a>(
    found: impl Iterator<Item = &'a Entry>,
    (reason, detail): (&'static Reason, &'static str),
    now: Timestamp,
) -> Option<Box<Refusal>> {
    let mut slowed = None;
    for entry in found.filter(|entry| now < entry.until) {
        match &entry.slow {
            None => return Some(blocked(reason, detail, entry.until, now)),
            Some(slow) if !slow.admits(now) => slowed = Some(entry.until),
            Some(_) => {}
        }
    }
    let next_minute = Timestamp((now.0 / MINUTE_US + 1) * MINUTE_US);
    slowed.map(|until| {
        blocked(
            &reasons::THROTTLED,
            "so many calls are not accepted for now",
            until.min(next_minute),
            now,
        )
    })
}

impl Slow {
    /// Counts a call, and says whether it is one of those that the minute lets through.
    fn admits(&self, now: Timestamp) -> bool {
        // The minutes since 1970 fit into 32 bits for eight thousand years.
        let minute = (now.0 / MINUTE_US) << 32;
        let counted = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                let calls = if used >> 32 == minute >> 32 {
                    used & u64::from(u32::MAX)
                } else {
                    0
                };
                (calls < u64::from(self.per_minute)).then_some(minute | (calls + 1))
            });
        counted.is_ok()
    }
}

/// The blocks of credentials that can be read, by their SHA-256.
pub fn credentials(blocks: &[Block]) -> HashMap<[u8; 32], Timestamp> {
    let one = |block: &Block| match &block.blocks {
        lockgate_generations::Blocks::Credential(digits) => {
            Some((read_hash(digits)?, micros(block.until)))
        }
        _ => None,
    };
    blocks.iter().filter_map(one).collect()
}

fn micros(at: jiff::Timestamp) -> Timestamp {
    Timestamp(u64::try_from(at.as_microsecond()).unwrap_or_default())
}

#[cfg(test)]
#[path = "blocks_tests.rs"]
mod tests;
