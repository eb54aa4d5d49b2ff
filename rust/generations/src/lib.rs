//! What a node serves, kept so that it survives anything.
//!
//! A [`Bundle`] is one revision as one file: the canonical document, the files that it refers to, the id of the revision, a generation
//! number and, when a publisher signed it, an Ed25519 signature. A [`Store`] keeps on disk what the node serves, what it last
//! proved good, and what it served before. Each file carries its checksum, is written beside and put in its place at once, and is
//! read with distrust: a bit that flipped costs one generation, never the node.
//!
//! Nothing here knows how a document is compiled, or opens a connection.

mod block;
mod bundle;
mod disk;
mod error;
mod journal;
mod listing;
mod members;
mod nack;
mod sealed;
mod signing;
mod starts;
mod store;
mod target;

pub use block::{Block, BlockError, Blocks, MAX_BLOCKS};
pub use bundle::{BUNDLE_VERSION, Bundle, MAX_BUNDLE_BYTES, is_bundle};
pub use disk::{Disk, RealDisk, write_whole};
pub use error::StoreError;
pub use journal::{Kept, Refused, Stage};
pub use listing::Listing;
pub use members::{Members, Revocation, Revokes};
pub use nack::Nack;
pub use sealed::{seal, unseal};
pub use signing::{KeyError, PublicKey, SigningKey};
pub use starts::{MAX_STARTS, START_WINDOW_SECONDS};
pub use store::{Opened, Store};
pub use target::Target;
