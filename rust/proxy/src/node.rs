//! A node: one document served on all cores, replaced without a pause.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use lockgate_config::{Document, Files, Listener, Loaded, Problem, Source, load_document};
use lockgate_policy::{Revision, Secrets};
use lockgate_rollout::Command;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::access_log::AccessLog;
use crate::admin;
use crate::clock::Clock;
use crate::core::{Core, Generation, Shared};
use crate::listen::tls::{check_certificates, server_config};
use crate::listen::{Accepting, bind};
use crate::record::Recording;
use crate::rollout::{self, Asked, NotBegun, Reload, Unfollowed};
use crate::state::State;
use crate::upstream::{Building, Forbidden, check_forever, upstreams};

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

/// What reads the document, and puts a new generation in the place of the old one.
#[derive(Debug)]
pub struct Reloader {
    source: Source,
    cores: usize,
    /// The files that the last reading that came as far noted, whether or not it is served.
    files: Mutex<Files>,
    /// One reload at a time: a later one must not be overtaken by an earlier one (F15).
    pub(crate) turn: Mutex<()>,
}

/// A listener that takes connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listening {
    /// Its name in the document.
    pub name: String,
    /// The address that was really bound.
    pub address: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
}

/// A running gateway.
#[derive(Debug)]
pub struct Node {
    reloader: Arc<Reloader>,
    shared: Arc<Shared>,
    listeners: Vec<Listening>,
    admin: SocketAddr,
    stop: watch::Sender<Option<Duration>>,
    threads: Vec<JoinHandle<bool>>,
    stop_admin: watch::Sender<bool>,
    admin_thread: JoinHandle<bool>,
    state: Option<State>,
}

/// Checks a document as far as that goes without secrets and without the network: says everything that would keep a node from
/// starting, but for secrets that are missing and addresses that are taken.
///
/// # Errors
/// Every problem found.
pub fn check(source: &Source) -> Result<(Revision, Vec<Problem>), Vec<Problem>> {
    let (revision, warnings) = Revision::check(source)?;
    let mut problems = addresses(&revision.document, source);
    let building = Building {
        document: &revision.document,
        base: &revision.base,
        secrets: Secrets::Skip,
        previous: None,
    };
    problems.extend(upstreams(&building).err().into_iter().flatten());
    for listener in &revision.document.listeners {
        problems.extend(check_certificates(listener, &revision.base).err());
    }
    if problems.is_empty() {
        Ok((revision, warnings))
    } else {
        Err(problems)
    }
}

/// What is wrong with where a node shall listen.
fn addresses(document: &Document, source: &Source) -> Vec<Problem> {
    let mut problems = Vec::new();
    if document.listeners.is_empty() {
        problems.push(
            Problem::in_file(source.name(), "there is no listener")
                .help("add one, such as `listeners: { public: { bind: \"127.0.0.1:8080\" } }`"),
        );
    }
    let admin = document.admin.bind;
    if !admin.ip().is_loopback() {
        let message = format!("the admin listener at {admin} could be reached from outside");
        problems.push(
            Problem::in_file(source.name(), message)
                .help("write a loopback address, such as `admin: { bind: \"127.0.0.1:9901\" }`"),
        );
    }
    problems
}

/// A problem of a whole document, under the name that the person knows it by.
fn in_source(source: &Source, mut problem: Problem) -> Problem {
    if problem.line == 0 {
        problem.file = source.name();
    }
    problem
}

fn compile(
    loaded: Loaded,
    source: &Source,
    cores: usize,
    previous: Option<&Generation>,
) -> Result<(Generation, Vec<Problem>), Vec<Problem>> {
    let (revision, warnings) = Revision::compile(loaded, Secrets::Read)?;
    build(revision, source, cores, previous).map(|generation| (generation, warnings))
}

fn build(
    revision: Revision,
    source: &Source,
    cores: usize,
    previous: Option<&Generation>,
) -> Result<Generation, Vec<Problem>> {
    let document = &revision.document;
    let mut problems = addresses(document, source);
    let building = Building {
        document,
        base: &revision.base,
        secrets: Secrets::Read,
        previous: previous.map(|generation| &generation.upstreams),
    };
    let services = upstreams(&building)
        .map_err(|mut found| problems.append(&mut found))
        .ok();
    let mut tls = std::collections::HashMap::new();
    for entry in &document.listeners {
        match server_config(entry, &revision.base) {
            Ok(None) => {}
            Ok(Some(config)) => drop(tls.insert(Arc::from(entry.id.as_str()), config)),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let named = |problem| vec![in_source(source, problem)];
    let known = previous.and_then(|generation| generation.recording.as_ref());
    let recording = Recording::open(&revision, cores, known).map_err(named)?;
    let known = previous.and_then(|generation| generation.access_log.as_ref());
    let access_log = AccessLog::open(document, &revision.base, known).map_err(named)?;
    Ok(Generation {
        id: Arc::from(revision.id.to_string()),
        upstreams: services.unwrap_or_default(),
        tls,
        recording,
        access_log,
        revision,
    })
}

impl Reloader {
    /// Compiles the document again and serves it, or keeps the old one. Requests that have begun end as they began. A rollout that
    /// runs is in the way, unless it shall be ended.
    pub fn apply(&self, shared: &Shared, ends_rollout: bool) -> Applied {
        let _turn = self.turn.lock();
        let current = shared.generation();
        let kept = |problems| Applied {
            applied: false,
            id: current.id.to_string(),
            problems,
        };
        let (next, problems) = match self.compile(&self.source, &current) {
            Ok(compiled) => compiled,
            Err(problems) => return kept(problems),
        };
        let id = next.id.to_string();
        match rollout::reload(shared, &next.id, ends_rollout) {
            Ok(Reload::Serve) => shared.current.store(Arc::new(next)),
            Ok(Reload::Nothing) => {}
            Err(problem) => return kept(vec![in_source(&self.source, problem)]),
        }
        Applied {
            applied: true,
            id,
            problems,
        }
    }

    /// What a document is beside the one that serves, with warnings.
    pub(crate) fn compile(
        &self,
        source: &Source,
        current: &Generation,
    ) -> Result<(Generation, Vec<Problem>), Vec<Problem>> {
        let (next, mut problems) = fenced(|| {
            let loaded = load_document(source)?;
            if std::ptr::eq(source, &self.source) {
                *self.files.lock() = loaded.files.clone();
            }
            compile(loaded, source, self.cores, Some(current))
        })?;
        let needs = needs_a_start(&current.revision.document, &next.revision.document);
        problems.extend(needs.map(|problem| in_source(source, problem)));
        Ok((next, problems))
    }
}

/// What a reading gives; a fault of this program within it costs the change, not the gateway (F9).
fn fenced<T>(read: impl FnOnce() -> Result<T, Vec<Problem>>) -> Result<T, Vec<Problem>> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).unwrap_or_else(|_| {
        let problem = Problem::in_file(
            "document",
            "reading it broke off: a fault of Lockgate itself",
        );
        Err(vec![problem.help(
            "report it with the document; the lines above on standard error say where it was",
        )])
    })
}

/// What of a change takes effect at the next start only. Certificates are read again; addresses and bounds are not.
fn needs_a_start(old: &Document, new: &Document) -> Option<Problem> {
    let bound = |document: &Document| {
        let listeners: Vec<Value> = document
            .listeners
            .iter()
            .map(|entry| {
                let mut listener = serde_json::to_value(&entry.value).unwrap_or_default();
                if let Some(tls) = listener.get_mut("tls") {
                    *tls = Value::Bool(!tls.is_null());
                }
                serde_json::json!([entry.id, listener])
            })
            .collect();
        (listeners, document.admin.bind, document.node.cores)
    };
    (bound(old) != bound(new)).then(|| {
        Problem::in_file(
            "document",
            "a change of `listeners`, `admin` or `node.cores` takes effect at the next start",
        )
        .warning()
    })
}

/// The sockets of one core.
type Sockets = Vec<(Arc<str>, Listener, std::net::TcpListener)>;

impl Node {
    /// Compiles a document, binds its listeners and serves. Gives warnings beside the node.
    ///
    /// # Errors
    /// Problems of the document, an address that cannot be bound.
    pub fn start(source: Source) -> Result<(Self, Vec<Problem>), StartError> {
        Self::start_at(source, Clock::system())
    }

    /// The same, by another clock than the system's.
    ///
    /// # Errors
    /// Problems of the document, an address that cannot be bound.
    pub fn start_at(source: Source, clock: Clock) -> Result<(Self, Vec<Problem>), StartError> {
        let loaded = load_document(&source).map_err(StartError::Document)?;
        let files = loaded.files.clone();
        let (revision, mut warnings) =
            Revision::compile(loaded, Secrets::Read).map_err(StartError::Document)?;
        let document = &revision.document;
        let cores = document
            .node
            .cores
            .or_else(|| std::thread::available_parallelism().ok())
            .map_or(1, usize::from);
        let generation = build(revision, &source, cores, None).map_err(StartError::Document)?;
        let (sockets, listeners) = bind_all(&generation.revision.document, cores)?;
        let (admin_socket, admin_address) = bind_admin(&generation.revision.document)?;
        let forbidden = Forbidden {
            admin: Some(admin_address),
        };
        let shared = Arc::new(Shared::new(generation, cores, forbidden, clock));
        let now = shared.clock.now();
        let (state, said) = State::open(&shared.generation().revision, &shared.counters, now)
            .map_err(|problem| StartError::Document(vec![in_source(&source, problem)]))?;
        warnings.extend(said.into_iter().map(|problem| in_source(&source, problem)));
        if let Some(recording) = &shared.generation().recording
            && let Err(error) = recording.begin(now, &shared.counters)
        {
            let message = format!("`recording`: what is used now cannot be written down: {error}");
            let problem = Problem::in_file("document", message)
                .help("name a folder that this user can write; replay then starts to count from nothing")
                .warning();
            warnings.push(in_source(&source, problem));
        }
        let reloader = Arc::new(Reloader {
            source,
            cores,
            files: Mutex::new(files),
            turn: Mutex::default(),
        });
        let (stop, stopped) = watch::channel(None);
        let mut threads = Vec::new();
        for (index, sockets) in sockets.into_iter().enumerate() {
            let core = Core::new(index, shared.clone());
            let stopped = stopped.clone();
            threads.push(spawn(&format!("lockgate-{index}"), move |ready| {
                run_core(core, sockets, stopped, ready)
            })?);
        }
        let (for_admin, reloading, saved) = (shared.clone(), reloader.clone(), state.clone());
        let (stop_admin, admin_stopped) = watch::channel(false);
        let admin_thread = spawn("lockgate-admin", move |ready| {
            admin::run(
                for_admin,
                reloading,
                saved,
                admin_socket,
                admin_stopped,
                ready,
            )
        })?;
        let node = Self {
            reloader,
            shared,
            listeners,
            admin: admin_address,
            stop,
            threads,
            stop_admin,
            admin_thread,
            state,
        };
        Ok((node, warnings))
    }

    /// Compiles the document again and serves it, or keeps the old one. Requests that have begun end as they began.
    pub fn apply(&self) -> Applied {
        self.reloader.apply(&self.shared, false)
    }

    /// Begins the rollout of another document, as `POST /rollout` does; gives its warnings.
    ///
    /// # Errors
    /// Why it does not begin.
    pub fn begin_rollout(&self, asked: Asked) -> Result<Vec<Problem>, NotBegun> {
        self.reloader.begin_rollout(&self.shared, asked)
    }

    /// Follows a command about the rollout that runs.
    ///
    /// # Errors
    /// Why it cannot be followed.
    pub fn command_rollout(&self, command: Command) -> Result<(), Unfollowed> {
        self.shared.rollouts.command(&self.shared, command)
    }

    /// The rollout that runs, else the last one, as `GET /rollout.json` gives it.
    pub fn rollout(&self) -> Option<Value> {
        self.shared.rollouts.status(&self.shared)
    }

    /// The listeners, in the order of the document.
    pub fn listeners(&self) -> &[Listening] {
        &self.listeners
    }

    /// The address of the admin listener that was really bound.
    pub const fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The files that the document consists of and refers to, as the last reading found them: that of an erroneous document too,
    /// because the error may be in any of them.
    pub fn files(&self) -> Vec<std::path::PathBuf> {
        self.reloader.files.lock().paths()
    }

    /// Counts since the start, with the id of the revision that is served.
    pub fn stats(&self) -> Value {
        crate::metrics::stats(&self.shared)
    }

    #[cfg(test)]
    pub(crate) fn parts(&self) -> (&Arc<Shared>, &Reloader) {
        (&self.shared, &self.reloader)
    }

    /// Accepts no more connections, lets requests end, and says whether all of them did within `drain`.
    pub fn stop(self, drain: Duration) -> bool {
        self.shared.draining.store(true, Ordering::Relaxed);
        let _ = self.stop.send(Some(drain));
        let drained: Vec<bool> = self
            .threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or(false))
            .collect();
        self.shared.rollouts.close();
        let _ = self.stop_admin.send(true);
        let _ = self.admin_thread.join();
        if let Some(state) = &self.state {
            let _ = state.save(&self.shared.counters);
        }
        drained.into_iter().all(|drained| drained)
    }
}

/// Starts a thread and waits until it says that it serves.
fn spawn(
    name: &str,
    run: impl FnOnce(&mpsc::Sender<std::io::Result<()>>) -> bool + Send + 'static,
) -> Result<JoinHandle<bool>, StartError> {
    let (ready, started) = mpsc::channel();
    let thread = std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || run(&ready))
        .map_err(StartError::Thread)?;
    let ended = || std::io::Error::other("it ended at once");
    started
        .recv()
        .unwrap_or_else(|_| Err(ended()))
        .map_err(StartError::Thread)?;
    Ok(thread)
}

type Bound = (Vec<Sockets>, Vec<Listening>);

fn bind_all(document: &Document, cores: usize) -> Result<Bound, StartError> {
    let mut sockets: Vec<Sockets> = (0..cores).map(|_| Vec::new()).collect();
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
            core.push((Arc::from(entry.id.as_str()), entry.value.clone(), socket));
        }
        listeners.push(Listening {
            name: entry.id.clone(),
            address,
            tls: entry.value.tls.is_some(),
        });
    }
    Ok((sockets, listeners))
}

fn bind_admin(document: &Document) -> Result<(std::net::TcpListener, SocketAddr), StartError> {
    let address = document.admin.bind;
    let failed = |error| StartError::Bind {
        listener: "admin".into(),
        address,
        error,
    };
    let socket = std::net::TcpListener::bind(address).map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?;
    Ok((socket, address))
}

/// Serves until told to stop. Gives whether all requests ended in time.
fn run_core(
    core: Core,
    sockets: Sockets,
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
    let core = Arc::new(core);
    runtime.block_on(async {
        let mut accepting = tokio::task::JoinSet::new();
        for (name, settings, socket) in sockets {
            let listener = match TcpListener::from_std(socket) {
                Ok(listener) => listener,
                Err(error) => {
                    let _ = ready.send(Err(error));
                    return false;
                }
            };
            let stopped = stopped.clone();
            let accept = Accepting {
                name,
                settings,
                listener,
                stopped,
            };
            accepting.spawn(accept.run(core.clone()));
        }
        tokio::spawn(sweep(core.clone()));
        if core.index == 0 {
            tokio::spawn(check_forever(core));
        }
        let _ = ready.send(Ok(()));
        let mut drained = true;
        while let Some(ended) = accepting.join_next().await {
            drained &= ended.unwrap_or(false);
        }
        drained
    })
}

/// Closes connections to services that nobody needs any more.
async fn sweep(core: Arc<Core>) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let services = core.shared.services();
        core.pools
            .sweep(|target| services.iter().any(|service| service.has_target(target)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_while_a_document_is_read_is_a_problem_of_the_change_alone() {
        let problems = fenced::<()>(|| panic!("planted")).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert!(problems[0].message.contains("a fault of Lockgate itself"));
        assert_eq!(fenced(|| Ok(7)), Ok(7));
    }
}
