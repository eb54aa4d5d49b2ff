//! The configuration contract of Lockgate.
//!
//! A gateway is described by one document: YAML 1.2 or JSON (which YAML contains), possibly split over several files by
//! `include`. This crate turns its text into a typed [`Document`], or into a list of [`Problem`]s that each say what was wrong,
//! where (file, line, column), what was expected and the nearest valid name. It also gives the canonical form of a document and
//! its SHA-256 id.
//!
//! Nothing here opens a network connection, reads a secret or writes a file: a check cannot be turned into an attack.
//!
//! ```
//! let source = lockgate_config::Source::text("gateway.yaml", "lockgate: 1\nlistners: {}\n");
//! let problems = lockgate_config::load(&source).err().unwrap_or_default();
//! assert_eq!(problems[0].to_string(), "gateway.yaml:2:1: unknown field `listners`; did you mean `listeners`?");
//! ```

mod base;
mod canonical;
mod decode;
mod directory;
mod document;
mod file;
mod id;
mod load;
mod node;
mod problem;
mod quantity;
mod secret;
mod yaml;

pub use base::{Base, Carried, Files, MAX_CERTIFICATES_BYTES, MAX_FILES_BYTES};
pub use canonical::{RevisionId, canonical_json, sha256_hex};
pub use decode::{AnyText, Each, Entries, Entry, Raw, Spanned, decode, decode_with_empty};
pub use directory::{DirectoryChange, DirectoryDocument, load_directory, read_applications};
pub use document::*;
pub use file::read_file;
pub use load::{Loaded, Source, load, load_document};
pub use node::{Key, Node, Span, Value};
pub use problem::{Problem, Severity, nearest, one_line};
pub use quantity::{ByteSize, Duration, Money, Percent};
pub use secret::{Secret, SecretError};
pub use yaml::parse;

/// The newest document version that this build reads (`lockgate: 1`).
pub const DOCUMENT_VERSION: u64 = 1;
/// The largest document, in bytes over all its files, that the check and the node accept.
pub const MAX_DOCUMENT_BYTES: usize = 64 * 1024 * 1024;
/// The largest number of routes in one document.
pub const MAX_ROUTES: usize = 20_000;
