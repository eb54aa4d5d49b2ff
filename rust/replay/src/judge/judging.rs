//! A recorded request on its way through a route's policies.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use lockgate_config::Mode;
use lockgate_policy::{
    Body, BoundPolicy, ClientCertificate, Counters, Env, Fact, FactRequest, Facts, Need, Progress,
    RequestView, Revision, Route, RouteTarget, SaidBefore, Step, Word,
};

use crate::judgement::{Judgement, Lack};
use crate::request::{KnownBody, Request};
use crate::rules::{self, Before, Unseen};

/// A request on its way through a route's policies.
pub struct Judging<'r, 'q> {
    pub request: &'q Request<'q>,
    pub certificate: Option<&'q ClientCertificate>,
    pub path: &'q str,
    pub route: &'r Route,
    /// Key sets: what is published goes before what was recorded.
    pub keys: [&'q HashMap<Arc<str>, Fact>; 2],
    pub facts: Facts,
    pub progress: Progress,
    /// The limit that the body was found to be longer than.
    pub longer_than: Option<usize>,
    pub read: bool,
    pub unseen: Vec<Unseen<'r>>,
}

impl<'r, 'q> Judging<'r, 'q> {
    /// Asks policy after policy until one decides, or one needs what was not recorded.
    pub fn run(&mut self, revision: &'r Revision, counters: &Arc<Counters>) -> Judgement<'r> {
        let chain = &self.route.chain;
        loop {
            let step = self.advance(revision, counters);
            let need = match step {
                Step::Decided(outcome) => return self.decided(outcome),
                Step::Need(need) => need,
            };
            let words = match need {
                Need::Recorded(what) => Some(what),
                Need::Body(_) | Need::Fact(_) => None,
            };
            let Err(what) = self.meet(need) else { continue };
            if let Some(what) = words
                && let Some(before) = self.known_word(chain.next(&self.progress), what)
            {
                match chain.said_before(&mut self.progress, before.word, before.code) {
                    SaidBefore::GoesOn => continue,
                    SaidBefore::Decided(outcome) => return self.decided(outcome),
                    SaidBefore::Unknown => {}
                }
            }
            match chain.next(&self.progress) {
                Some(policy) if policy.mode == Mode::Enforce => {
                    return self.unjudged(Some(policy), what);
                }
                Some(_) => chain.pass_over(&mut self.progress),
                None => return self.unjudged(None, what),
            }
        }
    }

    fn advance(&mut self, revision: &Revision, counters: &Arc<Counters>) -> Step {
        let request = self.request;
        let variables = self.route.template.variables(self.path);
        let view = RequestView {
            method: &request.method,
            scheme: request.scheme,
            host: request.host,
            path: self.path,
            query: request.query,
            version: request.version,
            headers: &request.headers,
            client: request.client,
            certificate: self.certificate,
            body: match request.body {
                KnownBody::Absent => Body::Absent,
                KnownBody::Kept(bytes) if self.read => Body::Read(bytes),
                _ => match self.longer_than {
                    Some(limit) => Body::TooLarge(limit),
                    None => Body::Unread(request.body_bytes),
                },
            },
            variables: &variables,
            identity: None,
            prompt: None,
        };
        let mut env = Env {
            now: request.at,
            facts: &self.facts,
            directory: &revision.directory,
            counters,
        };
        self.route.advance(&view, &mut self.progress, &mut env)
    }

    /// Gets what a policy needs from the recording; else says what is not there.
    fn meet(&mut self, need: Need) -> Result<(), Cow<'static, str>> {
        match need {
            Need::Body(limit) => {
                let is_longer =
                    |bytes: u64| usize::try_from(bytes).map_or(true, |bytes| bytes > limit);
                match self.request.body {
                    // A policy that asks again for what it was given would ask for ever.
                    _ if self.longer_than.is_some_and(|known| known >= limit) || self.read => {
                        return Err("the body".into());
                    }
                    KnownBody::Absent => return Err(self.unread()),
                    _ if self.request.body_bytes.is_some_and(is_longer) => {
                        self.longer_than = Some(limit);
                    }
                    KnownBody::Kept(_) => self.read = true,
                    KnownBody::NotKept(_) if self.wants_prompt() => return Err(self.unread()),
                    KnownBody::NotKept(what) => return Err(what.into()),
                }
                Ok(())
            }
            Need::Recorded(what) => Err(what.into()),
            Need::Fact(wanted) => {
                let fact = match &wanted {
                    FactRequest::Introspection { endpoint, token } => self
                        .request
                        .introspections
                        .iter()
                        .find(|(url, mark, _)| *url == endpoint.url && mark == token)
                        .map(|(_, _, fact)| fact.clone())
                        .ok_or_else(|| format!("what {} says of the token", endpoint.url)),
                    FactRequest::Keys { endpoint } => self
                        .keys
                        .iter()
                        .find_map(|known| known.get(&endpoint.url))
                        .cloned()
                        .ok_or_else(|| format!("the key set of {}", endpoint.url)),
                };
                self.facts.put(wanted, fact?);
                Ok(())
            }
        }
    }

    /// Whether the body is needed for what it asks of a model.
    fn wants_prompt(&self) -> bool {
        let next = self.route.chain.next(&self.progress);
        matches!(self.route.target, RouteTarget::Models(_))
            && next.is_none_or(|policy| policy.needs_prompt())
    }

    fn unread(&self) -> Cow<'static, str> {
        match self.wants_prompt() {
            true => "what was asked of a model".into(),
            false => "the body".into(),
        }
    }

    /// What a policy says of a prompt that was not recorded, when that is known all the same.
    fn known_word(
        &mut self,
        policy: Option<&'r Arc<BoundPolicy>>,
        what: &'static str,
    ) -> Option<Before<'q>> {
        let policy = policy?;
        if policy.kind.name == "redact_prompt" {
            // It refuses nothing.
            if policy.mode == Mode::Enforce {
                self.unseen.push(Unseen { policy, what });
            }
            return Some(Before {
                word: Word::Allow,
                code: None,
            });
        }
        self.said_before(Some(policy))
    }

    /// What a policy said when the request was recorded, when its rule is the same.
    pub fn said_before(&self, policy: Option<&Arc<BoundPolicy>>) -> Option<Before<'q>> {
        rules::said(policy?, self.request.verdicts)
    }

    /// The application that was identified.
    pub fn application(&self) -> Option<Arc<str>> {
        let application = self.progress.identity.as_ref()?.application.as_ref()?;
        Some(application.id.clone())
    }

    /// What `policy` needs was not recorded.
    pub fn unjudged(
        &self,
        policy: Option<&'r Arc<BoundPolicy>>,
        what: Cow<'static, str>,
    ) -> Judgement<'r> {
        Judgement::Unjudged(Lack {
            policy,
            route: Some(self.route),
            what,
        })
    }
}
