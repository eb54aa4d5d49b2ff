//! What calls to models took, for the limits and budgets of one revision.

use std::collections::HashMap;
use std::sync::Arc;

use lockgate_config::{Document, Mode};
use lockgate_llm::{ModelPrice, Usage};
use lockgate_policy::{
    BoundPolicy, Chain, Held, Timestamp, Unit, VerdictRecord, Word, dialect_of, price_of,
};
use lockgate_recording::{Event, ModelCall};

/// What calls took is not known of requests that were refused when they were recorded.
const NOT_TAKEN: &str = "what calls took that were refused, or not judged, before it";

/// What a recorded call took.
#[derive(Debug, Clone, Copy)]
pub enum Took<'e> {
    /// No model was asked: it would have taken something.
    Unknown,
    /// What was held was given back.
    Nothing,
    /// It was answered.
    Known(&'e ModelCall),
}

impl<'e> Took<'e> {
    /// What a recorded request took.
    pub fn read(event: &'e Event) -> Self {
        match &event.model_call {
            None => Self::Unknown,
            Some(call) if call.given_back => Self::Nothing,
            Some(call) => Self::Known(call),
        }
    }
}

/// An amount that is held, and what it is settled to.
#[derive(Debug)]
pub struct Due {
    held: Held,
    /// `None` gives it back.
    to: Option<Option<u64>>,
}

impl Due {
    /// The call has ended.
    pub fn settle(self) {
        if let Some(took) = self.to {
            self.held.settle(took);
        }
    }
}

/// Prices of a revision, and the purses of which too little is known.
#[derive(Debug)]
pub struct Spending {
    prices: HashMap<(String, &'static str, String), Option<ModelPrice>>,
    doubts: HashMap<Purse, Doubt>,
}

/// A limit or budget, by the address of the policy, and whose share of it.
type Purse = (usize, Option<Arc<str>>);

/// What is not known of a purse until its window ends.
#[derive(Debug, Clone, Copy)]
struct Doubt {
    until: Timestamp,
    /// Whether more may have been taken than is counted; else less may have been.
    more: bool,
}

impl Spending {
    /// A revision's prices.
    pub fn of(document: &Document) -> Self {
        let targets = document.models.iter().flat_map(|entry| {
            let targets = entry.value.targets.iter();
            targets.map(|target| {
                let provider = dialect_of(target.provider).name();
                let key = (entry.id.clone(), provider, target.model.value.clone());
                (key, price_of(target).map(|known| known.price))
            })
        });
        Self {
            prices: targets.collect(),
            doubts: HashMap::new(),
        }
    }

    /// What is held for a call, until its answer has ended. `None`: nobody will say what it took, and the most stays counted.
    pub fn due(&self, held: Held, took: Took<'_>) -> Option<Due> {
        let to = match took {
            Took::Unknown => {
                held.settle(None);
                return None;
            }
            Took::Nothing => None,
            Took::Known(call) => Some(match held.unit {
                Unit::Tokens => usage(call).total(),
                Unit::Money => self.cost(call),
            }),
        };
        Some(Due { held, to })
    }

    /// By this revision's own price, and by what was recorded where it has no such target.
    fn cost(&self, call: &ModelCall) -> Option<u64> {
        let provider = call.provider.as_deref().unwrap_or_default();
        let model = call.provider_model.as_deref().unwrap_or_default();
        let mut known = self.prices.iter();
        let known = known.find(|((name, by, answers), _)| {
            **name == *call.model && *by == provider && answers == model
        });
        match known {
            Some((_, price)) => price.as_ref()?.cost(&usage(call)),
            None => call.cost,
        }
    }

    /// Whether what limits and budgets said depends on what is not known.
    pub fn lacks<'c>(
        &mut self,
        (chain, verdicts): (&'c Chain, &[VerdictRecord]),
        application: Option<&Arc<str>>,
        now: Timestamp,
    ) -> Option<(&'c Arc<BoundPolicy>, &'static str)> {
        if self.doubts.is_empty() {
            return None;
        }
        self.doubts.retain(|_, doubt| doubt.until > now);
        let lacking = purses(chain, verdicts).find(|(policy, record)| {
            let doubt = self.doubts.get(&purse(policy, application));
            doubt.is_some_and(|doubt| match record.word {
                Word::Allow => doubt.more,
                _ => record.code.is_some_and(|code| code.ends_with(".exceeded")),
            })
        });
        let (policy, _) = lacking?;
        Some((policy, NOT_TAKEN))
    }

    /// Notes that less may have been taken than is counted: what these held stays counted.
    pub fn may_be_less(
        &mut self,
        (chain, verdicts): (&Chain, &[VerdictRecord]),
        application: Option<&Arc<str>>,
        now: Timestamp,
    ) {
        let held = purses(chain, verdicts).filter(|(_, record)| record.word == Word::Allow);
        for (policy, _) in held {
            self.doubt(policy, application, now, false);
        }
    }

    /// Notes that more may have been taken than is counted, when this policy could not judge.
    pub fn may_be_more(
        &mut self,
        policy: &Arc<BoundPolicy>,
        application: Option<&Arc<str>>,
        now: Timestamp,
    ) {
        if is_purse(policy) {
            self.doubt(policy, application, now, true);
        }
    }

    fn doubt(
        &mut self,
        policy: &Arc<BoundPolicy>,
        application: Option<&Arc<str>>,
        now: Timestamp,
        more: bool,
    ) {
        let until = policy.policy.complete_from(now);
        let fresh = Doubt { until, more };
        let known = self.doubts.entry(purse(policy, application));
        known.or_insert(fresh).more |= more;
    }
}

/// The limits and budgets that act, with what they said.
fn purses<'c>(
    chain: &'c Chain,
    verdicts: &[VerdictRecord],
) -> impl Iterator<Item = (&'c Arc<BoundPolicy>, VerdictRecord)> {
    verdicts.iter().filter_map(|record| {
        let policy = chain.policies().get(usize::from(record.policy))?;
        let spoke = matches!(record.word, Word::Allow | Word::Deny);
        (spoke && policy.mode == Mode::Enforce && is_purse(policy)).then_some((policy, *record))
    })
}

fn is_purse(policy: &BoundPolicy) -> bool {
    matches!(policy.kind.name, "token_limit" | "budget")
}

/// Applications have purses of their own, unless the policy counts by something else.
fn purse(policy: &Arc<BoundPolicy>, application: Option<&Arc<str>>) -> Purse {
    let by = policy.declared.get("by").and_then(|by| by.as_str());
    let own = matches!(by, None | Some("application"));
    let whose = application.filter(|_| own);
    (Arc::as_ptr(policy).addr(), whose.cloned())
}

fn usage(call: &ModelCall) -> Usage {
    Usage {
        input: call.input_tokens,
        cached: call.cached_tokens,
        cache_write: call.cache_write_tokens,
        cache_write_hour: call.cache_write_hour_tokens,
        output: call.output_tokens,
        reasoning: call.reasoning_tokens,
        partial: call.partial,
    }
}
