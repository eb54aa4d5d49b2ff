//! Why a node does not start.

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
    #[error("the listener `{listener}` cannot bind {address}: {error}")]
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
