//! The key under which a recording's credentials are hashed.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// The file of the key, beside the segments.
pub const KEY_FILE: &str = "redaction.key";

/// Reads the key of a recording: of the folder itself, or of the folder that a segment lies in.
///
/// # Errors
/// The file is not there, is too short, or can be read by others.
pub fn read_key(recording: &Path) -> io::Result<[u8; 32]> {
    let folder = if recording.is_dir() {
        recording
    } else {
        recording.parent().unwrap_or(recording)
    };
    let mut file = File::open(folder.join(KEY_FILE))?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        return Err(io::Error::other(
            "others can read it; run `chmod 600` on it",
        ));
    }
    let mut key = [0; 32];
    file.read_exact(&mut key)?;
    Ok(key)
}
