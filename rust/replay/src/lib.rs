//! Replay: recorded traffic in its order, with the recorded clock and facts, through two revisions side by side.
//!
//! Nothing here opens a connection: what a policy must know beyond the request comes from the recording. A request whose
//! decision depends on what was not recorded is counted as not judged, with the policy and what it lacked, and never as
//! unchanged. Two replays of the same give the same report, byte for byte.
//!
//! The way of an event: a thread reads segments; [`InOrder`] puts events in the order in which they arrived; each becomes a
//! `Request`, which the two sides judge with counters of their own; what differs is counted in a [`Report`], which is compared
//! with an [`Expectation`] at the end.

mod authorities;
mod expectation;
mod held;
mod judge;
mod judgement;
mod order;
mod report;
mod request;
mod rules;
mod run;
mod spending;
mod tally;
mod timeline;
mod words;

pub use expectation::{Expectation, Known};
pub use order::InOrder;
pub use report::{
    Caller, Change, Clause, Disagreement, Group, Outcome, PolicyName, Recording, Report, RouteName,
    Said, Sample, Totals, Unexpected, Unjudged, Warming,
};
pub use run::{Progress, ReplayError, replay};
pub use timeline::{Bucket, Timeline};
