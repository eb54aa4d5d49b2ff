//! Listeners: sockets, TLS, and the connections of callers.

mod framing;
mod guard;
pub mod tls;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::HeaderValue;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use ipnet::IpNet;
use lockgate_config::Listener;
use lockgate_policy::ClientCertificate;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::core::Core;
use crate::service::serve;
use crate::timers::Timers;
use guard::Guard;

/// What a listener knows of the connection a request came by.
#[derive(Debug)]
pub struct Connection {
    /// The listener.
    pub listener: Arc<str>,
    /// The address at the other end.
    pub peer: IpAddr,
    /// The same as the value of a field.
    peer_field: HeaderValue,
    /// Proxies whose word about the caller counts.
    pub trusted: Arc<[IpNet]>,
    /// How long a caller may pause within a body.
    pub body_idle: Duration,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The certificate that the caller proved to hold.
    pub certificate: Option<ClientCertificate>,
    /// Requests that were handed to the service.
    served: AtomicU64,
    /// The place of the request whose head is malformed, and why.
    malformed: Mutex<Option<(u64, &'static str)>>,
    question: Mutex<Question>,
}

/// Whether a caller's question for another protocol was answered.
#[derive(Debug, Default)]
enum Question {
    #[default]
    None,
    Asked(Option<Waker>),
    Answered(bool),
}

impl Connection {
    /// The address of a caller as the value of a field.
    pub fn address_field(&self, client: IpAddr) -> HeaderValue {
        if client == self.peer {
            self.peer_field.clone()
        } else {
            address_field(client)
        }
    }

    /// Says what is wrong with the request that comes next, and moves on to the one after.
    pub fn next_is_malformed(&self) -> Option<&'static str> {
        let place = self.served.fetch_add(1, Ordering::Relaxed);
        let malformed = *self.malformed.lock();
        malformed.filter(|(at, _)| *at == place).map(|(_, why)| why)
    }

    fn mark_malformed(&self, place: u64, why: &'static str) {
        *self.malformed.lock() = Some((place, why));
    }

    fn ask(&self) {
        *self.question.lock() = Question::Asked(None);
    }

    /// Answers a question for another protocol, when there is one.
    pub fn answer(&self, changed: bool) {
        let mut question = self.question.lock();
        if let Question::Asked(waker) = &mut *question {
            let waker = waker.take();
            *question = Question::Answered(changed);
            drop(question);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    fn poll_answer(&self, cx: &Context<'_>) -> Poll<bool> {
        let mut question = self.question.lock();
        match &mut *question {
            Question::Answered(changed) => {
                let changed = *changed;
                *question = Question::None;
                Poll::Ready(changed)
            }
            Question::Asked(waker) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
            Question::None => Poll::Ready(false),
        }
    }
}

fn address_field(address: IpAddr) -> HeaderValue {
    // Digits, dots and colons always make a value.
    HeaderValue::try_from(address.to_string()).unwrap_or(const { HeaderValue::from_static("") })
}

/// A socket that several cores can listen on.
///
/// # Errors
/// The address cannot be taken.
pub fn bind(address: SocketAddr) -> std::io::Result<std::net::TcpListener> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}

/// A listener on one core.
pub struct Accepting {
    /// Its name.
    pub name: Arc<str>,
    /// Its settings.
    pub settings: Listener,
    /// Its socket.
    pub listener: TcpListener,
    /// Says when to stop, and how long requests may still take.
    pub stopped: watch::Receiver<Option<Duration>>,
}

impl Accepting {
    /// Takes connections until told to stop. Gives whether all requests ended in time.
    pub async fn run(mut self, core: Arc<Core>) -> bool {
        let builder = Arc::new(server(&self.settings, core.timers.clone()));
        let trusted: Arc<[IpNet]> = self.settings.trusted_proxies.clone().into();
        let (open, mut closed) = watch::channel(());
        let settings = Arc::new(self.settings);
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = told_to_stop(&mut self.stopped) => break,
            };
            let Ok((stream, peer)) = accepted else {
                // Out of descriptors: give connections time to end in place of spinning.
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            let connections = &core.shared.connections;
            if connections.fetch_add(1, Ordering::Relaxed) >= settings.max_connections.get() {
                connections.fetch_sub(1, Ordering::Relaxed);
                continue;
            }
            let _ = stream.set_nodelay(true);
            let arrived = Arriving {
                core: core.clone(),
                settings: settings.clone(),
                name: self.name.clone(),
                trusted: trusted.clone(),
                builder: builder.clone(),
                peer,
                stopped: self.stopped.clone(),
            };
            let open = open.clone();
            tokio::spawn(async move {
                let core = arrived.core.clone();
                arrived.serve(stream).await;
                core.shared.connections.fetch_sub(1, Ordering::Relaxed);
                drop(open);
            });
        }
        drop(self.listener);
        drop(open);
        let drain = self.stopped.borrow().unwrap_or_default();
        // Each connection is told to stop, and ends what it has begun; the channel closes with the last of them.
        tokio::time::timeout(drain, async { while closed.changed().await.is_ok() {} })
            .await
            .is_ok()
    }
}

struct Arriving {
    core: Arc<Core>,
    settings: Arc<Listener>,
    name: Arc<str>,
    trusted: Arc<[IpNet]>,
    builder: Arc<Builder<TokioExecutor>>,
    peer: SocketAddr,
    stopped: watch::Receiver<Option<Duration>>,
}

impl Arriving {
    async fn serve(self, stream: TcpStream) {
        let generation = self.core.shared.generation();
        let Some(tls) = generation.tls.get(&self.name).cloned() else {
            drop(generation);
            return self.converse(stream, "http", None).await;
        };
        drop(generation);
        let handshake = TlsAcceptor::from(tls.config.clone()).accept(stream);
        // A handshake that fails or takes too long is the caller's affair.
        if let Ok(Ok(stream)) =
            tokio::time::timeout(self.settings.timeouts.head.get(), handshake).await
        {
            let chain = stream.get_ref().1.peer_certificates();
            let certificate = chain.and_then(|chain| tls.caller(chain));
            self.converse(stream, "https", certificate).await;
        }
    }

    async fn converse<S>(
        self,
        stream: S,
        scheme: &'static str,
        certificate: Option<ClientCertificate>,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let timeouts = &self.settings.timeouts;
        let connection = Arc::new(Connection {
            listener: self.name,
            peer: self.peer.ip(),
            peer_field: address_field(self.peer.ip()),
            trusted: self.trusted,
            body_idle: timeouts.body_idle.get(),
            scheme,
            certificate,
            served: AtomicU64::new(0),
            malformed: Mutex::default(),
            question: Mutex::default(),
        });
        let guard = Guard::new(
            stream,
            connection.clone(),
            self.settings.max_head.as_usize(),
            timeouts.head.get(),
            timeouts.write_idle.get(),
        );
        let core = self.core;
        let service = service_fn(move |request| serve(core.clone(), connection.clone(), request));
        let serving = self
            .builder
            .serve_connection_with_upgrades(TokioIo::new(guard), service);
        let mut serving = std::pin::pin!(serving);
        let mut stopped = self.stopped;
        // A broken connection is the caller's affair; what was decided on it is already counted.
        tokio::select! {
            biased;
            _ = &mut serving => {}
            () = told_to_stop(&mut stopped) => {
                serving.as_mut().graceful_shutdown();
                let _ = serving.await;
            }
        }
    }
}

async fn told_to_stop(stopped: &mut watch::Receiver<Option<Duration>>) {
    let _ = stopped.wait_for(Option::is_some).await;
}

fn server(settings: &Listener, timers: Timers) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(timers)
        // Between requests; the guard looks after the time within a head.
        .header_read_timeout(settings.timeouts.keep_alive.get())
        .max_buf_size(settings.max_head.as_usize().max(8192))
        .keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.http2.max_streams.get())
        .max_pending_accept_reset_streams(settings.http2.max_pending_resets.get())
        .max_local_error_reset_streams(settings.http2.max_pending_resets.get())
        .max_header_list_size(u32::try_from(settings.max_head.as_usize()).unwrap_or(u32::MAX))
        .keep_alive_interval(settings.timeouts.keep_alive.get())
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}
