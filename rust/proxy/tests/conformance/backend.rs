//! What stands around the node: the service that it forwards to, and the servers that facts come from.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use lockgate_testkit::{Answer, Message, Service};
use serde_json::Value;

const REQUEST_ID: &str = "x-lockgate-request-id";
const PATIENCE: Duration = Duration::from_secs(20);

/// Lets a request that waits at the service go.
pub type Release = mpsc::Sender<()>;

/// A service that answers as the step says, and remembers what it got by request id.
pub struct Backend {
    pub address: SocketAddr,
    plan: Arc<Mutex<Plan>>,
    waiting: mpsc::Receiver<Release>,
}

struct Plan {
    answer: Answer,
    hold: bool,
    seen: HashMap<String, Message>,
}

impl Backend {
    pub fn start() -> Self {
        let plan = Arc::new(Mutex::new(Plan {
            answer: Answer::ok(""),
            hold: false,
            seen: HashMap::new(),
        }));
        let (wait, waiting) = mpsc::channel();
        let shared = plan.clone();
        let service = Service::start(move |message| {
            let (answer, hold) = {
                let mut plan = shared.lock().unwrap();
                let hold = std::mem::take(&mut plan.hold);
                if let Some(id) = message.field(REQUEST_ID) {
                    plan.seen.insert(id, message);
                }
                (plan.answer.clone(), hold)
            };
            if hold {
                let (release, released) = mpsc::channel();
                wait.send(release).unwrap();
                // A test that has failed has dropped the other end.
                let _ = released.recv();
            }
            answer
        });
        Self {
            address: service.address,
            plan,
            waiting,
        }
    }

    /// The answer to the next request, and whether it is held back.
    pub fn next(&self, answer: Answer, hold: bool) {
        let mut plan = self.plan.lock().unwrap();
        (plan.answer, plan.hold) = (answer, hold);
    }

    /// Waits until the request that is held back has arrived.
    pub fn arrived(&self) -> Release {
        self.waiting
            .recv_timeout(PATIENCE)
            .expect("a request that is in flight reaches the service")
    }

    pub fn seen(&self, id: &str) -> Option<Message> {
        self.plan.lock().unwrap().seen.get(id).cloned()
    }
}

/// An issuer and an authorization server, which say what the step says.
pub struct FactServer {
    pub address: SocketAddr,
    next: Arc<Mutex<VecDeque<Value>>>,
}

impl FactServer {
    pub fn start() -> Self {
        let next = Arc::new(Mutex::new(VecDeque::<Value>::new()));
        let shared = next.clone();
        let service = Service::start(move |_| match shared.lock().unwrap().pop_front() {
            Some(fact) if fact != "unavailable" => Answer::ok(fact.to_string()),
            _ => Answer {
                status: 503,
                ..Answer::ok("")
            },
        });
        Self {
            address: service.address,
            next,
        }
    }

    pub fn next(&self, facts: &[Value]) {
        *self.next.lock().unwrap() = facts.iter().cloned().collect();
    }
}
