//! Limits whose window began before the recording did: what they counted is incomplete for a time.

use std::collections::HashMap;
use std::sync::Arc;

use lockgate_policy::{BoundPolicy, Revision, Timestamp, VerdictRecord, Word};

/// Limits whose counts are incomplete for a time, by the address of the policy.
#[derive(Debug, Default)]
pub struct Warming {
    until: Timestamp,
    limits: HashMap<usize, Warm>,
}

/// A limit whose count is incomplete for a time.
#[derive(Debug)]
pub struct Warm {
    pub policy: Arc<BoundPolicy>,
    pub until: Timestamp,
    /// Requests that it judged until then.
    pub requests: u64,
}

fn address(policy: &Arc<BoundPolicy>) -> usize {
    Arc::as_ptr(policy).addr()
}

impl Warming {
    /// The limits of a revision whose windows began before `start`.
    pub fn at(start: Timestamp, revision: &Revision) -> Self {
        let policies = revision
            .routes
            .iter()
            .flat_map(|route| route.chain.policies());
        let limits: HashMap<usize, Warm> = policies
            .map(|policy| {
                let warm = Warm {
                    policy: policy.clone(),
                    until: policy.policy.complete_from(start),
                    requests: 0,
                };
                (address(policy), warm)
            })
            .filter(|(_, warm)| warm.until > start)
            .collect();
        let until = limits.values().map(|warm| warm.until).max();
        Self {
            until: until.unwrap_or_default(),
            limits,
        }
    }

    /// Counts a request that limits judged.
    pub fn count(
        &mut self,
        now: Timestamp,
        policies: &[Arc<BoundPolicy>],
        verdicts: &[VerdictRecord],
    ) {
        if now >= self.until {
            return;
        }
        for record in verdicts {
            if matches!(record.word, Word::Allow | Word::Deny)
                && let Some(policy) = policies.get(usize::from(record.policy))
                && let Some(warm) = self.limits.get_mut(&address(policy))
                && now < warm.until
            {
                warm.requests += 1;
            }
        }
    }

    /// The limits that judged requests meanwhile.
    pub fn warm(&self) -> impl Iterator<Item = &Warm> {
        self.limits.values().filter(|warm| warm.requests > 0)
    }
}
