//! A file that knows whether it is whole: a line with what it is and its SHA-256, then the content.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

/// The largest content, in bytes. One constant for what is written and what is read.
pub const MAX_BYTES: usize = 64 << 20;
/// The longest first line.
const MAX_LINE: usize = 256;

fn line(what: &str, content: &[u8]) -> String {
    format!("{what} {:x}\n", Sha256::digest(content))
}

pub fn encode(what: &str, content: &[u8]) -> Vec<u8> {
    [line(what, content).as_bytes(), content].concat()
}

/// The content, if the file is whole and is what it should be: a copy of another under this name is not. An empty content never is.
pub fn decode(what: &str, mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let end = bytes
        .iter()
        .take(MAX_LINE)
        .position(|byte| *byte == b'\n')?;
    let content = bytes.split_off(end + 1);
    (!content.is_empty() && bytes == line(what, &content).as_bytes()).then_some(content)
}

/// Reads a file, but not more than one can be long.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = (MAX_BYTES + MAX_LINE + 1) as u64;
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}
