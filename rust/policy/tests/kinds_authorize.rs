//! The kinds of the phase `authorize`, from outside.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

#[path = "kinds_authorize/ip_filter.rs"]
mod ip_filter;
#[path = "kinds_authorize/require.rs"]
mod require;
mod support;
