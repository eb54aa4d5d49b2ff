//! Why a node does not start.

use std::io::ErrorKind;
use std::net::SocketAddr;

use lockgate_config::Problem;
use lockgate_generations::StoreError;

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The document has problems.
    #[error("the document has problems")]
    Document(Vec<Problem>),
    /// An address cannot be taken.
    #[error(
        "the listener `{listener}` cannot bind {address}: {error}{}",
        advice(error)
    )]
    Bind {
        /// The listener.
        listener: String,
        /// The address.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// The generations on disk cannot be used.
    #[error(transparent)]
    State(#[from] StoreError),
    /// A thread cannot be started.
    #[error("a thread of the node cannot start: {0}")]
    Thread(std::io::Error),
}

/// What a person does about an address that cannot be taken.
fn advice(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::AddrInUse => {
            "; stop the program that listens there, or write another address as its `bind`"
        }
        ErrorKind::AddrNotAvailable => "; write an address of this machine as its `bind`",
        ErrorKind::PermissionDenied => "; write a port from 1024 as its `bind`",
        _ => "",
    }
}
