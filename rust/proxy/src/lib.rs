//! The data plane: listeners take requests, the engine decides, services answer.
//!
//! [`Node::start`] serves one document; [`Node::apply`] compiles it again and swaps it atomically, or keeps the old one.

mod access_log;
mod admin;
mod aggregate;
mod blocks;
mod body;
mod cache;
mod candidate;
mod client_address;
mod clock;
mod compile;
mod control;
mod core;
mod ending;
mod error;
mod facts;
mod faults;
mod finish;
mod forward;
mod freshness;
mod history;
mod hygiene;
mod key_sets;
mod listen;
mod members;
mod metrics;
mod models;
mod node;
mod record;
mod recording;
mod reload;
mod request;
mod request_id;
mod rollout;
mod service;
mod state;
mod taster;
mod telemetry;
mod timers;
mod tls;
mod trace;
mod upgrade;
mod upstream;

pub use clock::Clock;
pub use compile::{check, pack};
pub use error::StartError;
pub use history::Bake;
pub use key_sets::fetch_key_sets;
pub use members::{
    Wanted as WantedBlock, block_on_disk, blocks_on_disk, publish_on_disk, revoke_on_disk,
    unblock_on_disk,
};
pub use node::{Listening, Node};
pub use reload::{Applied, Options};
pub use rollout::{Asked, NotBegun, Unfollowed};
pub use taster::{Tasted, Taster, taste};
