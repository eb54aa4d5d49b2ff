//! Tries: a request on its way to a target, again when its service allows it, and its answer on its way back.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::uri::Authority;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use lockgate_config::HostHeader;
use lockgate_policy::{Permit, Refusal, gateway_reasons as reasons};
use smallvec::SmallVec;
use tokio::time::Instant;

use super::{Answer, Prepared, RequestBody, Tried, not_forwarded};
use crate::body::{AnyBody, Arrival, BodyError, Prefixed, Streamed, full};
use crate::core::Core;
use crate::hygiene;
use crate::upstream::{
    Answered, Chosen, ConnectError, Fared, Lease, NotChosen, Retryable, SendError, Service,
    is_idempotent, pause,
};

/// A body for one try after the other. One that streams is there once; a try that sent nothing gives it back.
pub(super) enum Carried {
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
pub(super) struct Failed {
    how: Retryable,
    pub(super) refusal: Refusal,
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
    mut prepared: Prepared<'_>,
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
            asked,
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

pub(super) const fn fared(status: StatusCode) -> Fared {
    match status.as_u16() {
        502..=504 => Fared::Badly,
        _ => Fared::Well,
    }
}

pub(super) fn not_chosen(why: NotChosen) -> Box<Refusal> {
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

pub(super) fn request(
    prepared: &Prepared<'_>,
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
    *request.headers_mut() = prepared.fields.make();
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
    asked: Instant,
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
        let mut wait = (self.asked, self.patience(self.asked));
        let sent = loop {
            if let Some(sent) = self.core.timers.timeout(wait, &mut sending).await {
                break sent;
            }
            let now = Instant::now();
            // The wait for the first byte begins where the request ends (a pause within it has a bound of its own).
            let left = match self.arrival.ended_ago() {
                None if streams => Some(wait.1),
                Some(ago) if streams => self.patience(now).checked_sub(ago),
                _ => None,
            };
            match left.map(|left| left.min(self.total_left(now))) {
                Some(left) if !left.is_zero() => wait = (now, left),
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

    fn total_left(&self, now: Instant) -> Duration {
        let total = self.service.timeouts.total;
        total.map_or(Duration::MAX, |total| {
            let passed = now.saturating_duration_since(self.since);
            total.get().saturating_sub(passed)
        })
    }

    fn patience(&self, now: Instant) -> Duration {
        let timeouts = &self.service.timeouts;
        let wait = timeouts.per_try.unwrap_or(timeouts.first_byte).get();
        wait.min(timeouts.first_byte.get())
            .min(self.total_left(now))
    }
}

pub(super) fn failed(error: SendError, body: &mut Carried) -> Failed {
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
pub(super) fn streaming(
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
