//! The kinds of the phase `limit`, from outside.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

#[path = "kinds_limits/quota.rs"]
mod quota;
mod support;
