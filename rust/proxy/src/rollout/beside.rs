//! Asking the other revision beside the one that serves: off the request path, within a budget, and never waited for.

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::uri::Authority;
use lockgate_policy::{Body, ClientCertificate, Facts, Noted, Timestamp};
use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};

use super::differences::Decided;
use crate::core::Generation;
use crate::request_id::RequestId;

/// Requests that wait.
const MOST: usize = 1_024;
/// Bytes of their bodies.
const MOST_BYTES: usize = 16 << 20;
/// How often the thread that asks looks whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// What a node may have saved up: a pause of traffic buys no burst.
const MOST_CREDIT: Duration = Duration::from_millis(200);

/// A request with the decision that was made about it.
#[derive(Debug)]
pub struct Job {
    /// Its id.
    pub id: RequestId,
    /// When it arrived.
    pub at: Timestamp,
    /// Its head.
    pub head: Arc<Parts>,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The host that it asked for.
    pub authority: Option<Authority>,
    /// Its canonical path, where that is not the one that was sent.
    pub path: Option<String>,
    /// Who sent it.
    pub client: std::net::IpAddr,
    /// The certificate of its connection.
    pub certificate: Option<ClientCertificate>,
    /// Its body, as far as it was read.
    pub body: Known,
    /// What was found out about it.
    pub facts: Facts,
    /// What was used before it.
    pub noted: Noted,
    /// The revision to ask.
    pub other: Arc<Generation>,
    /// Whether that is the candidate.
    pub is_candidate: bool,
    /// What the one that serves decided.
    pub served: Decided,
}

impl Job {
    /// The host without its port; empty when there is none.
    pub fn host(&self) -> &str {
        self.authority.as_ref().map_or("", Authority::host)
    }

    /// The canonical path.
    pub fn path(&self) -> &str {
        self.path.as_deref().unwrap_or_else(|| self.head.uri.path())
    }
}

/// What is known of a body.
#[derive(Debug)]
pub enum Known {
    /// There is none.
    Absent,
    /// It was not read.
    Unread(Option<u64>),
    /// It has more bytes than this.
    TooLarge(usize),
    /// All of it.
    Read(Bytes),
}

impl Known {
    const fn bytes(&self) -> usize {
        match self {
            Self::Read(bytes) => bytes.len(),
            Self::Absent | Self::Unread(_) | Self::TooLarge(_) => 0,
        }
    }

    /// As policies see it.
    pub fn view(&self) -> Body<'_> {
        match self {
            Self::Absent => Body::Absent,
            Self::Unread(size) => Body::Unread(*size),
            Self::TooLarge(than) => Body::TooLarge(*than),
            Self::Read(bytes) => Body::Read(bytes),
        }
    }
}

/// What asking may cost.
#[derive(Debug)]
pub struct Budget {
    /// Nanoseconds of processor time that are left.
    credit: AtomicI64,
    bytes: AtomicUsize,
    shed: AtomicU64,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            credit: AtomicI64::new(nanos(MOST_CREDIT)),
            bytes: AtomicUsize::new(0),
            shed: AtomicU64::new(0),
        }
    }
}

fn nanos(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

impl Budget {
    /// Adds to what may be spent.
    pub fn grant(&self, time: Duration) {
        let most = nanos(MOST_CREDIT);
        let raised = |credit: i64| Some(credit.saturating_add(nanos(time)).min(most));
        let _ = self
            .credit
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, raised);
    }

    /// Takes what was spent.
    pub fn spend(&self, time: Duration) {
        self.credit.fetch_sub(nanos(time), Ordering::Relaxed);
    }

    /// Whether anything is left.
    pub fn is_left(&self) -> bool {
        self.credit.load(Ordering::Relaxed) > 0
    }

    /// Counts a request that nobody is asked about.
    pub fn shed_one(&self) {
        self.shed.fetch_add(1, Ordering::Relaxed);
    }

    /// Requests so far that nobody was asked about.
    pub fn shed(&self) -> u64 {
        self.shed.load(Ordering::Relaxed)
    }
}

type Waiting = Mutex<Vec<Job>>;

/// The way of requests to whoever asks.
#[derive(Debug, Clone)]
pub struct Beside {
    waiting: Arc<Waiting>,
    /// What it may cost.
    pub budget: Arc<Budget>,
}

/// Where the requests come out; ends when nobody can send any more.
pub struct Jobs {
    waiting: Weak<Waiting>,
    budget: Arc<Budget>,
}

impl Beside {
    /// A way, and its end.
    pub fn new() -> (Self, Jobs) {
        let waiting = Arc::<Waiting>::default();
        let budget = Arc::<Budget>::default();
        let jobs = Jobs {
            waiting: Arc::downgrade(&waiting),
            budget: budget.clone(),
        };
        (Self { waiting, budget }, jobs)
    }

    /// Hands over a request, unless the budget is spent or too many wait. It is made only when there is room for it, and wakes
    /// nobody: that would cost more than all the rest.
    pub fn ask(&self, job: impl FnOnce() -> Job) {
        let budget = &self.budget;
        if !budget.is_left() || budget.bytes.load(Ordering::Relaxed) > MOST_BYTES {
            return budget.shed_one();
        }
        // Whoever asks gives way, with the lock in its hand if need be: nobody who serves waits for it.
        let has_room = |waiting: &Waiting| waiting.try_lock().is_some_and(|all| all.len() < MOST);
        if !has_room(&self.waiting) {
            return budget.shed_one();
        }
        let job = job();
        budget.bytes.fetch_add(job.body.bytes(), Ordering::Relaxed);
        match self.waiting.try_lock() {
            Some(mut waiting) => waiting.push(job),
            None => {
                budget.bytes.fetch_sub(job.body.bytes(), Ordering::Relaxed);
                budget.shed_one();
            }
        }
    }
}

impl Jobs {
    /// The requests that wait; waits for one, and gives nothing once nobody can send any more.
    pub fn next(&self) -> Option<Vec<Job>> {
        loop {
            let jobs = std::mem::take(&mut *self.waiting.upgrade()?.lock());
            if jobs.is_empty() {
                std::thread::sleep(LOOK_EVERY);
                continue;
            }
            for job in &jobs {
                let bytes = job.body.bytes();
                self.budget.bytes.fetch_sub(bytes, Ordering::Relaxed);
            }
            return Some(jobs);
        }
    }

    /// What asking may cost.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }
}

/// Processor time of this thread.
pub fn thread_time() -> Duration {
    time_of(ClockId::ThreadCPUTime)
}

/// Processor time of this process.
pub fn process_time() -> Duration {
    time_of(ClockId::ProcessCPUTime)
}

fn time_of(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_made_or_sent_once_the_budget_is_spent() {
        let (beside, _jobs) = Beside::new();
        beside.budget.spend(MOST_CREDIT);
        beside.ask(|| panic!("made without a budget"));
        assert_eq!(beside.budget.shed(), 1);
        beside.budget.grant(Duration::from_secs(9));
        assert_eq!(
            beside.budget.credit.load(Ordering::Relaxed),
            nanos(MOST_CREDIT)
        );
    }
}
