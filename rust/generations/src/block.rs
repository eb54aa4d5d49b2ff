//! What is refused, or slowed down, for a time.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The most blocks at a time, those that have ended left out.
pub const MAX_BLOCKS: usize = 10_000;

/// What is blocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blocks {
    /// An address or a network, in its canonical form.
    Source(String),
    /// An application with all that it identifies itself with.
    Application(String),
    /// The SHA-256 of an API key or a certificate, in lower-case digits.
    Credential(String),
}

/// One block. It ends by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// What.
    pub blocks: Blocks,
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Why, for those who look later.
    pub why: String,
    /// Who ordered it.
    pub who: String,
    /// How many calls a minute are still let through; none when it is refused altogether.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<u32>,
}

impl Block {
    /// Whether its time is not over.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.until
    }
}

/// Why a block is not kept.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// There are too many.
    #[error(
        "{MAX_BLOCKS} blocks are kept already; block networks in place of addresses, or remove some with `lockgate block remove`"
    )]
    TooMany,
    /// The disk says no.
    #[error("the disk does not take it: {0}")]
    Disk(#[from] std::io::Error),
}
