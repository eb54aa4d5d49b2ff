//! Files that a document names, read to a bound.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Error, ErrorKind, Read as _, Result};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::canonical::sha256_hex;

/// The files that a document consists of and refers to, noted as they are read. Clones note into one list, which holds them also
/// when reading broke off: what is wrong may be mended in any of them.
#[derive(Debug, Clone, Default)]
pub struct Files(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    paths: Vec<PathBuf>,
    contents: BTreeMap<String, String>,
}

impl Files {
    /// Notes a file of which only the name counts, such as one with a secret.
    pub fn note(&self, path: PathBuf) {
        let mut noted = self.noted();
        if !noted.paths.contains(&path) {
            noted.paths.push(path);
        }
    }

    /// Reads a file of at most `most` bytes whose content is part of what the document says; `name` is what the document calls it.
    ///
    /// # Errors
    /// The file cannot be read, is none, or is larger.
    pub fn read(&self, base: &Path, name: &str, most: u64) -> Result<Vec<u8>> {
        let path = base.join(name);
        self.note(path.clone());
        let bytes = read_file(&path, most)?;
        let digest = sha256_hex(&bytes);
        self.noted().contents.insert(name.to_owned(), digest);
        Ok(bytes)
    }

    /// All files that were noted.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.noted().paths.clone()
    }

    /// The files whose content counts, by the name that the document has for them, with their SHA-256.
    pub fn contents(&self) -> BTreeMap<String, String> {
        self.noted().contents.clone()
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::RevisionId;

    #[test]
    fn another_content_of_a_file_is_another_revision_and_a_name_alone_is_none() {
        let (files, copy) = (Files::default(), Files::default());
        let document = || RevisionId::of("{}");
        assert_eq!(document().with_files(&files.contents()), document());
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        files.note(manifest.join("a"));
        assert_eq!(document().with_files(&files.contents()), document());
        assert!(files.read(manifest, "no/such/file", 9).is_err());
        files.clone().read(manifest, "Cargo.toml", 1 << 20).unwrap();
        let names = ["a", "no/such/file", "Cargo.toml"].map(|name| manifest.join(name));
        assert_eq!(
            files.paths(),
            names,
            "those that cannot be read are noted too"
        );
        let whole = document().with_files(&files.contents());
        assert_ne!(whole, document());
        copy.read(&manifest.join("src"), "../Cargo.toml", 1 << 20)
            .unwrap();
        assert_ne!(
            document().with_files(&copy.contents()),
            whole,
            "another name"
        );
    }

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
