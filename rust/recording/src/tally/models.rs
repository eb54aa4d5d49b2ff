//! Counts of calls to models.

use std::collections::HashMap;

use serde::Serialize;

use super::{OTHER, admits};
use crate::event::ModelCall;
use crate::text::Text;

/// What is counted of the calls to one model by one provider.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ModelSeries {
    /// Calls.
    pub calls: u64,
    /// Calls that failed, or whose answer broke off.
    pub failed: u64,
    /// Calls whose answer the gateway gave again.
    pub from_cache: u64,
    /// Calls of which something could not be carried over.
    pub lossy: u64,
    /// Tokens of questions.
    pub input_tokens: u64,
    /// Tokens of answers.
    pub output_tokens: u64,
    /// What they cost, in millionths of a US dollar, as far as that is known.
    pub cost: u64,
}

/// The counts of one model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelCounts {
    /// The model, as the gateway names it.
    pub model: Text,
    /// Who answered; empty when nobody was asked.
    pub provider: Text,
    /// The counts.
    #[serde(flatten)]
    pub series: ModelSeries,
}

/// Counts by model and provider.
#[derive(Debug, Clone, Default)]
pub(super) struct Models(HashMap<(Text, Text), ModelSeries>);

impl ModelSeries {
    fn absorb(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.calls, other.calls),
            (&mut self.failed, other.failed),
            (&mut self.from_cache, other.from_cache),
            (&mut self.lossy, other.lossy),
            (&mut self.input_tokens, other.input_tokens),
            (&mut self.output_tokens, other.output_tokens),
            (&mut self.cost, other.cost),
        ] {
            *mine = mine.saturating_add(theirs);
        }
    }
}

impl Models {
    pub(super) fn add(&mut self, call: &ModelCall, series: &mut usize) {
        if call.model.is_empty() {
            // A list of models asks none.
            return;
        }
        let provider = call.provider.as_deref().unwrap_or_default();
        let one = ModelSeries {
            calls: 1,
            failed: u64::from(call.failure.is_some() || call.partial),
            from_cache: u64::from(call.from_cache),
            lossy: u64::from(call.lost.is_some()),
            input_tokens: call.input_tokens.unwrap_or(0),
            output_tokens: call.output_tokens.unwrap_or(0),
            cost: call.cost.unwrap_or(0),
        };
        self.count(&call.model, provider, &one, series);
    }

    pub(super) fn absorb(&mut self, other: &Self, series: &mut usize) {
        for ((model, provider), counts) in &other.0 {
            self.count(model, provider, counts, series);
        }
    }

    fn count(&mut self, model: &Text, provider: &str, counts: &ModelSeries, series: &mut usize) {
        let key = (model.clone(), Text::from(provider));
        if let Some(known) = self.0.get_mut(&key) {
            return known.absorb(counts);
        }
        let key = if admits(series) {
            key
        } else {
            (OTHER.into(), OTHER.into())
        };
        self.0.entry(key).or_default().absorb(counts);
    }

    pub(super) fn snapshot(&self) -> Vec<ModelCounts> {
        let counts = self.0.iter();
        let mut counts: Vec<_> = counts
            .map(|((model, provider), series)| ModelCounts {
                model: model.clone(),
                provider: provider.clone(),
                series: *series,
            })
            .collect();
        counts.sort_by(|a, b| (&a.model, &a.provider).cmp(&(&b.model, &b.provider)));
        counts
    }
}
