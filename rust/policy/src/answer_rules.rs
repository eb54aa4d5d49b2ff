//! What happens to the answer of a model on its way to the caller.

use std::sync::Arc;

use lockgate_llm::guard::{AnswerFilter, Banned, Redaction, Transcript};
use lockgate_llm::{ChatResponse, Event};

use crate::kinds::completion_guard::withheld;
use crate::problem_details::failure;
use crate::recorded_prompt::RecordedTexts;
use crate::verdict::Refusal;

/// A policy that watches an answer.
#[derive(Debug, Clone)]
pub struct AnswerWatch {
    /// What may not stand in it.
    pub banned: Arc<Banned>,
    /// Whether it ends the answer, and does not only say that it would.
    pub acts: bool,
    /// The place of the policy in its chain.
    pub policy: u16,
    /// Its id.
    pub id: Arc<str>,
    /// Where it was declared.
    pub scope: Arc<str>,
}

/// What happens to the answer of a model, as policies said when it was asked.
#[derive(Debug, Default)]
pub struct AnswerRules {
    watches: Vec<AnswerWatch>,
    /// What each policy took out of the prompt. A later one spares the placeholders of those before it.
    taken_out: Vec<Arc<Redaction>>,
    /// How many bytes of what is said are kept for the recording.
    keep: Option<usize>,
}

impl AnswerWatch {
    /// Judges an answer that was recorded.
    ///
    /// # Errors
    /// What had to be known of it; it completes "… was not recorded".
    pub fn judge_recorded(&self, answer: &RecordedTexts) -> Result<Option<Refusal>, &'static str> {
        let mut lacks = answer.cut.then_some("the end of the answer");
        for said in &answer.said {
            let found = match &said.taken_out {
                None => Some(self.banned.find(&said.text)),
                Some(known) => self.banned.find_in_masked(&said.text, &known.classes),
            };
            match found {
                Some(None) => {}
                Some(Some(what)) => return Ok(Some(withheld(what))),
                None => lacks = Some("the answer before data was taken out of it"),
            }
        }
        lacks.map_or(Ok(None), Err)
    }
}

impl AnswerRules {
    /// Keeps up to so many bytes of what the answer says, for its recording.
    pub fn keep(&mut self, bytes: usize) {
        self.keep = Some(bytes);
    }

    /// The policies that withhold answers.
    pub fn acting(&self) -> impl Iterator<Item = &AnswerWatch> {
        self.watches.iter().filter(|watch| watch.acts)
    }

    pub(crate) fn watch(&mut self, watch: AnswerWatch) {
        self.watches.push(watch);
    }

    pub(crate) fn put_back(&mut self, taken_out: Option<Redaction>) {
        self.taken_out.extend(taken_out.map(Arc::new));
    }

    /// What looks at one answer; another try of the call gets another.
    pub fn guard(&self) -> AnswerGuard {
        let (acting, looking): (Vec<AnswerWatch>, Vec<AnswerWatch>) =
            self.watches.iter().cloned().partition(|watch| watch.acts);
        let banned = acting.iter().map(|watch| watch.banned.clone()).collect();
        let looking = looking.into_iter().map(|watch| {
            let filter = AnswerFilter::new(vec![watch.banned.clone()], Vec::new());
            (watch, filter)
        });
        AnswerGuard {
            acts: !acting.is_empty() || !self.taken_out.is_empty(),
            filter: AnswerFilter::new(banned, self.taken_out.clone()),
            acting,
            looking: looking.collect(),
            told: Vec::new(),
            refusal: None,
            said: self.keep.map(Transcript::new),
        }
    }
}

/// Looks at one answer.
#[derive(Debug)]
pub struct AnswerGuard {
    acts: bool,
    acting: Vec<AnswerWatch>,
    filter: AnswerFilter,
    /// Policies in shadow, each of which goes when it has found something.
    looking: Vec<(AnswerWatch, AnswerFilter)>,
    told: Vec<AnswerWatch>,
    refusal: Option<Box<Refusal>>,
    said: Option<Transcript>,
}

impl AnswerGuard {
    /// Whether the answer may reach the caller otherwise than the provider said it.
    pub fn acts(&self) -> bool {
        self.acts
    }

    /// Whether anybody looks at the answer.
    pub fn looks(&self) -> bool {
        self.acts || !self.looking.is_empty() || self.said.is_some()
    }

    /// What the answer said before anything was put back in it, where that is kept, and whether that is all of it. Afterwards nothing is
    /// kept.
    pub fn said(&mut self) -> Option<(Vec<String>, bool)> {
        self.said.take().map(Transcript::into_texts)
    }

    /// Policies that have found something since they were asked for last, those in shadow among them.
    pub fn told(&mut self) -> std::vec::Drain<'_, AnswerWatch> {
        self.told.drain(..)
    }

    /// Why the answer was withheld.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_deref()
    }

    /// Judges a whole answer; says whether anything in it was put back.
    ///
    /// # Errors
    /// The refusal to send in place of it.
    pub fn whole(&mut self, response: &mut ChatResponse) -> Result<bool, Box<Refusal>> {
        if let Some(said) = &mut self.said {
            said.take(response);
        }
        for (watch, filter) in self.looking.drain(..) {
            // Without a redaction it changes nothing.
            if filter.whole(response).is_err() {
                self.told.push(watch);
            }
        }
        match self.filter.whole(response) {
            Ok(changed) => Ok(changed),
            Err(found) => {
                self.told.extend(self.acting.get(found.rule).cloned());
                Err(Box::new(withheld(found.what)))
            }
        }
    }

    /// Judges an event of a stream, and appends what may go on: nothing after an answer was withheld.
    pub fn event(&mut self, event: Event, out: &mut Vec<Event>) {
        self.look(&event);
        if !self.acts {
            return out.push(event);
        }
        if self.refusal.is_some() {
            return;
        }
        if let Err(found) = self.filter.event(event, out) {
            self.told.extend(self.acting.get(found.rule).cloned());
            let refusal = withheld(found.what);
            out.push(Event::Failed(failure(&refusal)));
            self.refusal = Some(Box::new(refusal));
        }
    }

    /// Lets policies in shadow see an event.
    pub fn look(&mut self, event: &Event) {
        if let (Some(said), None) = (&mut self.said, &self.refusal) {
            said.hear(event);
        }
        let mut unused = Vec::new();
        let told = &mut self.told;
        self.looking.retain_mut(|(watch, filter)| {
            let found = filter.event(event.clone(), &mut unused).is_err();
            if found {
                told.push(watch.clone());
            }
            !found
        });
    }
}
