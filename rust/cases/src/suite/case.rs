//! Cases that can be run.

use std::time::Duration;

use lockgate_policy::{ExplainRequest, Timestamp};

use crate::expect::Expect;

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// The line of its name.
    pub line: u32,
    /// The clock at its start; `None` for now.
    pub at: Option<Timestamp>,
    /// Why it is not sent through a running gateway.
    pub live: Option<String>,
    /// Its requests, in order.
    pub steps: Vec<Step>,
}

/// One request of a case.
#[derive(Debug, Clone)]
pub struct Step {
    /// The line of its request.
    pub line: u32,
    /// How far the clock moves before it.
    pub after: Duration,
    /// For how many further steps it is not answered yet.
    pub in_flight: usize,
    /// The request, with the key of its application.
    pub request: ExplainRequest,
    /// What is expected.
    pub expect: Expect,
}
