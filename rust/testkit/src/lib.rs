//! What tests put around a gateway: services that answer as they are told, certificates, plain HTTP/1.1 messages.
//!
//! Everything listens on loopback and on a free port, and ends with the test. What cannot go on panics: a test has failed then.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "for tests"
)]

mod certificates;
mod echo;
mod message;
mod service;

pub use certificates::{Authority, Issued};
pub use echo::Echo;
pub use message::{Message, read_head_only, read_message};
pub use service::{Answer, Service};
