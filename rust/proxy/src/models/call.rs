//! A request that calls a model, once policies have allowed it.

use std::sync::Arc;

use bytes::Bytes;
use lockgate_policy::{Asked, Effect, Held, Prompt, Refusal, gateway_reasons as reasons};
use lockgate_recording::{Decision, ModelCall};
use parking_lot::Mutex;

use super::question::Question;
use super::{Asking, Bill, Told};
use crate::body::Bounds;
use crate::forward::{Answer, RequestBody, Tried};
use crate::record::Observation;
use crate::service::{Exchange, Judged};
use crate::telemetry::Whom;

impl Exchange<'_> {
    /// Answers a call to one of the models `names`.
    pub(crate) async fn ask_model(
        &self,
        names: &[Arc<str>],
        judged: &mut Judged<'_>,
        body: RequestBody,
        seen: &mut Observation,
        tried: &mut Tried,
    ) -> Result<Answer, Box<Refusal>> {
        let prompt = judged.progress.prompt.take();
        // A chain that forwards has read it.
        let mut prompt = prompt.ok_or_else(nothing_asked)?;
        let words = judged.route.record_prompts.as_ref();
        if let Some(words) = words.filter(|words| words.answers && seen.is_recorded()) {
            judged.progress.answers.keep(words.up_to.as_usize());
        }
        let (mut held, mut permits) = (Vec::new(), Vec::new());
        let (mut listed, mut keeping) = (None, None);
        for effect in std::mem::take(&mut judged.progress.effects) {
            match effect {
                Effect::Reserve(reserved) => held.push(reserved),
                Effect::Hold(permit) => permits.push(permit),
                Effect::ListModels(names) => listed = Some(names),
                Effect::KeepAnswer(kept) => keeping = Some(kept),
                _ => {}
            }
        }
        if let Asked::Chat(chat) = &mut prompt.asked
            && held.iter().any(|held: &Held| held.binds)
        {
            let model = prompt.model.as_ref();
            let model = model.and_then(|name| self.generation.models.get(name));
            chat.bound = model.map(|model| model.max_output);
        }
        let record = Arc::new(Mutex::new(Told {
            call: said(&prompt),
            ..Told::default()
        }));
        seen.model_call = Some(record.clone());
        let bill = Bill::new(held, permits, record);
        let asking = Asking {
            core: self.core,
            generation: self.generation,
            id: self.id.as_str(),
            now: self.at.seconds(),
            since: self.since,
            bounds: Bounds::pauses(self.connection.body_idle),
            rules: &judged.progress.answers,
            keeping,
        };
        let body = match body {
            RequestBody::Read(bytes) => bytes,
            _ => Bytes::new(),
        };
        let question = match &prompt.asked {
            Asked::Chat(chat) => Question::Chat(chat),
            Asked::Count(chat) => Question::Count(chat),
            Asked::Embeddings(asked) => Question::Embeddings(asked),
            Asked::Recorded(_) => return Err(nothing_asked()),
            Asked::Models => return Ok(asking.list(&prompt, names, listed.as_deref())),
        };
        seen.calls(|| Whom::Model(question.operation()));
        let answer = asking.ask((&prompt, question), &body, bill, tried).await;
        answer.inspect_err(|_| {
            // Not the provider failed: a policy refused what it answered.
            seen.event.decision = Decision::Refuse;
        })
    }
}

fn nothing_asked() -> Box<Refusal> {
    Box::new(Refusal::new(
        &reasons::NO_ROUTE,
        "nothing is asked of a model",
    ))
}

fn said(prompt: &Prompt) -> ModelCall {
    ModelCall {
        model: prompt.model.clone().unwrap_or_default(),
        stream: matches!(&prompt.asked, Asked::Chat(chat) if chat.stream),
        ..ModelCall::default()
    }
}
