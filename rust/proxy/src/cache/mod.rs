//! A shared cache (RFC 9111), apart for each application.
//!
//! Freshness, `Vary` and validation are judged by `http-cache-semantics`. What is added here: answers to identified callers are
//! kept for that caller alone, a burst of requests asks the service once, an answer past its time may be given while a new one
//! is fetched, and an answer with `Set-Cookie` is never kept.

mod fetch;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{self, HeaderMap};
use http::uri::Authority;
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt as _;
use http_cache_semantics::{BeforeRequest, CachePolicy};
use lockgate_policy::{CacheRule, Refusal};
use moka::future::Cache as Store;
use parking_lot::Mutex;

use crate::body::{Prefixed, ReadStart, read_start};
use crate::clock::Clock;
use crate::core::Core;
use crate::forward::{Answer, Prepared, RequestBody, Tried, send};
use crate::freshness::{Stale, asks_for_whole, freshened, is_failure};
use crate::upstream::Service;
use fetch::{Fetch, validators};

pub use fetch::status;

/// All that is kept, in bytes.
const MOST_BYTES: u64 = 64 * 1024 * 1024;
/// Answers to one URL: for several callers, and by `Vary`.
const MOST_VARIANTS: usize = 64;
/// How long the body of an answer that is kept may take; one that goes on is a stream.
const KEPT_WITHIN: Duration = Duration::from_secs(30);
/// How long a URL whose answers cannot be kept is not waited for.
const PASS_FOR: Duration = Duration::from_secs(30);

/// What an answer is kept under: service, scheme, host, path and query.
type Key = Arc<str>;

/// An answer that is kept.
#[derive(Debug)]
struct Kept {
    /// The caller it is for; everyone when nobody was identified.
    caller: Option<Arc<str>>,
    policy: CachePolicy,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    rule: Arc<CacheRule>,
    /// The age at which its time is over.
    lifetime: Duration,
    stale: Stale,
}

type Variants = Arc<Vec<Arc<Kept>>>;

/// Fetches under way, by URL and caller.
type Flights = HashMap<(Key, Option<Arc<str>>), Weak<tokio::sync::Mutex<()>>>;

/// The cache of a node.
#[derive(Debug)]
pub struct Cache {
    kept: Store<Key, Variants>,
    /// Whether anything was ever kept: where nothing is, nothing is to be forgotten.
    holds: AtomicBool,
    /// URLs whose answers could not be kept: requests for them do not wait for one another.
    passes: Store<Key, ()>,
    flights: Mutex<Flights>,
    clock: Clock,
}

/// A request that may be answered from the cache.
pub struct Asked<'a> {
    /// The request as the service would get it.
    pub prepared: Prepared<'a>,
    /// How answers are kept.
    pub rule: Arc<CacheRule>,
    /// The caller, when it was identified.
    pub caller: Option<Arc<str>>,
    /// Who answers when the cache does not.
    pub service: &'a Arc<Service>,
}

/// What the cache knows of a request.
enum Found {
    Fresh(Arc<Kept>),
    /// Past its time, yet within the time that the rule grants.
    Usable(Arc<Kept>),
    /// To be validated first, with these fields.
    Stale(Arc<Kept>, HeaderMap),
    Nothing,
}

impl Cache {
    /// Holds nothing yet.
    pub fn new(clock: Clock) -> Self {
        let weigh = |key: &Key, variants: &Variants| {
            let bytes: usize = variants.iter().map(|kept| kept.body.len() + 1024).sum();
            u32::try_from(bytes + key.len()).unwrap_or(u32::MAX)
        };
        Self {
            kept: Store::builder()
                .max_capacity(MOST_BYTES)
                .weigher(weigh)
                .support_invalidation_closures()
                .build(),
            holds: AtomicBool::new(false),
            passes: Store::builder()
                .max_capacity(10_000)
                .time_to_live(PASS_FOR)
                .build(),
            flights: Mutex::default(),
            clock,
        }
    }

    /// Answers from the cache, else from the service, and keeps what may be kept.
    ///
    /// # Errors
    /// The refusal that stands in for the answer.
    pub async fn answer(
        self: &Arc<Self>,
        core: &Arc<Core>,
        asked: Asked<'_>,
        body: RequestBody,
        seen: &mut Tried,
    ) -> Result<Answer, Box<Refusal>> {
        let Asked {
            prepared,
            rule,
            caller,
            service,
        } = asked;
        let has_body = !matches!(body, RequestBody::Absent);
        let fields = (prepared.method == Method::GET)
            .then(|| prepared.fields.make())
            .filter(|fields| asks_for_whole(&prepared.method, fields, has_body));
        let Some(fields) = fields else {
            return self.pass(core, prepared, body, service, seen).await;
        };
        let key = key(service, scheme(&fields), &prepared);
        // Held until the caller is answered, and not by a refresh that outlives it.
        let mut prepared = prepared;
        let _held = std::mem::take(&mut prepared.permits);
        let asked = Arc::new(Fetch::new(key, (prepared, fields), rule, caller));
        let mut waited = false;
        let flight = self.flight(&asked);
        let _turn = loop {
            match self.look(&asked).await {
                Found::Fresh(kept) => {
                    return Ok(asked.hit(
                        &kept,
                        if waited { "hit; collapsed" } else { "hit" },
                        self.clock.system_time(),
                    ));
                }
                Found::Usable(kept) => {
                    self.refresh(core, &asked, service, &kept);
                    return Ok(asked.hit(&kept, "hit; detail=stale", self.clock.system_time()));
                }
                Found::Stale(..) | Found::Nothing if waited => break None,
                Found::Stale(..) | Found::Nothing => {}
            }
            if self.passes.contains_key(&asked.key) {
                break None;
            }
            let patience = service.timeouts.first_byte.get();
            let turn = flight.clone().try_lock_owned();
            match turn {
                Ok(turn) => break Some(turn),
                Err(_) => drop(tokio::time::timeout(patience, flight.lock()).await),
            }
            waited = true;
        };
        let (kept, validators) = match self.look(&asked).await {
            Found::Stale(kept, validators) => (Some(kept), validators),
            _ => (None, HeaderMap::new()),
        };
        self.fetch(core, &asked, service, kept, validators, seen)
            .await
    }

    /// Sends a request that the cache does not answer. One that may have changed something makes it forget what it kept under the same
    /// URL, whoever it was kept for and whatever route it came by (RFC 9111 §4.4).
    ///
    /// # Errors
    /// The refusal that stands in for the answer.
    pub async fn pass(
        &self,
        core: &Arc<Core>,
        prepared: Prepared<'_>,
        body: RequestBody,
        service: &Arc<Service>,
        seen: &mut Tried,
    ) -> Result<Answer, Box<Refusal>> {
        let changes = !prepared.method.is_safe() && self.holds.load(Ordering::Relaxed);
        let keys = changes.then(|| ["http", "https"].map(|scheme| key(service, scheme, &prepared)));
        let answer = send(core, prepared, body, service, seen).await?;
        if answer.head.status.as_u16() < 400 {
            for key in keys.iter().flatten() {
                self.kept.invalidate(key).await;
            }
        }
        Ok(answer)
    }

    /// Forgets the answers that `tag` names, or that were kept for this path (with its query); all when neither is given.
    pub fn purge(&self, tag: Option<String>, path: Option<String>) {
        match (tag, path) {
            (None, None) => self.kept.invalidate_all(),
            (tag, path) => {
                let names = move |key: &Key, variants: &Variants| {
                    path.as_ref()
                        .is_some_and(|path| key.rsplit(' ').next() == Some(path))
                        || tag.as_ref().is_some_and(|tag| {
                            variants.iter().any(|kept| kept.rule.tags.contains(tag))
                        })
                };
                // The cache supports closures; it says no only when it was built without.
                drop(self.kept.invalidate_entries_if(names));
            }
        }
    }

    fn flight(&self, asked: &Fetch) -> Arc<tokio::sync::Mutex<()>> {
        let mut flights = self.flights.lock();
        if flights.len() > 1_000 {
            flights.retain(|_, flight| flight.strong_count() > 0);
        }
        let place = flights
            .entry((asked.key.clone(), asked.caller.clone()))
            .or_default();
        if let Some(flight) = place.upgrade() {
            return flight;
        }
        let flight = Arc::default();
        *place = Arc::downgrade(&flight);
        flight
    }

    async fn look(&self, asked: &Fetch) -> Found {
        let Some(variants) = self.kept.get(&asked.key).await else {
            return Found::Nothing;
        };
        let now = self.clock.system_time();
        let mut found = Found::Nothing;
        for kept in variants.iter().filter(|kept| kept.caller == asked.caller) {
            match kept.policy.before_request(&asked.view, now) {
                BeforeRequest::Fresh(_) => return Found::Fresh(kept.clone()),
                BeforeRequest::Stale {
                    request,
                    matches: true,
                } => {
                    let wants_new = asked.view.headers().contains_key(header::CACHE_CONTROL);
                    found = if kept.is_past_by_less_than(kept.stale.while_asking, now) && !wants_new
                    {
                        Found::Usable(kept.clone())
                    } else {
                        Found::Stale(kept.clone(), validators(&request.headers))
                    };
                }
                BeforeRequest::Stale { .. } => {}
            }
        }
        found
    }

    /// Fetches a new answer beside the request, unless somebody does.
    fn refresh(
        self: &Arc<Self>,
        core: &Arc<Core>,
        asked: &Arc<Fetch>,
        service: &Arc<Service>,
        kept: &Arc<Kept>,
    ) {
        let Ok(turn) = self.flight(asked).try_lock_owned() else {
            return;
        };
        let (cache, core) = (self.clone(), core.clone());
        let (asked, service, kept) = (asked.clone(), service.clone(), kept.clone());
        tokio::spawn(async move {
            let fields = kept.validators();
            let mut seen = Tried::default();
            let fetched = cache
                .fetch(&core, &asked, &service, Some(kept), fields, &mut seen)
                .await;
            if let Ok(answer) = fetched {
                // What is too large to keep is read to its end by nobody.
                drop(answer);
            }
            drop(turn);
        });
    }

    async fn fetch(
        &self,
        core: &Arc<Core>,
        asked: &Fetch,
        service: &Arc<Service>,
        kept: Option<Arc<Kept>>,
        validators: HeaderMap,
        seen: &mut Tried,
    ) -> Result<Answer, Box<Refusal>> {
        let validates = kept.is_some();
        let request = asked.request(validators);
        let sent = send(core, request, RequestBody::Absent, service, seen).await;
        let now = self.clock.system_time();
        if let Some(kept) = &kept {
            let failed = match &sent {
                Ok(answer) => is_failure(answer.head.status),
                Err(refusal) => refusal.reason.status >= 500,
            };
            if failed && kept.is_past_by_less_than(kept.stale.on_error, now) {
                return Ok(asked.hit(kept, "fwd=stale; detail=stale-if-error", now));
            }
        }
        let answer = sent?;
        if let (Some(kept), StatusCode::NOT_MODIFIED) = (&kept, answer.head.status) {
            return Ok(self.renew(asked, kept, &answer.head.headers, now).await);
        }
        let forward = if validates {
            "fwd=stale"
        } else {
            "fwd=uri-miss"
        };
        let Answer { mut head, body } = answer;
        let Some(policy) = asked.may_keep(&head, now) else {
            self.passes.insert(asked.key.clone(), ()).await;
            status(&mut head.headers, forward);
            return Ok(Answer { head, body });
        };
        match read_start(Bytes::new(), body, asked.rule.up_to, Some(KEPT_WITHIN)).await {
            Ok(ReadStart::Whole(bytes)) => {
                let kept = asked.kept(policy, head, bytes, now);
                self.keep(asked, kept.clone()).await;
                Ok(asked.hit(&kept, &format!("{forward}; stored"), now))
            }
            Ok(ReadStart::Part(start, rest)) => {
                self.passes.insert(asked.key.clone(), ()).await;
                status(&mut head.headers, forward);
                let body = Prefixed::new(start, rest).boxed_unsync();
                Ok(Answer { head, body })
            }
            Err(_) => Err(Box::new(Refusal::new(
                &lockgate_policy::gateway_reasons::UPSTREAM_FAILED,
                "the service broke off within its answer",
            ))),
        }
    }

    /// An answer whose service said that it has not changed.
    async fn renew(
        &self,
        asked: &Fetch,
        kept: &Arc<Kept>,
        said: &HeaderMap,
        now: SystemTime,
    ) -> Answer {
        let how = "fwd=stale; fwd-status=304; detail=validated";
        let (mut head, ()) = Response::new(()).into_parts();
        head.status = kept.status;
        head.headers = freshened(&kept.headers, said);
        let Some(policy) = asked.may_keep(&head, now) else {
            return asked.hit(kept, how, now);
        };
        let renewed = asked.kept(policy, head, kept.body.clone(), now);
        self.keep(asked, renewed.clone()).await;
        asked.hit(&renewed, how, now)
    }

    async fn keep(&self, asked: &Fetch, kept: Arc<Kept>) {
        self.holds.store(true, Ordering::Relaxed);
        let replaced = |known: &Arc<Kept>| {
            known.caller == kept.caller
                && !matches!(
                    known
                        .policy
                        .before_request(&asked.view, self.clock.system_time()),
                    BeforeRequest::Stale { matches: false, .. }
                )
        };
        let mut variants = self
            .kept
            .get(&asked.key)
            .await
            .map(|known| known.to_vec())
            .unwrap_or_default();
        variants.retain(|known| !replaced(known));
        if variants.len() >= MOST_VARIANTS {
            variants.remove(0);
        }
        variants.push(kept.clone());
        self.kept
            .insert(asked.key.clone(), Arc::new(variants))
            .await;
    }
}

impl Kept {
    /// Whether its time is over, yet not for so long.
    fn is_past_by_less_than(&self, most: Duration, now: SystemTime) -> bool {
        let age = self.policy.age(now);
        age >= self.lifetime && age - self.lifetime < most
    }

    fn validators(&self) -> HeaderMap {
        let mut fields = HeaderMap::new();
        for (from, to) in [
            (header::ETAG, header::IF_NONE_MATCH),
            (header::LAST_MODIFIED, header::IF_MODIFIED_SINCE),
        ] {
            if let Some(value) = self.headers.get(from) {
                fields.insert(to, value.clone());
            }
        }
        fields
    }
}

/// Services may answer the same otherwise by another scheme, such as with a redirect to it.
fn key(service: &Service, scheme: &str, prepared: &Prepared<'_>) -> Key {
    let authority = prepared.authority.as_ref().map_or("", Authority::as_str);
    format!("{} {scheme} {authority} {}", service.name, prepared.path).into()
}

/// The scheme that the caller used, as services are told.
fn scheme(fields: &HeaderMap) -> &'static str {
    let told = fields.get("x-forwarded-proto");
    if told.is_some_and(|scheme| scheme == "https") {
        "https"
    } else {
        "http"
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
