//! Answers of models that are given again.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AGE, HeaderValue};
use lockgate_config::canonical_json;
use lockgate_llm::{ChatResponse, Event, Gathering, Outgoing, read_response};
use lockgate_policy::{Keeping, Timestamp};
use moka::future::Cache as Store;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::ModelTarget;
use super::ask::Asked;
use super::bill::Bill;
use super::question::{Answered, Question, Unanswered};
use crate::cache::status;
use crate::clock::Clock;
use crate::core::Core;
use crate::forward::Answer;

/// All that is kept, in bytes.
const MOST_BYTES: u64 = 64 * 1024 * 1024;
/// The largest question whose answer is kept, in bytes.
const MOST_QUESTION: usize = 1024 * 1024;
/// Members that say how an answer comes, and not what it is.
const MANNER: [&str; 2] = ["stream", "stream_options"];

/// What an answer is kept under: who shares it, who was asked, and what.
type Key = [u8; 32];

/// What a provider said.
#[derive(Debug, Clone)]
pub enum Said {
    /// As it stands in its answer.
    Whole(Bytes),
    /// In a stream.
    Streamed(Arc<ChatResponse>),
}

/// An answer as the provider gave it: policies judge it again for each caller who gets it.
#[derive(Debug)]
struct Kept {
    at: Timestamp,
    said: Said,
    bytes: usize,
    keeping: Keeping,
}

/// The answers that a node keeps.
#[derive(Debug)]
pub struct KeptAnswers {
    kept: Store<Key, Arc<Kept>>,
    clock: Clock,
}

/// An answer that is given again.
pub struct Again {
    /// What the provider said.
    pub said: Said,
    /// Seconds since it was given first.
    pub age: u64,
    /// Seconds for which it will be given.
    pub ttl: u64,
}

impl KeptAnswers {
    /// Holds nothing yet.
    pub fn new(clock: Clock) -> Self {
        let weigh = |_: &Key, kept: &Arc<Kept>| u32::try_from(kept.bytes + 1024);
        Self {
            kept: Store::builder()
                .max_capacity(MOST_BYTES)
                .weigher(move |key, kept| weigh(key, kept).unwrap_or(u32::MAX))
                .support_invalidation_closures()
                .build(),
            clock,
        }
    }

    /// The answer that is kept under a key, while it may be given again.
    async fn find(&self, key: &Key, keeping: &Keeping) -> Option<Again> {
        let kept = self.kept.get(key).await?;
        let age = self.clock.now().0.checked_sub(kept.at.0)?;
        let fresh = u64::try_from(keeping.rule.fresh.as_micros()).unwrap_or(u64::MAX);
        let left = fresh.checked_sub(age).filter(|left| *left > 0)?;
        Some(Again {
            said: kept.said.clone(),
            age: age / 1_000_000,
            ttl: left.div_ceil(1_000_000),
        })
    }

    /// Keeps an answer, unless it is too large.
    async fn keep(&self, key: Key, keeping: &Keeping, (said, bytes): (Said, usize)) -> bool {
        let keeps = bytes <= keeping.rule.up_to;
        if keeps {
            let kept = Kept {
                at: self.clock.now(),
                said,
                bytes,
                keeping: keeping.clone(),
            };
            self.kept.insert(key, Arc::new(kept)).await;
        }
        keeps
    }

    /// Forgets the answers that `tag` names; all without one.
    pub fn purge(&self, tag: Option<String>) {
        match tag {
            None => self.kept.invalidate_all(),
            Some(tag) => {
                let names = move |_: &Key, kept: &Arc<Kept>| kept.keeping.rule.tags.contains(&tag);
                // The store supports closures; it says no only when it was built without.
                drop(self.kept.invalidate_entries_if(names));
            }
        }
    }
}

/// A call whose answer may be one that was kept.
pub struct KeptCall<'a> {
    core: &'a Arc<Core>,
    keeping: &'a Keeping,
    key: Key,
}

impl KeptCall<'_> {
    /// The answer that was kept, unless the caller wants a new one.
    pub async fn find(&self) -> Option<Again> {
        match self.keeping.look {
            true => self.answers().find(&self.key, self.keeping).await,
            false => None,
        }
    }

    /// Keeps an answer on its way to the caller.
    pub async fn keep(self, text: Bytes, mut answer: Answer) -> Answer {
        let bytes = text.len();
        let said = (Said::Whole(text), bytes);
        let keeps = self.answers().keep(self.key, self.keeping, said).await;
        let how = if keeps {
            "fwd=miss; stored"
        } else {
            "fwd=miss"
        };
        status(&mut answer.head.headers, how);
        answer
    }

    /// Listens to a stream, to keep what it says.
    pub fn listen(&self) -> Listening {
        Listening {
            core: self.core.clone(),
            keeping: self.keeping.clone(),
            key: self.key,
            gathering: Gathering::new(self.keeping.rule.up_to),
        }
    }

    fn answers(&self) -> &KeptAnswers {
        &self.core.shared.kept_answers
    }

    /// Says that an answer was not there, and is not kept, or not known to be.
    pub fn missed(&self, mut answer: Answer) -> Answer {
        status(&mut answer.head.headers, "fwd=miss");
        answer
    }
}

/// A streamed answer that may be kept once it has ended.
pub struct Listening {
    core: Arc<Core>,
    keeping: Keeping,
    key: Key,
    gathering: Gathering,
}

impl Listening {
    /// Takes events as the provider gave them, before policies changed them for a caller.
    pub fn hear(&mut self, events: &[Event]) {
        events.iter().for_each(|event| self.gathering.hear(event));
    }

    /// Keeps the answer, when all of it is there and it came to an end of its own.
    pub async fn keep(self) {
        if let Some((response, bytes)) = self.gathering.whole()
            && response.has_ended()
        {
            let said = (Said::Streamed(Arc::new(response)), bytes);
            let answers = &self.core.shared.kept_answers;
            answers.keep(self.key, &self.keeping, said).await;
        }
    }
}

impl Again {
    /// Says that it was given before.
    pub fn marked(&self, mut answer: Answer) -> Answer {
        let headers = &mut answer.head.headers;
        headers.insert(AGE, HeaderValue::from(self.age));
        status(headers, &format!("hit; ttl={}", self.ttl));
        answer
    }
}

impl Asked<'_> {
    /// What is known of answers to this question; `body` is the one that the target gets.
    pub fn kept(&self, body: &[u8]) -> Option<KeptCall<'_>> {
        let keeping = self.asking.keeping.as_ref()?;
        Some(KeptCall {
            core: self.asking.core,
            keeping,
            key: key(keeping, self.question.call(), self.target, body)?,
        })
    }

    /// A kept answer as the caller wants it, judged as if it had just been given; nothing when it cannot be said so.
    pub fn said_again(
        &self,
        again: &Again,
        outgoing: &Outgoing,
        bill: &mut Bill,
    ) -> Option<Result<Answered, Unanswered>> {
        let (stamp, mut guard) = (self.stamp(), self.asking.rules.guard());
        let read = |said: &Said| match said {
            Said::Whole(text) => read_response(self.target.dialect, &stamp.id, text),
            Said::Streamed(response) => Ok(ChatResponse::clone(response)),
        };
        let answered = match (self.question, &again.said) {
            (Question::Chat(chat), said) if chat.stream => match read(said) {
                Ok(response) => {
                    Question::stream_again(chat, response, &stamp, &mut guard).transpose()?
                }
                Err(failure) => Err(failure.into()),
            },
            (Question::Chat(chat), Said::Streamed(response)) => {
                let response = ChatResponse::clone(response);
                Question::write_again(chat, (response, outgoing.native), &stamp, &mut guard)
            }
            (question, Said::Whole(text)) => {
                let text = (text.clone(), outgoing.native);
                question.answer(self.target, text, &stamp, &mut guard)
            }
            (Question::Count(_) | Question::Embeddings(_), Said::Streamed(_)) => return None,
        };
        bill.found(guard.told());
        bill.spare();
        Some(answered)
    }
}

/// The key of a question: the body that the target gets, in whatever order its members are, streamed or not. `call` tells a chat from
/// embeddings. Nothing for one that is too large.
fn key(keeping: &Keeping, call: &str, target: &ModelTarget, body: &[u8]) -> Option<Key> {
    if body.len() > MOST_QUESTION {
        return None;
    }
    let mut question: Value = serde_json::from_slice(body).ok()?;
    let members = question.as_object_mut()?;
    for name in MANNER {
        members.shift_remove(name);
    }
    let question = canonical_json(&question);
    let parts = [
        &*keeping.whose,
        call,
        target.dialect.name(),
        &target.url,
        &target.model,
        &question,
    ];
    let digest = parts.iter().fold(Sha256::new(), |digest, part| {
        // With its length, no part can pass for the end of another.
        let length = (part.len() as u64).to_be_bytes();
        digest.chain_update(length).chain_update(part)
    });
    Some(digest.finalize().into())
}
