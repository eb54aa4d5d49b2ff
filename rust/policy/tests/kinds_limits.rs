//! The kinds of the phase `limit`, from outside.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

#[path = "kinds_limits/quota.rs"]
mod quota;
#[path = "kinds_limits/rate_limit.rs"]
mod rate_limit;
mod support;
