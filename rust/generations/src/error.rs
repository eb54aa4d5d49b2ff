use std::path::PathBuf;

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it.
    #[error("the state folder `{}` belongs to a node that runs", .0.display())]
    InUse(PathBuf),
    /// The disk says no.
    #[error("the state folder `{}` cannot be used: {error}", folder.display())]
    Disk {
        /// The folder.
        folder: PathBuf,
        /// What the disk said.
        error: std::io::Error,
    },
    /// Written by a later version.
    #[error(
        "the state folder was written by a newer Lockgate (version {0} of its journal); update this one"
    )]
    Newer(u64),
    /// Revocations were lost.
    #[error("{floor} {} served with and {found} are left on disk: serving without the others would revive what was revoked; restore `directory.a` or `directory.b` of the state folder, or begin a new state folder and revoke again", if *.floor == 1 { "revocation was" } else { "revocations were" })]
    BelowFloor {
        /// How many are left.
        found: u64,
        /// How many there were.
        floor: u64,
    },
    /// There is no such generation.
    #[error("there is no generation to go back to: {0}")]
    NoTarget(String),
    /// A generation on disk is not what was written.
    #[error("generation {generation} is damaged on disk: {why}")]
    Damaged {
        /// Its number.
        generation: u64,
        /// What is wrong.
        why: String,
    },
}
