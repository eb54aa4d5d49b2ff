//! Policy tests: files of requests with what is expected of them, run through the engine that serves traffic.
//!
//! ```yaml
//! gateway: gateway.yaml                 # a file beside this one, or the document itself as a text of several lines
//! cases:
//!   - name: the third call within a minute is refused
//!     at: 2027-01-15T08:00:00Z          # the clock; now by default
//!     steps:                            # one after the other, with one set of counters
//!       - { times: 2, request: { url: /orders/7, application: shop }, expect: { decision: forward } }
//!       - after: 50s
//!         request: { method: GET, url: /orders/7, application: shop }
//!         expect: { decision: refuse, code: rate_limit.exceeded, status: 429, headers: { Retry-After: "10" } }
//! ```
//!
//! | field of a step | what it says |
//! |---|---|
//! | `after` | how far the clock moves before it |
//! | `request` | `method`, `url`, `headers`, `body` or `json`, `client`, `application` (the runner sends a key of that application) |
//! | `certificate` | the client certificate: `sha256`, `names` |
//! | `facts` | what issuers and authorization servers answer, in the order in which they are asked; `unavailable` for no answer. Each must be asked for |
//! | `answer` | what the service answers: `status`, `headers`, `body` or `json` |
//! | `in_flight` | for how many further steps the request is not answered yet |
//! | `times` | how often it is sent, one after the other |
//! | `expect` | `decision`, and as much of the rest as the case is about |
//!
//! A case with one step writes its fields beside `name`. Files are read by [`Suite::read`] and run by [`Suite::run`]; a
//! [`Report`] does both for many files.

mod application;
mod bench;
mod came;
mod coverage;
mod expect;
mod file;
mod report;
mod run;
mod suite;

pub use application::credential;
pub use bench::Bench;
pub use came::{Came, CameForwarded, CameVerdict};
pub use coverage::{Coverage, PolicyCoverage, RouteCoverage};
pub use expect::{Decision, Difference, Expect, ExpectForwarded};
pub use report::{FileReport, Report, case_files};
pub use run::{CaseReport, Failure};
pub use suite::{Case, Gateway, Step, Suite};

/// The largest case file, in bytes.
pub const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;
/// The most requests of one file, repeated ones included.
pub const MAX_REQUESTS: usize = 100_000;
/// The most files of one run.
pub const MAX_FILES: usize = 10_000;
