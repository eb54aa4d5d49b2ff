//! Connections to targets, kept for the next request.
//!
//! An HTTP/1.1 connection is driven by the task of the request that uses it, so a request costs no task and no hop between
//! threads. An HTTP/2 connection carries many requests and has a task of its own.
//!
//! Inside hyper a connection and the request on it talk by channels, and each message wakes who waits for it. Here both are one
//! task, which looks at the other end right after it has driven the connection: such a wake-up would only have the whole task
//! polled once more. So only the last look before the task waits registers its waker; the others are [`quiet`].

use std::collections::HashMap;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use http::{Request, Response, Uri, header, uri::Scheme};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;

use super::connect::{ConnectError, Transport, connect};
use super::{Service, ServiceState, Target};
use crate::body::AnyBody;
use crate::core::Core;

/// The most unused HTTP/1.1 connections that a core keeps to one target.
const MOST_IDLE: usize = 256;

/// Why a request got no answer.
#[derive(Debug)]
pub enum SendError {
    /// No connection; the request is whole.
    Connect(ConnectError, Box<Request<AnyBody>>),
    /// The connection ended before anything was sent; the request is whole.
    NotSent(Box<Request<AnyBody>>),
    /// The connection broke. `reused` says that it had served requests before, so the target may have closed it for its age.
    Broken { error: hyper::Error, reused: bool },
}

struct Http1 {
    sender: http1::SendRequest<AnyBody>,
    connection: Option<http1::Connection<TokioIo<Transport>, AnyBody>>,
    idle_since: Instant,
    used: bool,
    _counted: Counted,
}

/// Counts a connection of a service as long as it lives.
struct Counted(Arc<ServiceState>);

impl Counted {
    fn new(service: &Service) -> Option<Self> {
        let connections = &service.state.connections;
        if connections.fetch_add(1, Ordering::Relaxed) >= service.max_connections {
            connections.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Self(service.state.clone()))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// For a look at what is there by now, by a task that does not wait for it.
pub fn quiet<'a>() -> Context<'a> {
    Context::from_waker(Waker::noop())
}

impl Http1 {
    /// Lets the connection do what it can. `false` when it has ended.
    fn drive(&mut self, cx: &mut Context<'_>) -> bool {
        let ended = self
            .connection
            .as_mut()
            .is_none_or(|connection| Pin::new(connection).poll(cx).is_ready());
        if ended {
            self.connection = None;
        }
        !ended
    }

    async fn send(&mut self, request: Request<AnyBody>) -> Result<Response<Incoming>, SendError> {
        let reused = std::mem::replace(&mut self.used, true);
        // Unconstrained: a look that tokio puts off for fairness would never be made up for.
        let answer = tokio::task::unconstrained(self.sender.try_send_request(request));
        let mut answer = std::pin::pin!(answer);
        let connection = &mut self.connection;
        // INVARIANT: the answer comes by the connection, and is looked at right after it was driven.
        let mut look = |cx: &mut Context<'_>| {
            if let Some(driven) = connection
                && Pin::new(driven).poll(cx).is_ready()
            {
                // Dropping it resolves the answer, which may otherwise wait for ever.
                *connection = None;
            }
            answer.as_mut().poll(&mut quiet())
        };
        let mut waited = false;
        let answered = std::future::poll_fn(|cx| {
            if std::mem::replace(&mut waited, true)
                && let Poll::Ready(answered) = look(&mut quiet())
            {
                return Poll::Ready(answered);
            }
            look(cx)
        })
        .await;
        answered.map_err(|mut error| match error.take_message() {
            Some(request) => SendError::NotSent(Box::new(request)),
            None => SendError::Broken {
                error: error.into_error(),
                reused,
            },
        })
    }
}

/// What a core keeps for one target.
#[derive(Default)]
struct Kept {
    // Boxed from the first: a connection moves with each request.
    #[expect(clippy::vec_box, reason = "moving a connection would copy a kilobyte")]
    idle: Vec<Box<Http1>>,
    shared: Vec<http2::SendRequest<AnyBody>>,
    /// Held while an HTTP/2 connection is made, so that a burst makes one.
    making: Arc<tokio::sync::Mutex<()>>,
    /// How long unused connections are kept.
    keep: Duration,
}

/// The connections of one core.
#[derive(Default)]
pub struct Pools(Mutex<HashMap<u64, Kept, foldhash::fast::RandomState>>);

impl std::fmt::Debug for Pools {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Pools")
    }
}

/// What an answer holds of its connection until its body has ended.
pub struct Lease {
    link: Option<Box<Http1>>,
    home: Weak<Pools>,
    target: u64,
}

impl Lease {
    /// Of a connection that is not kept.
    pub const fn none() -> Self {
        Self {
            link: None,
            home: Weak::new(),
            target: 0,
        }
    }

    /// Lets the connection do what it can.
    pub fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(link) = &mut self.link {
            link.drive(cx);
        }
    }

    /// Whether what comes by the connection comes only when it is driven.
    pub const fn is_driven(&self) -> bool {
        self.link.is_some()
    }

    /// Gives the connection back once the answer has been read to its end. One that is not ready then is closed.
    pub fn give_back(&mut self) {
        let Some(mut link) = self.link.take() else {
            return;
        };
        if !link.drive(&mut quiet()) || !link.sender.is_ready() {
            return;
        }
        if let Some(home) = self.home.upgrade() {
            link.idle_since = Instant::now();
            let mut all = home.0.lock();
            let kept = all.entry(self.target).or_default();
            if kept.idle.len() < MOST_IDLE {
                kept.idle.push(link);
            }
        }
    }
}

impl Pools {
    /// Sends a request (path and query as its target, `Host` among its fields) and gives the head of the answer.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn send(
        self: &Arc<Self>,
        core: &Core,
        service: &Service,
        target: &Target,
        request: Request<AnyBody>,
    ) -> Result<(Response<Incoming>, Lease), SendError> {
        let lease = |link| Lease {
            link,
            home: Arc::downgrade(self),
            target: target.id(),
        };
        let mut request = request;
        while let Some(mut link) = self.take_idle(target.id()) {
            match link.send(request).await {
                Ok(answer) => return Ok((answer, lease(Some(link)))),
                // Closed while it was idle: the next one, at last a new one.
                Err(SendError::NotSent(whole)) => request = *whole,
                Err(error) => return Err(error),
            }
        }
        if let Some(shared) = self.take_shared(target.id()) {
            return match send_shared(shared, service, target, request).await {
                Err(SendError::NotSent(whole)) => {
                    self.send_anew(core, service, target, *whole).await
                }
                other => other.map(|answer| (answer, lease(None))),
            };
        }
        self.send_anew(core, service, target, request).await
    }

    async fn send_anew(
        self: &Arc<Self>,
        core: &Core,
        service: &Service,
        target: &Target,
        request: Request<AnyBody>,
    ) -> Result<(Response<Incoming>, Lease), SendError> {
        let lease = |link| Lease {
            link,
            home: Arc::downgrade(self),
            target: target.id(),
        };
        match self.open(core, service, target).await {
            Err(error) => Err(SendError::Connect(error, Box::new(request))),
            Ok(Opened::Http1(mut link)) => {
                let answer = link.send(request).await?;
                Ok((answer, lease(Some(link))))
            }
            Ok(Opened::Http2(shared)) => {
                let answer = send_shared(shared, service, target, request).await?;
                Ok((answer, lease(None)))
            }
        }
    }

    /// A connection of its own, for a request that may take it over (RFC 9110 §7.8).
    pub async fn send_alone(
        core: &Core,
        service: &Service,
        target: &Target,
        request: Request<AnyBody>,
    ) -> Result<Response<Incoming>, SendError> {
        let Some(counted) = Counted::new(service) else {
            return Err(SendError::Connect(ConnectError::TooMany, Box::new(request)));
        };
        let transport = match within(service, connect(service, target, core.shared.forbidden)).await
        {
            Ok((transport, false)) => transport,
            Ok((_, true)) => {
                return Err(SendError::Connect(
                    ConnectError::Protocol,
                    Box::new(request),
                ));
            }
            Err(error) => return Err(SendError::Connect(error, Box::new(request))),
        };
        let (mut sender, connection) = match http1::handshake(TokioIo::new(transport)).await {
            Ok(pair) => pair,
            Err(error) => {
                return Err(SendError::Broken {
                    error,
                    reused: false,
                });
            }
        };
        tokio::spawn(async move {
            let _ = connection.with_upgrades().await;
            drop(counted);
        });
        sender
            .send_request(request)
            .await
            .map_err(|error| SendError::Broken {
                error,
                reused: false,
            })
    }

    /// The connection that was used last, unless that is too long ago. One that the target has closed since gives a request back
    /// whole: it is driven, and finds that out, before it takes anything.
    fn take_idle(&self, target: u64) -> Option<Box<Http1>> {
        let now = Instant::now();
        let mut all = self.0.lock();
        let kept = all.get_mut(&target)?;
        let link = kept.idle.pop()?;
        // Those below it were used before it.
        if now.saturating_duration_since(link.idle_since) > kept.keep {
            kept.idle.clear();
            return None;
        }
        Some(link)
    }

    fn take_shared(&self, target: u64) -> Option<http2::SendRequest<AnyBody>> {
        let mut all = self.0.lock();
        let kept = all.get_mut(&target)?;
        kept.shared.retain(|shared| !shared.is_closed());
        kept.shared.last().cloned()
    }

    async fn open(
        &self,
        core: &Core,
        service: &Service,
        target: &Target,
    ) -> Result<Opened, ConnectError> {
        let may_share = target.tls || service.protocol == lockgate_config::HttpVersion::Http2;
        let making = {
            let mut all = self.0.lock();
            let kept = all.entry(target.id()).or_default();
            kept.keep = service.timeouts.keep_alive.get();
            may_share.then(|| kept.making.clone())
        };
        within(service, async {
            // Only HTTP/2 connections are shared; what is known of HTTP/1.1 targets is that they need one each.
            let _turn = match (&making, service.protocol) {
                (Some(making), lockgate_config::HttpVersion::Http2) => {
                    let turn = making.lock().await;
                    if let Some(shared) = self.take_shared(target.id()) {
                        return Ok(Opened::Http2(shared));
                    }
                    Some(turn)
                }
                _ => None,
            };
            let counted = Counted::new(service).ok_or(ConnectError::TooMany)?;
            let (transport, h2) = connect(service, target, core.shared.forbidden).await?;
            let io = TokioIo::new(transport);
            let broken = |error: hyper::Error| ConnectError::Tcp(std::io::Error::other(error));
            if h2 {
                let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                    .timer(TokioTimer::new())
                    .keep_alive_interval(Duration::from_secs(20))
                    .keep_alive_timeout(Duration::from_secs(10))
                    .keep_alive_while_idle(true)
                    .handshake(io)
                    .await
                    .map_err(broken)?;
                tokio::spawn(async move {
                    let _ = connection.await;
                    drop(counted);
                });
                let mut all = self.0.lock();
                all.entry(target.id())
                    .or_default()
                    .shared
                    .push(sender.clone());
                return Ok(Opened::Http2(sender));
            }
            let (sender, connection) = http1::Builder::new().handshake(io).await.map_err(broken)?;
            Ok(Opened::Http1(Box::new(Http1 {
                sender,
                connection: Some(connection),
                idle_since: Instant::now(),
                used: false,
                _counted: counted,
            })))
        })
        .await
    }

    /// Closes connections that were not used for long, and those of targets that `serve` no more.
    pub fn sweep(&self, serve: impl Fn(u64) -> bool) {
        self.0.lock().retain(|target, kept| {
            kept.idle
                .retain(|link| link.idle_since.elapsed() <= kept.keep);
            kept.shared.retain(|shared| !shared.is_closed());
            serve(*target)
        });
    }
}

enum Opened {
    Http1(Box<Http1>),
    Http2(http2::SendRequest<AnyBody>),
}

async fn within<T>(
    service: &Service,
    connecting: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    let connected = tokio::time::timeout(service.timeouts.connect.get(), connecting).await;
    connected.unwrap_or(Err(ConnectError::Timeout))
}

async fn send_shared(
    mut shared: http2::SendRequest<AnyBody>,
    service: &Service,
    target: &Target,
    mut request: Request<AnyBody>,
) -> Result<Response<Incoming>, SendError> {
    let not_ready = shared.ready().await.is_err();
    if not_ready {
        return Err(SendError::NotSent(Box::new(request)));
    }
    to_http2(&mut request, service, target);
    shared
        .try_send_request(request)
        .await
        .map_err(|mut error| match error.take_message() {
            Some(request) => SendError::NotSent(Box::new(request)),
            None => SendError::Broken {
                error: error.into_error(),
                reused: true,
            },
        })
}

/// `Host` becomes `:authority` (RFC 9113 §8.3.1).
fn to_http2(request: &mut Request<AnyBody>, _: &Service, target: &Target) {
    let host = request.headers_mut().remove(header::HOST);
    let authority = host
        .and_then(|host| http::uri::Authority::try_from(host.as_bytes()).ok())
        .unwrap_or_else(|| target.authority.clone());
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(if target.tls {
        Scheme::HTTPS
    } else {
        Scheme::HTTP
    });
    parts.authority = Some(authority);
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    *request.version_mut() = http::Version::HTTP_2;
}
