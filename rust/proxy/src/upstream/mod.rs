//! Services: which target is asked, and how it has fared.

mod answered;
mod balance;
mod circuit;
mod connect;
mod health;
mod link;
mod retry;
mod tls;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http::HeaderValue;
use http::uri::{Authority, Scheme, Uri};
use lockgate_config::{Document, HostHeader, HttpVersion, Problem, Timeouts, Upstream};
use lockgate_policy::Secrets;

pub use answered::Answered;
use balance::Balancer;
pub use balance::HashBy;
pub use circuit::Breaker;
use circuit::Settings as CircuitSettings;
pub use connect::{ConnectError, Forbidden, connect};
pub use health::check_forever;
use health::{Check, Health};
pub use link::{Lease, Pools, SendError};
pub use retry::{Retries, Retryable, is_idempotent, pause};
pub use tls::public_tls;

use crate::clock::since_start;

/// All services of a revision, by names of its document.
pub type Upstreams = HashMap<Arc<str>, Arc<Service>, foldhash::fast::RandomState>;

/// A service and how it has fared; shared by all cores.
#[derive(Debug)]
pub struct Service {
    /// Its name in the document.
    pub name: Arc<str>,
    targets: Vec<Arc<Target>>,
    balancer: Balancer,
    max_requests: usize,
    max_connections: usize,
    circuit: Option<CircuitSettings>,
    check: Option<Check>,
    /// When it is asked again.
    pub retries: Option<Retries>,
    /// Its deadlines.
    pub timeouts: Timeouts,
    /// Which `Host` it sees.
    pub host: HostHeader,
    protocol: HttpVersion,
    tls: Option<Arc<rustls::ClientConfig>>,
    server_name: Option<String>,
    state: Arc<ServiceState>,
}

/// What outlives a revision: requests and failures are counted on when the document changes.
#[derive(Debug, Default)]
struct ServiceState {
    turn: AtomicUsize,
    busy: AtomicUsize,
    connections: AtomicUsize,
    breaker: Breaker,
    budget: retry::Budget,
}

/// One address of a service.
#[derive(Debug)]
pub struct Target {
    /// Host and port.
    pub authority: Authority,
    /// The same as text.
    pub address: Arc<str>,
    /// The same as the value of `Host`.
    pub host: HeaderValue,
    /// A path that is put before the request's; without `/` at its end.
    pub prefix: String,
    /// Whether it is spoken to over TLS.
    pub tls: bool,
    weight: u32,
    near: bool,
    state: Arc<TargetState>,
}

/// How a target has fared; it outlives revisions.
#[derive(Debug)]
struct TargetState {
    /// What it was made from: another address, protocol or TLS is another target.
    made_from: String,
    id: u64,
    busy: AtomicUsize,
    health: Health,
    latency: balance::Latency,
}

/// A target that was chosen; it counts as busy until this is dropped.
#[derive(Debug)]
pub struct Chosen {
    service: Arc<Service>,
    /// The target.
    pub target: Arc<Target>,
    /// Its place among the targets of the service.
    pub place: usize,
    /// Whether this request tries a service whose circuit is open.
    probe: bool,
    reported: bool,
}

/// How a try ended, for the health of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fared {
    /// It answered.
    Well,
    /// It did not answer, or said that it cannot (502, 503, 504).
    Badly,
}

impl Chosen {
    /// Says how the try ended, and how long the head of the answer took.
    pub fn report(&mut self, fared: Fared, took: Duration) {
        self.reported = true;
        let now = since_start();
        let failed = fared == Fared::Badly;
        self.target.state.health.observe(failed, now);
        if !failed {
            self.target.state.latency.observe(took, now);
        }
        if let Some(settings) = &self.service.circuit {
            let breaker = &self.service.state.breaker;
            breaker.record(settings, self.probe, failed, now);
        }
    }
}

impl Drop for Chosen {
    fn drop(&mut self) {
        self.target.state.busy.fetch_sub(1, Ordering::Relaxed);
        self.service.state.busy.fetch_sub(1, Ordering::Relaxed);
        if self.probe && !self.reported {
            self.service.state.breaker.abandon_probe();
        }
    }
}

/// Why no target was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotChosen {
    /// The service has as many requests as it may.
    Busy,
    /// The service failed too often, and is left alone for so long.
    Open(Duration),
}

/// What a build of services needs to know.
#[derive(Clone, Copy)]
pub struct Building<'a> {
    /// The document.
    pub document: &'a Document,
    /// The folder that files are relative to.
    pub base: &'a lockgate_config::Base,
    /// Whether secrets may be read.
    pub secrets: Secrets,
    /// The services that serve now.
    pub previous: Option<&'a Upstreams>,
}

impl Service {
    /// The service of these settings; what is wrong with them is added to `problems`.
    pub fn new(
        name: &str,
        settings: &Upstream,
        building: &Building<'_>,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let previous = building.previous.and_then(|all| all.get(name));
        let tls = tls::client_config(name, settings, building)
            .map_err(|problem| problems.push(*problem))
            .ok()
            .flatten();
        let how = serde_json::to_string(&(&settings.tls, settings.http)).unwrap_or_default();
        let zone = building.document.node.zone.as_deref();
        let mut targets = Vec::new();
        for target in &*settings.targets {
            let Some((authority, prefix, tls)) = read_url(&target.url) else {
                problems.push(
                    Problem::new(&target.span, format!("`{}` is not an address", target.url))
                        .help("write `http://host:port` or `https://host:port`"),
                );
                continue;
            };
            if connect::is_metadata(authority.host()) {
                problems.push(
                    Problem::new(
                        &target.span,
                        format!("`{}` is a link-local address", target.url),
                    )
                    .help("credentials of the machine are served there; no route may lead to it"),
                );
            }
            let made_from = format!("{} {how}", target.url);
            let known = previous.and_then(|service| service.state_of(&made_from));
            let state =
                known.unwrap_or_else(|| Arc::new(TargetState::new(made_from, previous.is_some())));
            targets.push(Arc::new(Target {
                address: Arc::from(authority.as_str()),
                // An authority always makes a value: it is visible ASCII.
                host: HeaderValue::from_str(authority.as_str())
                    .unwrap_or(const { HeaderValue::from_static("") }),
                authority,
                prefix,
                tls,
                weight: target.weight.get(),
                near: zone.is_some() && target.zone.as_deref() == zone,
                state,
            }));
        }
        let balancer = Balancer::new(settings)
            .map_err(|problem| problems.push(problem))
            .ok();
        Self {
            name: Arc::from(name),
            targets,
            balancer: balancer.unwrap_or_default(),
            max_requests: settings.circuit.max_requests.get(),
            max_connections: settings.circuit.max_connections.get(),
            circuit: CircuitSettings::new(&settings.circuit),
            check: settings.health.as_ref().map(Check::new),
            retries: settings.retries.as_ref().map(Retries::new),
            timeouts: settings.timeouts.clone(),
            host: settings.host,
            protocol: settings.http,
            server_name: settings
                .tls
                .as_ref()
                .and_then(|tls| tls.server_name.clone()),
            tls,
            state: previous.map_or_else(Arc::default, |service| service.state.clone()),
        }
    }

    fn state_of(&self, made_from: &str) -> Option<Arc<TargetState>> {
        let known = self
            .targets
            .iter()
            .find(|target| target.state.made_from == made_from)?;
        Some(known.state.clone())
    }

    /// Chooses a target that is not among `tried`, as long as there is another.
    ///
    /// # Errors
    /// Why the service is not asked.
    pub fn choose(
        self: &Arc<Self>,
        key: Option<u64>,
        tried: &[usize],
    ) -> Result<Chosen, NotChosen> {
        let now = since_start();
        let probe = match &self.circuit {
            None => false,
            Some(_) => self.state.breaker.admit(now).map_err(NotChosen::Open)?,
        };
        let give_back_probe = |refused| {
            if probe {
                self.state.breaker.abandon_probe();
            }
            refused
        };
        if self.state.busy.fetch_add(1, Ordering::Relaxed) >= self.max_requests {
            self.state.busy.fetch_sub(1, Ordering::Relaxed);
            return Err(give_back_probe(NotChosen::Busy));
        }
        let turn = self.state.turn.fetch_add(1, Ordering::Relaxed);
        let place = self.balancer.choose(&self.targets, turn, key, tried, now);
        let Some((place, target)) = place.and_then(|at| Some((at, self.targets.get(at)?))) else {
            self.state.busy.fetch_sub(1, Ordering::Relaxed);
            return Err(give_back_probe(NotChosen::Busy));
        };
        target.state.busy.fetch_add(1, Ordering::Relaxed);
        Ok(Chosen {
            service: self.clone(),
            target: target.clone(),
            place,
            probe,
            reported: false,
        })
    }

    /// Its first target.
    pub fn first(&self) -> Option<&Arc<Target>> {
        self.targets.first()
    }

    /// What requests are spread by, when `consistent_hash` is chosen.
    pub const fn hash_by(&self) -> Option<&HashBy> {
        self.balancer.hash_by()
    }

    /// Counts a request towards the retries that are allowed.
    pub fn deposit_retry(&self) {
        if let Some(retries) = &self.retries {
            self.state.budget.deposit(retries);
        }
    }

    /// Takes one retry out of the budget, when one is left.
    pub fn withdraw_retry(&self) -> bool {
        self.state.budget.withdraw()
    }

    /// Whether connections kept under this id lead to one of its targets.
    pub fn has_target(&self, id: u64) -> bool {
        self.targets.iter().any(|target| target.id() == id)
    }

    /// How each target is now.
    pub fn figures(&self) -> impl Iterator<Item = TargetFigures<'_>> {
        let now = since_start();
        self.targets.iter().map(move |target| TargetFigures {
            address: target.authority.as_str(),
            is_healthy: target.state.health.is_usable(now),
            in_flight: target.state.busy.load(Ordering::Relaxed),
        })
    }

    /// The connections to all its targets.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// Whether it is left alone because it failed too often; nothing when it never is.
    pub fn is_circuit_open(&self) -> Option<bool> {
        let breaker = &self.state.breaker;
        self.circuit
            .as_ref()
            .map(|_| breaker.is_open(since_start()))
    }

    /// The state of the service, for people.
    pub fn to_json(&self) -> serde_json::Value {
        let targets: Vec<serde_json::Value> = self
            .figures()
            .map(|target| {
                serde_json::json!({
                    "address": target.address,
                    "healthy": target.is_healthy,
                    "requests_in_flight": target.in_flight,
                })
            })
            .collect();
        serde_json::json!({
            "targets": targets,
            "requests_in_flight": self.state.busy.load(Ordering::Relaxed),
            "connections": self.connections(),
            "circuit_open": self.is_circuit_open().unwrap_or(false),
        })
    }
}

/// How a target is now.
#[derive(Debug, Clone, Copy)]
pub struct TargetFigures<'a> {
    /// Its address.
    pub address: &'a str,
    /// Whether it is used.
    pub is_healthy: bool,
    /// Requests that it has not answered to their end.
    pub in_flight: usize,
}

impl Target {
    /// What its connections are kept under.
    pub fn id(&self) -> u64 {
        self.state.id
    }
}

impl TargetState {
    /// A target that joins a service which already serves starts slowly.
    fn new(made_from: String, joins: bool) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            made_from,
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            busy: AtomicUsize::new(0),
            health: Health::new(joins),
            latency: balance::Latency::default(),
        }
    }
}

fn read_url(url: &str) -> Option<(Authority, String, bool)> {
    let uri: Uri = url.parse().ok()?;
    let tls = match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP => false,
        Some(scheme) if *scheme == Scheme::HTTPS => true,
        _ => return None,
    };
    let authority = uri.authority()?.clone();
    let has_port = authority.as_str().len() > authority.host().len();
    let is_port = authority.port_u16().is_some_and(|port| port != 0);
    if uri.query().is_some() || authority.as_str().contains('@') || (has_port && !is_port) {
        return None;
    }
    Some((authority, uri.path().trim_end_matches('/').to_owned(), tls))
}

/// The services of a document. What is known of targets that stay is kept.
///
/// # Errors
/// Addresses that are none, unreadable certificates.
pub fn upstreams(building: &Building<'_>) -> Result<Upstreams, Vec<Problem>> {
    let mut problems = Vec::new();
    let services = building
        .document
        .upstreams
        .iter()
        .map(|entry| {
            let service = Service::new(&entry.id, &entry.value, building, &mut problems);
            (service.name.clone(), Arc::new(service))
        })
        .collect();
    if problems.is_empty() {
        Ok(services)
    } else {
        Err(problems)
    }
}

#[cfg(test)]
mod tests;
