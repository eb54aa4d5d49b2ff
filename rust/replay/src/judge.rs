//! One revision that judges recorded requests, with counters of its own.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use lockgate_config::Mode;
use lockgate_policy::{
    Asked, Body, BoundPolicy, ClientCertificate, Counters, Effect, Env, Fact, FactRequest, Facts,
    Need, Outcome, Progress, Refusal, RequestView, Revision, Route, RouteTarget, SaidBefore,
    SavedQuota, Step, Timestamp, Word, gateway_reasons as reasons,
};
use lockgate_recording::Decision;

use crate::authorities::{Authorities, Taken, Unreadable};
use crate::held::Holding;
use crate::judgement::{Decided, Judgement, Lack};
use crate::request::{KnownBody, Request};
use crate::rules::{self, Before, Unseen};
use crate::spending::{Spending, Took};
use crate::words::Answer;

/// A revision with what it has counted so far.
#[derive(Debug)]
pub struct Side {
    pub revision: Revision,
    /// What issuers publish now, where that was fetched; it goes before what was recorded.
    pub published: HashMap<Arc<str>, Fact>,
    /// Whose client certificates its listeners take.
    pub authorities: Authorities,
    counters: Arc<Counters>,
    held: Holding,
    spending: Spending,
    /// The limits whose window began before the recording did; known once it has.
    warming: Option<Warming>,
}

/// Limits whose counts are incomplete for a time, by the address of the policy.
#[derive(Debug, Default)]
struct Warming {
    until: Timestamp,
    limits: HashMap<usize, Warm>,
}

#[derive(Debug)]
pub struct Warm {
    pub policy: Arc<BoundPolicy>,
    pub until: Timestamp,
    /// Requests that it judged until then.
    pub requests: u64,
}

impl Side {
    /// A revision that has counted nothing. `mark` makes the mark of a credential from its SHA-256.
    ///
    /// # Errors
    /// Client authorities that cannot be read.
    pub fn new(
        mut revision: Revision,
        mark: impl Fn(&[u8; 32]) -> String,
    ) -> Result<Self, Unreadable> {
        revision.directory = Arc::new(Arc::unwrap_or_clone(revision.directory).with_marks(mark));
        Ok(Self {
            spending: Spending::of(&revision.document),
            authorities: Authorities::of(&revision)?,
            revision,
            published: HashMap::new(),
            counters: Arc::default(),
            held: Holding::default(),
            warming: None,
        })
    }

    /// Counts on from what had been used at `at`. All counts are complete then.
    pub fn count_on(&mut self, usage: Vec<SavedQuota>, at: Timestamp) {
        self.counters.restore_quotas(usage, at);
        self.warming = Some(Warming::default());
    }

    /// Judges a request; `keys` are the issuers' keys that were recorded last.
    pub fn judge<'r>(
        &'r mut self,
        request: &Request<'_>,
        keys: &HashMap<Arc<str>, Fact>,
    ) -> Judgement<'r> {
        self.held.end(request.at);
        let Self {
            revision,
            published,
            authorities,
            counters,
            held,
            spending,
            warming,
        } = self;
        let revision: &Revision = revision;
        let warming = warming.get_or_insert_with(|| Warming::at(request.at, revision));
        let certificate = match authorities.take(request) {
            Taken::Seen(certificate) => certificate,
            Taken::Refused => return Judgement::Decided(Decided::unconnected()),
            Taken::Unknown => {
                return Judgement::Unjudged(Lack {
                    policy: None,
                    route: None,
                    what: "the authority of the client certificate".into(),
                });
            }
        };
        let Some(path) = &request.path else {
            return Judgement::Decided(Decided::refused(&reasons::BAD_PATH));
        };
        let route = match revision.route(request.host, path, &request.method, &request.headers) {
            Ok(route) => route,
            Err(refusal) => return Judgement::Decided(Decided::refused(refusal.reason)),
        };
        let mut judging = Judging {
            request,
            certificate,
            path,
            route,
            keys: [published, keys],
            facts: Facts::recorded(request.evidence.clone(), request.prompt.clone()),
            progress: Progress::default(),
            longer_than: None,
            read: false,
            unseen: Vec::new(),
        };
        let mut judgement = judging.run(revision, counters);
        warming.count(request.at, &judging);
        let application = judging.application();
        let said = (&*route.chain, judging.progress.verdicts.as_slice());
        if let Some((policy, what)) = spending.lacks(said, application.as_ref(), request.at) {
            spending.may_be_more(policy, application.as_ref(), request.at);
            judgement = judging.unjudged(Some(policy), what.into());
        }
        let (is_judged, asked) = match &judgement {
            Judgement::Decided(decided) => (true, decided.asked),
            Judgement::Unjudged(lack) => {
                if let Some(policy) = lack.policy {
                    spending.may_be_more(policy, application.as_ref(), request.at);
                }
                (false, false)
            }
        };
        // What may be refused may take nothing, and of what was refused nobody knows what it takes.
        if !is_judged || asked && matches!(request.took, Took::Unknown) {
            spending.may_be_less(said, application.as_ref(), request.at);
        }
        for effect in std::mem::take(&mut judging.progress.effects) {
            match effect {
                // What is refused or answered here ends at once, and its places with it.
                Effect::Hold(permit) if asked => held.place(request.ended, permit),
                Effect::Reserve(amount) if asked || !is_judged => {
                    if let Some(due) = spending.due(amount, request.took) {
                        held.amount(request.ended, due);
                    }
                }
                _ => {}
            }
        }
        judgement
    }

    /// The limits that judged requests with incomplete counts.
    pub fn warming(&self) -> impl Iterator<Item = &Warm> {
        let limits = self
            .warming
            .iter()
            .flat_map(|warming| warming.limits.values());
        limits.filter(|warm| warm.requests > 0)
    }
}

fn address(policy: &Arc<BoundPolicy>) -> usize {
    Arc::as_ptr(policy).addr()
}

impl Warming {
    fn at(start: Timestamp, revision: &Revision) -> Self {
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

    fn count(&mut self, now: Timestamp, judged: &Judging<'_, '_>) {
        if now >= self.until {
            return;
        }
        let policies = judged.route.chain.policies();
        for record in &judged.progress.verdicts {
            if matches!(record.word, Word::Allow | Word::Deny)
                && let Some(policy) = policies.get(usize::from(record.policy))
                && let Some(warm) = self.limits.get_mut(&address(policy))
                && now < warm.until
            {
                warm.requests += 1;
            }
        }
    }
}

/// A request on its way through a route's policies.
struct Judging<'r, 'q> {
    request: &'q Request<'q>,
    certificate: Option<&'q ClientCertificate>,
    path: &'q str,
    route: &'r Route,
    /// Key sets: what is published goes before what was recorded.
    keys: [&'q HashMap<Arc<str>, Fact>; 2],
    facts: Facts,
    progress: Progress,
    /// The limit that the body was found to be longer than.
    longer_than: Option<usize>,
    read: bool,
    unseen: Vec<Unseen<'r>>,
}

impl<'r, 'q> Judging<'r, 'q> {
    fn run(&mut self, revision: &'r Revision, counters: &Arc<Counters>) -> Judgement<'r> {
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
    fn said_before(&self, policy: Option<&Arc<BoundPolicy>>) -> Option<Before<'q>> {
        rules::said(policy?, self.request.verdicts)
    }

    fn application(&self) -> Option<Arc<str>> {
        let application = self.progress.identity.as_ref()?.application.as_ref()?;
        Some(application.id.clone())
    }

    /// The policy that withholds the recorded answer of a model.
    fn withheld(&mut self) -> Option<(&'r Arc<BoundPolicy>, Refusal)> {
        for watch in self.progress.answers.acting() {
            let policies = self.route.chain.policies();
            let Some(policy) = policies.get(usize::from(watch.policy)) else {
                continue;
            };
            let judged = match &self.request.answer {
                Answer::None => Ok(None),
                Answer::Kept(answer) => watch.judge_recorded(answer),
                Answer::NotKept => Err("the answer of the model"),
            };
            let what = match judged {
                Ok(None) => continue,
                Ok(Some(refusal)) => return Some((policy, refusal)),
                Err(what) => what,
            };
            match self.said_before(Some(policy)).map(|before| before.word) {
                Some(Word::Allow | Word::Pass) => {}
                Some(Word::Deny) => {
                    let detail = "as the policy said when the answer was recorded";
                    return Some((policy, Refusal::new(&reasons::ANSWER_WITHHELD, detail)));
                }
                _ => self.unseen.push(Unseen { policy, what }),
            }
        }
        None
    }

    /// What policies took out of the prompt, and the last of them that did.
    fn redacted(&self) -> Option<(String, Option<&'r Arc<BoundPolicy>>)> {
        let Asked::Recorded(recalled) = &self.progress.prompt.as_ref()?.asked else {
            return None;
        };
        let names: Vec<&str> = recalled.redacted.iter().map(|class| class.name()).collect();
        let mut policies = self.route.chain.policies().iter().rev();
        let policy = policies.find(|policy| policy.kind.name == "redact_prompt");
        (!names.is_empty()).then(|| (format!("redacted {}", names.join(", ")), policy))
    }

    fn unjudged(
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

    /// The last policy that acts and said this, for this reason.
    fn who_said(&self, word: Word, code: &str) -> Option<&'r Arc<BoundPolicy>> {
        let policies = self.route.chain.policies();
        self.progress.verdicts.iter().rev().find_map(|record| {
            let policy = policies.get(usize::from(record.policy))?;
            let said = !record.tried && record.word == word && record.code == Some(code);
            (said && policy.mode == Mode::Enforce).then_some(policy)
        })
    }

    fn decided(&mut self, outcome: Outcome) -> Judgement<'r> {
        if let Some(what) = self.facts.missing()
            && let Some(policy) = self.who_said(Word::Undecided, reasons::UNDECIDED.code)
        {
            return self.unjudged(Some(policy), what.into());
        }
        let application = self.application();
        let policy = match &outcome {
            Outcome::Forward => None,
            Outcome::Respond(reply) => self.who_said(Word::Respond, reply.code),
            Outcome::Refuse(refusal) => self
                .who_said(Word::Deny, refusal.reason.code)
                .or_else(|| self.who_said(Word::Undecided, refusal.reason.code)),
        };
        let at = Decided {
            policy,
            route: Some(self.route),
            application,
            ..Decided::refused(&reasons::NO_ROUTE)
        };
        Judgement::Decided(match outcome {
            Outcome::Forward if matches!(self.route.target, RouteTarget::Nobody) => at,
            Outcome::Forward if self.streams_too_much() => Decided {
                code: Some(reasons::BODY_TOO_LARGE.code),
                status: Some(reasons::BODY_TOO_LARGE.status),
                remedy: Some(reasons::BODY_TOO_LARGE.remedy),
                ..at
            },
            Outcome::Forward => self.forwarded(at),
            Outcome::Respond(reply) => Decided {
                decision: Decision::Respond,
                code: Some(reply.code),
                status: Some(reply.status.as_u16()),
                remedy: None,
                ..at
            },
            Outcome::Refuse(refusal) => Decided {
                found_by: policy
                    .and_then(|policy| policy.own_rule(refusal.found_by))
                    .cloned(),
                code: Some(refusal.reason.code),
                status: Some(refusal.reason.status),
                detail: Some(refusal.detail),
                remedy: Some(refusal.reason.remedy),
                ..at
            },
        })
    }

    /// A request that goes on, and whose answer, of a model, policies may withhold.
    fn forwarded(&mut self, at: Decided<'r>) -> Decided<'r> {
        if let Some((policy, refusal)) = self.withheld() {
            return Decided {
                detail: Some(refusal.detail),
                policy: Some(policy),
                route: at.route,
                application: at.application,
                asked: true,
                ..Decided::refused(refusal.reason)
            };
        }
        let (redacted, policy) = self.redacted().unzip();
        Decided {
            decision: Decision::Forward,
            code: None,
            status: None,
            remedy: None,
            policy: policy.flatten(),
            redacted,
            unseen: std::mem::take(&mut self.unseen),
            asked: true,
            ..at
        }
    }

    /// Whether the body is longer than policies let through.
    fn streams_too_much(&self) -> bool {
        let bytes = self.request.body_bytes.unwrap_or_default();
        let mut effects = self.progress.effects.iter();
        effects.any(|effect| matches!(effect, Effect::LimitBody(limit) if bytes > *limit))
    }
}
