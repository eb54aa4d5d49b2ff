//! What a call to a model took: told to budgets, and to the record of the request, however the call ends.

use std::sync::Arc;

use lockgate_llm::{FinishReason, Losses, Usage};
use lockgate_policy::{AnswerWatch, Held, KnownPrice, Permit, Unit};
use lockgate_recording::ModelCall;
use parking_lot::Mutex;

/// What the record of a request says of its call to a model. It is known only when the answer has ended.
pub type CallRecord = Arc<Mutex<Told>>;

/// What became of a call to a model.
#[derive(Debug, Default)]
pub struct Told {
    /// What it took.
    pub call: ModelCall,
    /// Id and scope of the policies that found something in the answer.
    pub found: Vec<(Arc<str>, Arc<str>)>,
    /// What was answered, where that is recorded, and whether that is all of it.
    pub said: Option<(Vec<String>, bool)>,
}

/// What a call holds until it has ended. Dropped before a provider was asked, it gives all back; dropped after, it is settled to what
/// is known, and to the most that was held where nothing is.
pub struct Bill {
    held: Vec<Held>,
    /// Places of limits.
    _permits: Vec<Permit>,
    price: Option<KnownPrice>,
    record: CallRecord,
    usage: Option<Usage>,
    asked: bool,
    settled: bool,
}

impl Bill {
    /// Of a call that was allowed.
    pub fn new(held: Vec<Held>, permits: Vec<Permit>, record: CallRecord) -> Self {
        Self {
            held,
            _permits: permits,
            price: None,
            record,
            usage: None,
            asked: false,
            settled: false,
        }
    }

    /// A provider is asked, at this price.
    pub fn ask(&mut self, provider: &'static str, model: &str, price: Option<&KnownPrice>) {
        self.asked = true;
        self.price = price.cloned();
        let record = &mut self.record.lock().call;
        record.provider = Some(provider.into());
        record.provider_model = Some(model.into());
        // What another provider said before it failed is not this one's word.
        record.finish = None;
    }

    /// The provider refused or was not there: nothing was taken.
    pub const fn refused(&mut self) {
        self.asked = false;
    }

    /// The answer had been kept: nobody is asked, and nothing is taken.
    pub fn spare(&mut self) {
        self.asked = false;
        let record = &mut self.record.lock().call;
        record.from_cache = true;
        record.input_tokens = Some(0);
        record.output_tokens = Some(0);
        record.cost = Some(0);
    }

    /// What the call took so far.
    pub const fn take(&mut self, usage: Option<Usage>) {
        if usage.is_some() {
            self.usage = usage;
        }
    }

    /// Why the answer ended, as far as the provider said.
    pub fn ended(&self, reason: Option<FinishReason>) {
        if let Some(reason) = reason {
            self.record.lock().call.finish = Some(reason.name().into());
        }
    }

    /// Why it failed.
    pub fn failed(&self, code: &'static str) {
        self.record.lock().call.failure = Some(code.into());
    }

    /// What could not be carried over.
    pub fn lost(&self, losses: &Losses) {
        if let Some(text) = losses.header() {
            self.record.lock().call.lost = Some(text.into());
        }
    }

    /// Policies that found something in the answer.
    pub fn found(&self, watches: impl Iterator<Item = AnswerWatch>) {
        let found = watches.map(|watch| (watch.id, watch.scope));
        self.record.lock().found.extend(found);
    }

    /// What was answered, where that is recorded.
    pub fn said(&self, said: Option<(Vec<String>, bool)>) {
        if said.is_some() {
            self.record.lock().said = said;
        }
    }

    /// The provider has said all.
    pub fn complete(&mut self) {
        self.settle(false);
    }

    fn settle(&mut self, broke_off: bool) {
        let held = std::mem::take(&mut self.held);
        if !self.asked {
            // Dropped, a reservation is given back.
            let call = &mut self.record.lock().call;
            // A list of models is asked of nobody.
            call.given_back = !self.settled && !call.model.is_empty();
            return;
        }
        self.settled = true;
        self.asked = false;
        let usage = self.usage.filter(|usage| !usage.is_unknown());
        // What broke off may have taken more than was said until then.
        let known = usage.filter(|usage| !broke_off || usage.total().is_some());
        let priced = self.price.as_ref().and_then(|known_price| {
            let cost = known_price.price.cost(&known?)?;
            Some((cost, known_price.by.clone()))
        });
        let cost = priced.as_ref().map(|(cost, _)| *cost);
        let tokens = known.and_then(|usage| usage.total());
        for held in held {
            let took = match held.unit {
                Unit::Tokens => tokens,
                Unit::Money => cost,
            };
            held.settle(took);
        }
        let record = &mut self.record.lock().call;
        record.partial = broke_off || usage.is_some_and(|usage| usage.partial);
        if let Some(usage) = usage {
            record.input_tokens = usage.input;
            record.cached_tokens = usage.cached;
            record.cache_write_tokens = usage.cache_write;
            record.cache_write_hour_tokens = usage.cache_write_hour;
            record.output_tokens = usage.output;
            record.reasoning_tokens = usage.reasoning;
        }
        record.cost = cost;
        record.priced_by = priced.map(|(_, by)| by);
    }
}

impl Drop for Bill {
    fn drop(&mut self) {
        self.settle(true);
    }
}
