//! A decided request on its way to a service and back.

mod change;
mod fields;
mod send;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderMap};
use http::uri::Authority;
use http::{Method, Uri, request::Parts, response};
use hyper::body::Incoming;
use lockgate_policy::{
    CacheRule, Effect, Permit, Refusal, Route, forwarded_query, gateway_reasons as reasons,
    stable_hash,
};
use smallvec::SmallVec;
use tokio::time::Instant;

pub use change::change;
pub use fields::{Fields, Sent};
pub use send::{callers_failure, send};

use crate::body::{AnyBody, Arrival, Bounds, Streamed};
use crate::hygiene::{self, Caller};
use crate::request::Arrived;
use crate::upstream::{HashBy, Service, Target};

/// What is left of a request body once policies have seen it.
pub enum RequestBody {
    /// There is none.
    Absent,
    /// It streams through.
    Stream(Incoming),
    /// A policy that does not act asked for it, and it has more bytes than this: what was read, and what is still to come.
    Begun(usize, Bytes, Streamed),
    /// A policy read it.
    Read(Bytes),
}

impl RequestBody {
    /// A body of which nothing was read.
    pub fn of(body: Incoming) -> Self {
        if hyper::body::Body::is_end_stream(&body) {
            Self::Absent
        } else {
            Self::Stream(body)
        }
    }
}

/// A request that may be forwarded.
pub struct Allowed<'a> {
    /// Its head as it arrived.
    pub head: &'a Parts,
    /// Where it goes.
    pub arrived: &'a Arrived<'a>,
    /// Its route.
    pub route: &'a Route,
    /// What policies do with it.
    pub effects: SmallVec<[Effect; 4]>,
    /// Who calls.
    pub caller: Caller<'a>,
    /// What its body may take, as far as the listener says.
    pub bounds: Bounds,
    /// When it arrived.
    pub since: Instant,
}

/// The answer of a service, as it goes on to the caller.
pub struct Answer {
    /// Its head, without what belonged to the connection to the service.
    pub head: response::Parts,
    /// Its body.
    pub body: AnyBody,
}

/// A request as services get it, whatever target it goes to.
pub struct Prepared<'a> {
    /// Its method.
    pub method: Method,
    /// Its fields. Each try writes its own `Host`.
    pub fields: Fields<'a>,
    /// Its path and query.
    pub path: Uri,
    /// What `consistent_hash` hashes.
    pub key: Option<u64>,
    /// The host that the caller asked for, with its port.
    pub authority: Option<Authority>,
    /// What its body may take.
    pub bounds: Bounds,
    /// Places of limits that it holds until its answer was sent.
    pub permits: Vec<Permit>,
    /// When it arrived.
    pub since: Instant,
    /// What may answer in place of the service.
    pub cache: Option<Arc<CacheRule>>,
}

impl Prepared<'_> {
    /// The same with these fields, so that it may outlive what the caller sent.
    pub fn with(self, fields: HeaderMap) -> Prepared<'static> {
        Prepared {
            method: self.method,
            fields: Fields::Made(fields),
            path: self.path,
            key: self.key,
            authority: self.authority,
            bounds: self.bounds,
            permits: self.permits,
            since: self.since,
            cache: self.cache,
        }
    }
}

/// What is known of the tries of a request.
#[derive(Debug, Default)]
pub struct Tried {
    /// The target that was asked last.
    pub target: Option<Arc<Target>>,
    /// How often a target was asked.
    pub tries: u16,
    /// How long they took to answer, in microseconds.
    pub micros: u64,
    /// When the first was asked.
    pub since: Option<Instant>,
    /// How far the body of the request has come, when it streams.
    pub arrival: Option<Arc<Arrival>>,
}

/// Makes the request that services get.
///
/// # Errors
/// The refusal of a path that cannot be forwarded.
pub fn prepare<'a>(
    allowed: Allowed<'a>,
    service: Option<&Service>,
) -> Result<Prepared<'a>, Box<Refusal>> {
    let key = service
        .and_then(Service::hash_by)
        .map(|by| hash_key(by, &allowed));
    if hygiene::goes_in_circles(&allowed.head.headers, allowed.caller.via) {
        let why = "the request has passed this gateway too often";
        return Err(Box::new(Refusal::new(&reasons::LOOP, why)));
    }
    let query = forwarded_query(allowed.head.uri.query(), &allowed.effects);
    let mut path = None;
    let (mut bounds, mut permits, mut cache) = (allowed.bounds, Vec::new(), None);
    let mut edits = SmallVec::new();
    for effect in allowed.effects {
        match effect {
            edit @ (Effect::SetRequestHeader(..)
            | Effect::AddRequestHeader(..)
            | Effect::RemoveRequestHeader(_)
            | Effect::RemoveCookie(_)) => edits.push(edit),
            Effect::SetPath(set) => path = Some(set),
            effect @ (Effect::LimitBody(_) | Effect::ReceiveWithin(_)) => {
                bounds.narrow(&effect, allowed.since);
            }
            Effect::Hold(permit) => permits.push(permit),
            Effect::Cache(rule) => cache = Some(rule),
            // The query was made above; edits of the answer travel apart.
            Effect::RemoveQueryParameter(_)
            | Effect::AddQueryParameter(..)
            | Effect::Response(_)
            // It was noted among the verdicts.
            | Effect::Tried(..)
            // They are of calls to models, which are not forwarded.
            | Effect::Reserve(_)
            | Effect::KeepAnswer(_)
            | Effect::ListModels(_) | Effect::Ask(_) | Effect::WatchAnswer(_) => {}
        }
    }
    let path = path.map_or_else(
        || Cow::Borrowed(allowed.route.forwarded_path(&allowed.arrived.path)),
        Cow::Owned,
    );
    Ok(Prepared {
        method: allowed.head.method.clone(),
        fields: Fields::Sent(Sent {
            fields: &allowed.head.headers,
            caller: allowed.caller,
            edits,
        }),
        path: target(&allowed.head.uri, &path, query.as_deref())?,
        key,
        authority: allowed.arrived.authority.clone(),
        bounds,
        permits,
        since: allowed.since,
        cache,
    })
}

/// The target of the forwarded request; the one that was asked for when nothing about it changes.
fn target(asked: &Uri, path: &str, query: Option<&str>) -> Result<Uri, Box<Refusal>> {
    if asked.authority().is_none() && asked.path() == path && asked.query() == query {
        return Ok(asked.clone());
    }
    let target = match query {
        Some(query) => format!("{path}?{query}").parse(),
        None => path.parse(),
    };
    target.map_err(|_| not_forwarded())
}

/// A path that no request can carry.
pub fn not_forwarded() -> Box<Refusal> {
    Box::new(Refusal::new(
        &reasons::BAD_PATH,
        "the path cannot be forwarded",
    ))
}

fn hash_key(by: &HashBy, allowed: &Allowed<'_>) -> u64 {
    let address = || allowed.caller.address.to_string();
    let text = match by {
        HashBy::Application => allowed
            .caller
            .application
            .as_deref()
            .map_or_else(address, str::to_owned),
        HashBy::Client => address(),
        HashBy::Path => allowed.arrived.path.to_string(),
        HashBy::Header(name) => allowed
            .head
            .headers
            .get(name)
            .map_or_else(address, |value| {
                String::from_utf8_lossy(value.as_bytes()).into_owned()
            }),
        HashBy::Cookie(name) => allowed
            .head
            .headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
            .map_or_else(address, str::to_owned),
    };
    stable_hash(&[&text])
}
