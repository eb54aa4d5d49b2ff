//! A node: one document served on all cores, replaced without a pause.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use lockgate_config::{Document, Listener, Problem, Source};
use lockgate_rollout::Command;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::admin;
use crate::core::{Core, Shared};
use crate::error::StartError;
use crate::faults;
use crate::listen::{Accepting, bind};
use crate::reload::{Applied, Options, Reloader, Reloading};
use crate::rollout::{Asked, NotBegun, Unfollowed};
use crate::state::State;
use crate::upstream::{Forbidden, check_forever};

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

/// The sockets of one core.
type Sockets = Vec<(Arc<str>, Listener, std::net::TcpListener)>;

impl Node {
    /// Compiles a document, binds its listeners and serves. Gives warnings beside the node.
    ///
    /// # Errors
    /// Problems of the document, an address that cannot be bound.
    pub fn start(source: Source) -> Result<(Self, Vec<Problem>), StartError> {
        Self::start_with(source, Options::default())
    }

    /// The same, with what is asked of the process and not of the document.
    ///
    /// # Errors
    /// Problems of the document when no generation can serve in its place, an address that cannot be bound, a state folder that
    /// cannot be used.
    pub fn start_with(
        source: Source,
        options: Options,
    ) -> Result<(Self, Vec<Problem>), StartError> {
        faults::count();
        let clock = options.clock.clone();
        let opened = Reloader::open(source, options)?;
        let (reloader, generation, mut warnings) = opened;
        let cores = reloader.cores();
        let (sockets, listeners) = bind_all(&generation.revision.document, cores)?;
        let (admin_socket, admin_address) = bind_admin(&generation.revision.document)?;
        let forbidden = Forbidden {
            admin: Some(admin_address),
        };
        let shared = Arc::new(Shared::new(generation, cores, forbidden, clock));
        reloader.block(&shared);
        let now = shared.clock.now();
        let named = |problem| reloader.named(problem);
        let (state, said) = State::open(
            &shared.generation().revision,
            reloader.state(),
            &shared.counters,
            now,
        )
        .map_err(|problem| StartError::Document(vec![named(problem)]))?;
        warnings.extend(said.into_iter().map(named));
        if let Some(recording) = &shared.generation().recording
            && let Err(error) = recording.begin(now, &shared.counters)
        {
            let message = format!("`recording`: what is used now cannot be written down: {error}");
            let problem = Problem::in_file("document", message)
                .help("name a folder that this user can write; replay then starts to count from nothing")
                .warning();
            warnings.push(named(problem));
        }
        let reloader = Arc::new(reloader);
        let (stop, stopped) = watch::channel(None);
        let mut threads = Vec::new();
        for (index, sockets) in sockets.into_iter().enumerate() {
            let core = Core::new(index, shared.clone());
            let stopped = stopped.clone();
            threads.push(spawn(&format!("{}{index}", faults::CORE), move |ready| {
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
        self.reloader.apply(&self.shared, Reloading::default())
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

    /// What the node did by itself since the last call, a sentence each.
    pub fn notices(&self) -> Vec<String> {
        self.reloader.notices()
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
        self.reloader.files()
    }

    /// Counts since the start, with the id of the revision that is served.
    pub fn stats(&self) -> Value {
        self.reloader.stats(&self.shared)
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
        let generations = self.shared.generations();
        self.shared.rollouts.close();
        let collectors = generations.iter().filter_map(|one| one.telemetry.as_ref());
        collectors.for_each(|telemetry| telemetry.end());
        let _ = self.stop_admin.send(true);
        let _ = self.admin_thread.join();
        if let Some(state) = &self.state {
            let _ = state.save(&self.shared.counters);
        }
        self.reloader.end();
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
