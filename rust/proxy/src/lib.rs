//! The data plane: listeners take requests, the engine decides, services answer.
//!
//! [`Node::start`] serves one document; [`Node::apply`] compiles it again and swaps it atomically, or keeps the old one.

mod access_log;
mod admin;
mod aggregate;
mod body;
mod cache;
mod client_address;
mod clock;
mod core;
mod facts;
mod finish;
mod forward;
mod hygiene;
mod listen;
mod metrics;
mod node;
mod record;
mod request;
mod rollout;
mod service;
mod state;
mod timers;
mod tls;
mod trace;
mod upgrade;
mod upstream;

pub use clock::Clock;
pub use node::{Applied, Listening, Node, StartError, check};
pub use rollout::{Asked, NotBegun, Unfollowed};
