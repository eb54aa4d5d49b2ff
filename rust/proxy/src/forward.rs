//! A decided request on its way to a service and back.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::uri::Authority;
use http::{Method, Request, Response, StatusCode, Uri, request::Parts, response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use lockgate_config::HostHeader;
use lockgate_policy::{
    CacheRule, Effect, Permit, Refusal, Route, forwarded_query, gateway_reasons as reasons,
    remove_cookie, stable_hash,
};
use smallvec::SmallVec;
use tokio::time::Instant;

use crate::body::{AnyBody, Arrival, BodyError, Bounds, Prefixed, Streamed, full};
use crate::core::Core;
use crate::hygiene::{self, Caller};
use crate::request::Arrived;
use crate::upgrade;
use crate::upstream::{
    Answered, Chosen, ConnectError, Fared, HashBy, Lease, NotChosen, Pools, Retryable, SendError,
    Service, Target, is_idempotent, pause,
};

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
pub struct Prepared {
    /// Its method.
    pub method: Method,
    /// Its fields. Each try writes its own `Host`.
    pub headers: HeaderMap,
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
pub fn prepare(allowed: Allowed<'_>, service: Option<&Service>) -> Result<Prepared, Box<Refusal>> {
    let key = service
        .and_then(Service::hash_by)
        .map(|by| hash_key(by, &allowed));
    if hygiene::goes_in_circles(&allowed.head.headers, allowed.caller.via) {
        let why = "the request has passed this gateway too often";
        return Err(Box::new(Refusal::new(&reasons::LOOP, why)));
    }
    let mut headers = allowed.head.headers.clone();
    // Once for all, in place of growing with one field after the other.
    headers.reserve(hygiene::WRITTEN);
    // gRPC asks for trailers; of all that is said to the next hop alone, this one is for the service too.
    let trailers = headers
        .get(header::TE)
        .is_some_and(|value| value == "trailers");
    hygiene::clean_request(&mut headers);
    hygiene::write_caller(&mut headers, &allowed.caller);
    // The length of the body that is sent is its own; a caller's claim about it is not passed on.
    headers.remove(header::CONTENT_LENGTH);
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    let query = forwarded_query(allowed.head.uri.query(), &allowed.effects);
    let mut path = None;
    let (mut bounds, mut permits, mut cache) = (allowed.bounds, Vec::new(), None);
    for effect in allowed.effects {
        match effect {
            Effect::SetRequestHeader(name, value) => {
                hygiene::remove(&mut headers, &name);
                headers.insert(name, value);
            }
            Effect::AddRequestHeader(name, value) => drop(headers.append(name, value)),
            Effect::RemoveRequestHeader(name) => hygiene::remove(&mut headers, &name),
            Effect::RemoveCookie(name) => remove_cookie(&mut headers, &name),
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
        headers,
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

/// A body for one try after the other. One that streams is there once; a try that sent nothing gives it back.
enum Carried {
    Absent,
    Bytes(Bytes),
    Once(Option<AnyBody>),
}

impl Carried {
    fn take(&mut self) -> AnyBody {
        match self {
            Self::Absent => full(Bytes::new()),
            Self::Bytes(bytes) => full(bytes.clone()),
            Self::Once(body) => body.take().unwrap_or_else(|| full(Bytes::new())),
        }
    }

    fn give_back(&mut self, request: Request<AnyBody>) {
        if let Self::Once(body) = self {
            *body = Some(request.into_body());
        }
    }

    const fn is_here(&self) -> bool {
        !matches!(self, Self::Once(None))
    }
}

/// How a try ended without an answer.
struct Failed {
    how: Retryable,
    refusal: Refusal,
    /// The connection had served before: the service may have closed it for its age, which is no failure.
    stale: bool,
    /// The request never left.
    unsent: bool,
}

/// Sends a request, again when its service allows it, and gives the answer with its body still streaming.
///
/// # Errors
/// The refusal that stands in for the answer.
pub async fn send(
    core: &Arc<Core>,
    mut prepared: Prepared,
    body: RequestBody,
    service: &Arc<Service>,
    seen: &mut Tried,
) -> Result<Answer, Box<Refusal>> {
    let mut arrival = Arc::<Arrival>::default();
    let mut body = match body {
        RequestBody::Absent => Carried::Absent,
        RequestBody::Read(bytes) => Carried::Bytes(bytes),
        RequestBody::Stream(incoming) => {
            seen.arrival = Some(arrival.clone());
            let body = Streamed::new(incoming, prepared.bounds, arrival.clone());
            Carried::Once(Some(body.boxed_unsync()))
        }
        RequestBody::Begun(_, start, mut rest) => {
            arrival = rest.arrival();
            seen.arrival = Some(arrival.clone());
            rest.bound(prepared.bounds);
            Carried::Once(Some(Prefixed::new(start, rest).boxed_unsync()))
        }
    };
    service.deposit_retry();
    let (mut tried, mut renewed) = (SmallVec::<[usize; 4]>::new(), false);
    loop {
        let mut chosen = service.choose(prepared.key, &tried).map_err(not_chosen)?;
        seen.tries += 1;
        seen.target = Some(chosen.target.clone());
        let request = request(&prepared, service, &chosen, body.take())?;
        let asked = Instant::now();
        seen.since.get_or_insert(asked);
        let sent = Try {
            core,
            service,
            chosen: &chosen,
            arrival: &arrival,
            since: prepared.since,
        }
        .send(request, &mut body)
        .await;
        let took = asked.elapsed();
        seen.micros += u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let may_repeat = is_idempotent(&prepared.method) && body.is_here();
        match sent {
            Ok((answer, lease)) => {
                let status = answer.status();
                chosen.report(fared(status), took);
                if may_repeat && again(service, Retryable::Status(status), tried.len()) {
                    tried.push(chosen.place);
                    drop((answer, lease, chosen));
                } else {
                    let held = (std::mem::take(&mut prepared.permits), chosen);
                    return Ok(streaming(answer, lease, service, held, prepared.since));
                }
            }
            Err(failed) if failed.is_callers() => return Err(Box::new(failed.refusal)),
            // A kept connection that its service had just closed says nothing about the service.
            Err(failed) if failed.stale && !renewed && may_repeat => {
                renewed = true;
                continue;
            }
            Err(failed) => {
                chosen.report(Fared::Badly, took);
                let may_repeat = may_repeat || (failed.unsent && body.is_here());
                if !may_repeat || !again(service, failed.how, tried.len()) {
                    return Err(Box::new(failed.refusal));
                }
                tried.push(chosen.place);
            }
        }
        tokio::time::sleep(pause(tried.len(), core.random())).await;
    }
}

/// Whether the service is asked once more after so many tries that failed, and takes it out of the budget.
fn again(service: &Service, how: Retryable, failed_before: usize) -> bool {
    service.retries.as_ref().is_some_and(|retries| {
        failed_before < retries.attempts && retries.wants(how) && service.withdraw_retry()
    })
}

const fn fared(status: StatusCode) -> Fared {
    match status.as_u16() {
        502..=504 => Fared::Badly,
        _ => Fared::Well,
    }
}

fn not_chosen(why: NotChosen) -> Box<Refusal> {
    let refusal = match why {
        NotChosen::Busy => Refusal::new(
            &reasons::UPSTREAM_BUSY,
            "the service has as many requests as it may",
        ),
        NotChosen::Open(left) => Refusal::new(
            &reasons::UPSTREAM_UNAVAILABLE,
            "the service failed too often and is left alone for a moment",
        )
        .header(header::RETRY_AFTER, &left.as_secs().max(1).to_string()),
    };
    Box::new(refusal)
}

fn hash_key(by: &HashBy, allowed: &Allowed<'_>) -> u64 {
    let address = || allowed.caller.address.to_string();
    let text = match by {
        HashBy::Application => allowed
            .caller
            .application
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

fn request(
    prepared: &Prepared,
    service: &Service,
    chosen: &Chosen,
    body: AnyBody,
) -> Result<Request<AnyBody>, Box<Refusal>> {
    let path = if chosen.target.prefix.is_empty() {
        prepared.path.clone()
    } else {
        let path = format!("{}{}", chosen.target.prefix, prepared.path);
        path.parse().map_err(|_| not_forwarded())?
    };
    let mut request = Request::new(body);
    *request.method_mut() = prepared.method.clone();
    *request.uri_mut() = path;
    *request.headers_mut() = prepared.headers.clone();
    let host = match service.host {
        HostHeader::Target => Some(chosen.target.host.clone()),
        HostHeader::Caller => {
            let asked = prepared.authority.as_ref().map_or("", Authority::as_str);
            HeaderValue::from_str(asked).ok()
        }
    };
    match host {
        Some(host) => drop(request.headers_mut().insert(header::HOST, host)),
        None => drop(request.headers_mut().remove(header::HOST)),
    }
    Ok(request)
}

/// One try.
struct Try<'a> {
    core: &'a Arc<Core>,
    service: &'a Arc<Service>,
    chosen: &'a Chosen,
    arrival: &'a Arrival,
    since: Instant,
}

impl Try<'_> {
    async fn send(
        &self,
        request: Request<AnyBody>,
        body: &mut Carried,
    ) -> Result<(Response<Incoming>, Lease), Failed> {
        let streams = matches!(body, Carried::Once(_));
        let mut sending = std::pin::pin!(self.core.pools.send(
            self.core,
            self.service,
            &self.chosen.target,
            request
        ));
        let mut wait = self.patience();
        let sent = loop {
            if let Some(sent) = self.core.timers.timeout(wait, &mut sending).await {
                break sent;
            }
            // The wait for the first byte begins where the request ends (a pause within it has a bound of its own).
            let total_left = self.total_left();
            let left = match self.arrival.ended_ago() {
                None if streams => Some(wait),
                Some(ago) if streams => self.patience().checked_sub(ago),
                _ => None,
            };
            match left.map(|left| left.min(total_left)) {
                Some(left) if !left.is_zero() => wait = left,
                _ => {
                    return Err(Failed {
                        how: Retryable::Timeout,
                        refusal: Refusal::new(
                            &reasons::UPSTREAM_TIMEOUT,
                            "the service did not answer in time",
                        ),
                        stale: false,
                        unsent: false,
                    });
                }
            }
        };
        sent.map_err(|error| failed(error, body))
    }

    fn total_left(&self) -> Duration {
        let total = self.service.timeouts.total;
        total.map_or(Duration::MAX, |total| {
            total.get().saturating_sub(self.since.elapsed())
        })
    }

    fn patience(&self) -> Duration {
        let timeouts = &self.service.timeouts;
        let wait = timeouts.per_try.unwrap_or(timeouts.first_byte).get();
        wait.min(timeouts.first_byte.get()).min(self.total_left())
    }
}

fn failed(error: SendError, body: &mut Carried) -> Failed {
    let unavailable = |detail: &'static str| Refusal::new(&reasons::UPSTREAM_UNAVAILABLE, detail);
    match error {
        SendError::Connect(error, request) => {
            body.give_back(*request);
            let refusal = match error {
                ConnectError::TooMany => Refusal::new(
                    &reasons::UPSTREAM_BUSY,
                    "the service has as many connections as it may",
                ),
                _ => unavailable("no connection to the service"),
            };
            Failed {
                how: Retryable::Connect,
                refusal,
                stale: false,
                unsent: true,
            }
        }
        SendError::NotSent(request) => {
            body.give_back(*request);
            let refusal = unavailable("the service closed the connection");
            Failed {
                how: Retryable::Reset,
                refusal,
                stale: true,
                unsent: true,
            }
        }
        SendError::Broken { error, reused } => Failed {
            how: Retryable::Reset,
            refusal: body_error(&error).map_or_else(
                || {
                    Refusal::new(
                        &reasons::UPSTREAM_FAILED,
                        "the service broke off before it answered",
                    )
                },
                callers_failure,
            ),
            stale: reused,
            unsent: false,
        },
    }
}

impl Failed {
    /// A body that the caller did not send to its end is the caller's failure, not the service's.
    fn is_callers(&self) -> bool {
        self.refusal.reason.status < 500
    }
}

fn body_error(error: &hyper::Error) -> Option<&BodyError> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(error) = inner.downcast_ref::<BodyError>() {
            return Some(error);
        }
        cause = inner.source();
    }
    None
}

/// What was wrong with the body that a caller sent.
pub fn callers_failure(error: &BodyError) -> Refusal {
    match error {
        BodyError::TooLarge(_) => Refusal::new(&reasons::BODY_TOO_LARGE, error.to_string()),
        BodyError::Idle(_) | BodyError::Late(_) => {
            Refusal::new(&reasons::BODY_TIMEOUT, error.to_string())
        }
        BodyError::Broken(_) => Refusal::new(&reasons::MALFORMED, "the body broke off"),
    }
}

/// The answer of a service as the caller gets it.
fn streaming(
    answer: Response<Incoming>,
    mut lease: Lease,
    service: &Service,
    held: (Vec<Permit>, Chosen),
    since: Instant,
) -> Answer {
    let (mut head, body) = answer.into_parts();
    hygiene::drop_connection_fields(&mut head.headers);
    // The version is one of the connection to the service (RFC 9110 §2.5); hyper writes the caller's.
    head.version = http::Version::default();
    let deadline = service.timeouts.total.map(|total| since + total.get());
    if hyper::body::Body::is_end_stream(&body) {
        // Nobody reads a body that is none, and so nobody would come to its end.
        lease.give_back();
    }
    let body = Answered::new(body, lease, service.timeouts.idle.get(), deadline, held);
    Answer {
        head,
        body: body.boxed_unsync(),
    }
}

/// Sends a request that asks for another protocol, and carries bytes both ways when the service agrees.
///
/// # Errors
/// The refusal that stands in for the answer.
pub async fn change(
    core: &Arc<Core>,
    mut prepared: Prepared,
    (caller, protocol): (OnUpgrade, HeaderValue),
    service: &Arc<Service>,
    seen: &mut Tried,
) -> Result<Answer, Box<Refusal>> {
    let mut chosen = service.choose(prepared.key, &[]).map_err(not_chosen)?;
    seen.tries = 1;
    seen.target = Some(chosen.target.clone());
    let mut request = request(&prepared, service, &chosen, full(Bytes::new()))?;
    upgrade::ask(request.headers_mut(), protocol);
    let asked = Instant::now();
    seen.since = Some(asked);
    let sending = Pools::send_alone(core, service, &chosen.target, request);
    let sent = tokio::time::timeout(service.timeouts.first_byte.get(), sending).await;
    let took = asked.elapsed();
    let refusal = match sent {
        Ok(Ok(answer)) => {
            chosen.report(fared(answer.status()), took);
            let held = (std::mem::take(&mut prepared.permits), chosen);
            return changed(answer, caller, service, held, prepared.since);
        }
        Ok(Err(error)) => failed(error, &mut Carried::Absent).refusal,
        Err(_) => Refusal::new(
            &reasons::UPSTREAM_TIMEOUT,
            "the service did not answer in time",
        ),
    };
    chosen.report(Fared::Badly, took);
    Err(Box::new(refusal))
}

fn changed(
    mut answer: Response<Incoming>,
    caller: OnUpgrade,
    service: &Service,
    held: (Vec<Permit>, Chosen),
    since: Instant,
) -> Result<Answer, Box<Refusal>> {
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(streaming(answer, Lease::none(), service, held, since));
    }
    let protocol = answer.headers().get(header::UPGRADE).cloned();
    let protocol = protocol
        .filter(|name| name.as_bytes().eq_ignore_ascii_case(b"websocket"))
        .ok_or_else(|| {
            Box::new(Refusal::new(
                &reasons::UPSTREAM_FAILED,
                "the service changed to a protocol that was not asked for",
            ))
        })?;
    let to_service = hyper::upgrade::on(&mut answer);
    let idle = service.timeouts.idle.get();
    tokio::spawn(upgrade::carry(caller, to_service, idle, held));
    let (mut head, _) = answer.into_parts();
    hygiene::drop_connection_fields(&mut head.headers);
    head.version = http::Version::default();
    upgrade::ask(&mut head.headers, protocol);
    Ok(Answer {
        head,
        body: full(Bytes::new()),
    })
}
