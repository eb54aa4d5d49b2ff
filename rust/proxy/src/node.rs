//! A node: one document served on all cores, replaced without a pause.

use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use lockgate_config::{Duration as Span, Listener, Problem, Source, Timeouts, load_document};
use lockgate_policy::{Counters, Revision, Secrets};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::service::{Connection, serve};
use crate::stats::Stats;
use crate::unserved::unserved;
use crate::upstream::{Pool, Upstreams, client, upstreams};

/// What serves requests at one time.
#[derive(Debug)]
pub struct Generation {
    /// The compiled document.
    pub revision: Revision,
    /// Its services.
    pub upstreams: Upstreams,
}

/// What all cores share.
#[derive(Debug)]
pub struct Shared {
    current: ArcSwap<Generation>,
    /// Usage of limits; it outlives generations.
    pub counters: Arc<Counters>,
    /// Counts since the start.
    pub stats: Stats,
    connections: AtomicUsize,
}

impl Shared {
    /// The generation that serves a request from its start to its end.
    pub fn generation(&self) -> Arc<Generation> {
        self.current.load_full()
    }
}

/// What belongs to one core.
pub struct Core {
    /// What all cores share.
    pub shared: Arc<Shared>,
    seed: RandomState,
    turn: AtomicU64,
    clients: Mutex<Pools>,
}

/// Pools by the deadlines that they are built with.
type Pools = Vec<((Span, Span), Pool)>;

impl Core {
    fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            seed: RandomState::new(),
            turn: AtomicU64::new(0),
            clients: Mutex::default(),
        }
    }

    /// 128 bits that no caller can guess, as 32 hexadecimal digits.
    pub fn request_id(&self) -> String {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        format!(
            "{:016x}{:016x}",
            self.seed.hash_one((turn, 0)),
            self.seed.hash_one((turn, 1))
        )
    }

    /// A service by weight.
    pub fn pick<'a>(&self, weights: &'a [(u32, Arc<str>)]) -> Option<&'a Arc<str>> {
        let total = weights.last()?.0.max(1);
        let turn = self.turn.load(Ordering::Relaxed);
        let at =
            u32::try_from(self.seed.hash_one((turn, 2)) % u64::from(total)).unwrap_or_default();
        weights
            .iter()
            .find(|(end, _)| at < *end)
            .map(|(_, name)| name)
    }

    /// The connections of this core to services with these deadlines.
    pub fn client(&self, timeouts: &Timeouts) -> Pool {
        let key = (timeouts.connect, timeouts.keep_alive);
        let Ok(mut clients) = self.clients.lock() else {
            return client(timeouts);
        };
        if let Some((_, known)) = clients.iter().find(|(known, _)| *known == key) {
            return known.clone();
        }
        let new = client(timeouts);
        clients.push((key, new.clone()));
        new
    }
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The document has problems.
    #[error("the document has problems")]
    Document(Vec<Problem>),
    /// An address cannot be taken.
    #[error("the listener `{listener}` cannot bind {address}: {error}")]
    Bind {
        /// The listener.
        listener: String,
        /// The address.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// A thread cannot be started.
    #[error("a thread of the node cannot start: {0}")]
    Thread(std::io::Error),
}

/// What a reload did.
#[derive(Debug)]
pub struct Applied {
    /// Whether the document is now served; the old one serves on when it is not.
    pub applied: bool,
    /// The id of what is served now.
    pub id: String,
    /// Problems and warnings of the document.
    pub problems: Vec<Problem>,
}

/// A running gateway.
#[derive(Debug)]
pub struct Node {
    source: Source,
    shared: Arc<Shared>,
    listeners: Vec<(String, SocketAddr)>,
    stop: watch::Sender<Option<Duration>>,
    threads: Vec<JoinHandle<bool>>,
}

fn compile(source: &Source) -> Result<(Generation, Vec<Problem>), Vec<Problem>> {
    let (revision, warnings) = Revision::compile(load_document(source)?, Secrets::Read)?;
    let unserved = unserved(&revision);
    if !unserved.is_empty() {
        return Err(unserved);
    }
    let upstreams = upstreams(&revision.document)?;
    Ok((
        Generation {
            revision,
            upstreams,
        },
        warnings,
    ))
}

impl Node {
    /// Compiles a document, binds its listeners and serves. Gives warnings beside the node.
    ///
    /// # Errors
    /// Problems of the document, an address that cannot be bound.
    pub fn start(source: Source) -> Result<(Self, Vec<Problem>), StartError> {
        let (generation, warnings) = compile(&source).map_err(StartError::Document)?;
        let document = &generation.revision.document;
        if document.listeners.is_empty() {
            let problem = Problem::in_file("document", "there is no listener")
                .help("add one, such as `listeners: { public: { bind: \"127.0.0.1:8080\" } }`");
            return Err(StartError::Document(vec![problem]));
        }
        let cores = document
            .node
            .cores
            .or_else(|| std::thread::available_parallelism().ok())
            .map_or(1, usize::from);
        let mut sockets: Vec<Vec<(Listener, std::net::TcpListener)>> =
            (0..cores).map(|_| Vec::new()).collect();
        let mut listeners = Vec::new();
        for entry in &document.listeners {
            let failed = |error| StartError::Bind {
                listener: entry.id.clone(),
                address: entry.value.bind,
                error,
            };
            // A first bind without `SO_REUSEPORT` finds an address that another process listens on.
            drop(std::net::TcpListener::bind(entry.value.bind).map_err(failed)?);
            let mut address = entry.value.bind;
            for core in &mut sockets {
                let socket = bind(address).map_err(failed)?;
                address = socket.local_addr().map_err(failed)?;
                core.push((entry.value.clone(), socket));
            }
            listeners.push((entry.id.clone(), address));
        }
        let shared = Arc::new(Shared {
            current: ArcSwap::from_pointee(generation),
            counters: Arc::default(),
            stats: Stats::default(),
            connections: AtomicUsize::new(0),
        });
        let (stop, stopped) = watch::channel(None);
        let mut threads = Vec::new();
        for (number, sockets) in sockets.into_iter().enumerate() {
            let (shared, stopped) = (shared.clone(), stopped.clone());
            let (ready, started) = mpsc::channel();
            let run = move || run_core(shared, sockets, stopped, &ready);
            let thread = std::thread::Builder::new()
                .name(format!("lockgate-{number}"))
                .spawn(run)
                .map_err(StartError::Thread)?;
            threads.push(thread);
            match started.recv() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(StartError::Thread(error)),
                Err(_) => {
                    return Err(StartError::Thread(std::io::Error::other(
                        "it ended at once",
                    )));
                }
            }
        }
        Ok((
            Self {
                source,
                shared,
                listeners,
                stop,
                threads,
            },
            warnings,
        ))
    }

    /// Compiles the document again and serves it, or keeps the old one. Requests that have begun end as they began.
    pub fn apply(&self) -> Applied {
        let id = |generation: &Generation| generation.revision.id.to_string();
        match compile(&self.source) {
            Ok((next, mut problems)) => {
                let old = &self.shared.current.load().revision.document;
                let new = &next.revision.document;
                let binds = |document: &lockgate_config::Document| {
                    serde_json::to_value(&document.listeners).unwrap_or_default()
                };
                if binds(old) != binds(new) {
                    problems.push(
                        Problem::in_file(
                            "document",
                            "a change of `listeners` takes effect at the next start",
                        )
                        .warning(),
                    );
                }
                let id = id(&next);
                self.shared.current.store(Arc::new(next));
                Applied {
                    applied: true,
                    id,
                    problems,
                }
            }
            Err(problems) => Applied {
                applied: false,
                id: id(&self.shared.current.load()),
                problems,
            },
        }
    }

    /// The listeners with the addresses that were really bound.
    pub fn listeners(&self) -> &[(String, SocketAddr)] {
        &self.listeners
    }

    /// Counts since the start, with the id of the revision that is served.
    pub fn stats(&self) -> Value {
        let mut stats = self.shared.stats.to_json();
        if let Some(members) = stats.as_object_mut() {
            members.insert(
                "revision".into(),
                self.shared.current.load().revision.id.to_string().into(),
            );
            members.insert(
                "connections".into(),
                self.shared.connections.load(Ordering::Relaxed).into(),
            );
        }
        stats
    }

    /// Accepts no more connections, lets requests end, and says whether all of them did within `drain`.
    pub fn stop(self, drain: Duration) -> bool {
        let _ = self.stop.send(Some(drain));
        let drained: Vec<bool> = self
            .threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or(false))
            .collect();
        drained.into_iter().all(|drained| drained)
    }
}

fn bind(address: SocketAddr) -> std::io::Result<std::net::TcpListener> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}

/// Serves until told to stop. Gives whether all requests ended in time.
fn run_core(
    shared: Arc<Shared>,
    sockets: Vec<(Listener, std::net::TcpListener)>,
    stopped: watch::Receiver<Option<Duration>>,
    ready: &mpsc::Sender<std::io::Result<()>>,
) -> bool {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(error));
            return false;
        }
    };
    let core = Arc::new(Core::new(shared));
    runtime.block_on(async {
        let mut accepting = tokio::task::JoinSet::new();
        for (settings, socket) in sockets {
            match TcpListener::from_std(socket) {
                Ok(listener) => {
                    drop(accepting.spawn(accept(core.clone(), settings, listener, stopped.clone())))
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                    return false;
                }
            }
        }
        let _ = ready.send(Ok(()));
        let mut drained = true;
        while let Some(ended) = accepting.join_next().await {
            drained &= ended.unwrap_or(false);
        }
        drained
    })
}

async fn accept(
    core: Arc<Core>,
    settings: Listener,
    listener: TcpListener,
    mut stopped: watch::Receiver<Option<Duration>>,
) -> bool {
    let builder = server(&settings);
    let graceful = GracefulShutdown::new();
    let trusted: Arc<[ipnet::IpNet]> = settings.trusted_proxies.clone().into();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(Option::is_some) => break,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of descriptors: give connections time to end in place of spinning.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        if core.shared.connections.fetch_add(1, Ordering::Relaxed) >= settings.max_connections.get()
        {
            core.shared.connections.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let _ = stream.set_nodelay(true);
        let connection = Arc::new(Connection {
            peer: peer.ip(),
            trusted: trusted.clone(),
            body_idle: settings.timeouts.body_idle.get(),
        });
        let for_requests = core.clone();
        let service =
            service_fn(move |request| serve(for_requests.clone(), connection.clone(), request));
        let serving = graceful.watch(
            builder
                .serve_connection(TokioIo::new(stream), service)
                .into_owned(),
        );
        let core = core.clone();
        tokio::spawn(async move {
            // A broken connection is the caller's affair; what was decided on it is already counted.
            let _ = serving.await;
            core.shared.connections.fetch_sub(1, Ordering::Relaxed);
        });
    }
    drop(listener);
    let drain = stopped.borrow().unwrap_or_default();
    tokio::time::timeout(drain, graceful.shutdown())
        .await
        .is_ok()
}

fn server(settings: &Listener) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.timeouts.head.get())
        .max_buf_size(settings.max_head.as_usize().max(8192))
        .keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.http2.max_streams.get())
        .max_pending_accept_reset_streams(settings.http2.max_pending_resets.get())
        .max_header_list_size(u32::try_from(settings.max_head.as_usize()).unwrap_or(u32::MAX))
        .keep_alive_interval(settings.timeouts.keep_alive.get())
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}
