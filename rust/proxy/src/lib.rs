//! The data plane: listeners take requests, the engine decides, services answer.
//!
//! [`Node::start`] serves one document; [`Node::apply`] compiles it again and swaps it atomically, or keeps the old one.

mod body;
mod client_address;
mod forward;
mod hygiene;
mod node;
mod request;
mod service;
mod stats;
mod unserved;
mod upstream;

pub use node::{Applied, Node, StartError};
