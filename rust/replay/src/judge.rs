//! One revision that judges recorded requests, with counters of its own.

mod decided;
mod judging;
mod warming;

use std::collections::HashMap;
use std::sync::Arc;

use lockgate_policy::{
    Counters, Effect, Fact, Facts, Progress, Revision, SavedQuota, Timestamp,
    gateway_reasons as reasons,
};

use crate::authorities::{Authorities, Taken, Unreadable};
use crate::held::Holding;
use crate::judgement::{Decided, Judgement, Lack};
use crate::request::Request;
use crate::spending::{Spending, Took};

use judging::Judging;
pub use warming::Warm;
use warming::Warming;

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
        let (policies, verdicts) = (route.chain.policies(), &judging.progress.verdicts);
        warming.count(request.at, policies, verdicts);
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
        self.warming.iter().flat_map(Warming::warm)
    }
}
