//! Services: which target is asked, and the connections to it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::uri::Authority;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use lockgate_config::{Balance, Document, Problem, Timeouts, Upstream};

use crate::body::AnyBody;

/// All services of a revision.
pub type Upstreams = HashMap<Arc<str>, Arc<Service>>;

/// Connections to services, kept for the next request.
pub type Pool = Client<HttpConnector, AnyBody>;

/// A service and how busy its targets are; shared by all cores.
#[derive(Debug)]
pub struct Service {
    targets: Vec<Arc<Target>>,
    balance: Balance,
    next: AtomicUsize,
    busy: Arc<AtomicUsize>,
    max_requests: usize,
    /// Its deadlines.
    pub timeouts: Timeouts,
}

/// One address of a service.
#[derive(Debug)]
pub struct Target {
    /// Host and port.
    pub authority: Authority,
    /// A path that is put before the request's; without `/` at its end.
    pub prefix: String,
    busy: AtomicUsize,
}

/// A target that was chosen; it counts as busy until this is dropped.
#[derive(Debug)]
pub struct Chosen {
    /// The target.
    pub target: Arc<Target>,
    service: Arc<AtomicUsize>,
}

impl Drop for Chosen {
    fn drop(&mut self) {
        self.target.busy.fetch_sub(1, Ordering::Relaxed);
        self.service.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Service {
    fn new(settings: &Upstream, problems: &mut Vec<Problem>) -> Self {
        let mut targets = Vec::new();
        for target in &*settings.targets {
            let rest = target.url.strip_prefix("http://").unwrap_or(&target.url);
            let (authority, prefix) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
            match authority.parse::<Authority>() {
                Ok(authority) => {
                    let prefix = prefix.trim_end_matches('/').to_owned();
                    targets.push(Arc::new(Target {
                        authority,
                        prefix,
                        busy: AtomicUsize::new(0),
                    }));
                }
                Err(_) => problems.push(
                    Problem::new(&target.span, format!("`{}` is not an address", target.url))
                        .help("write `http://host:port`"),
                ),
            }
        }
        Self {
            targets,
            balance: settings.balance,
            next: AtomicUsize::new(0),
            busy: Arc::default(),
            max_requests: settings.circuit.max_requests.get(),
            timeouts: settings.timeouts.clone(),
        }
    }

    /// Chooses a target: the next one, or the less busy of two. `None` when the service has as many requests as it may.
    pub fn choose(&self) -> Option<Chosen> {
        if self.busy.fetch_add(1, Ordering::Relaxed) >= self.max_requests {
            self.busy.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let at = |index: usize| self.targets.get(index % self.targets.len().max(1));
        let first = at(turn);
        let target = match self.balance {
            Balance::RoundRobin => first,
            // The second candidate moves through all distances, so that every pair meets.
            _ => first
                .into_iter()
                .chain(at(turn + 1 + turn / self.targets.len().max(1)))
                .min_by_key(|target| target.busy.load(Ordering::Relaxed)),
        };
        let Some(target) = target else {
            self.busy.fetch_sub(1, Ordering::Relaxed);
            return None;
        };
        target.busy.fetch_add(1, Ordering::Relaxed);
        Some(Chosen {
            target: target.clone(),
            service: self.busy.clone(),
        })
    }
}

/// The services of a document, with fresh counts: requests of the generation before are counted there until they end.
///
/// # Errors
/// Addresses that are none.
pub fn upstreams(document: &Document) -> Result<Upstreams, Vec<Problem>> {
    let mut problems = Vec::new();
    let services = document
        .upstreams
        .iter()
        .map(|entry| {
            (
                Arc::from(entry.id.as_str()),
                Arc::new(Service::new(&entry.value, &mut problems)),
            )
        })
        .collect();
    if problems.is_empty() {
        Ok(services)
    } else {
        Err(problems)
    }
}

/// The connections of one core to services with these deadlines.
pub fn client(timeouts: &Timeouts) -> Pool {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(timeouts.connect.get()));
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(timeouts.keep_alive.get())
        .pool_max_idle_per_host(256)
        .build(connector)
}

#[cfg(test)]
#[path = "upstream_tests.rs"]
mod tests;
