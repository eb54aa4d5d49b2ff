//! Files that a document names, read to a bound.

use std::fs::{self, File};
use std::io::{Error, ErrorKind, Read as _, Result};
use std::path::Path;

/// Reads a file of at most `most` bytes.
///
/// A path may lead anywhere: to a pipe that nobody writes to, which would stop a reload for ever, or to a device without end. What is
/// no file is refused before it is opened; only under `/dev`, where shells put what they pass on (`<(…)`, `/dev/stdin`), it is read,
/// to the same bound.
///
/// # Errors
/// The file cannot be read, is none, or is larger.
pub fn read_file(path: &Path, most: u64) -> Result<Vec<u8>> {
    let about = fs::metadata(path)?;
    if about.is_dir() {
        return Err(Error::new(ErrorKind::IsADirectory, "it is a folder"));
    }
    if !about.is_file() && !path.starts_with("/dev") {
        return Err(Error::new(ErrorKind::InvalidInput, "it is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let message = format!("it is larger than {most} bytes");
        return Err(Error::new(ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_or_has_no_end_is_refused_and_nothing_waits() {
        let said =
            |path: &str, most| read_file(Path::new(path), most).map_err(|error| error.to_string());
        assert_eq!(said("/dev/null", 9), Ok(Vec::new()));
        assert_eq!(
            said("/dev/zero", 9),
            Err("it is larger than 9 bytes".to_owned())
        );
        assert_eq!(said("/", 9), Err("it is a folder".to_owned()));
        assert!(said("/no/such/file", 9).is_err());
    }
}
