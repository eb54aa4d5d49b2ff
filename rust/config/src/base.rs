//! Where the files that a document refers to come from: its folder, or a bundle that carries them.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::file::read_file;

/// Files by the name that the document gives them.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The most bytes of all files that one document refers to, for the check, the node and bundles alike.
pub const MAX_FILES_BYTES: usize = 64 * 1024 * 1024;

/// The folder that references start from, and the files that a bundle holds in its place.
#[derive(Debug, Clone)]
pub struct Base {
    folder: PathBuf,
    files: From,
}

#[derive(Debug, Clone)]
enum From {
    /// Read from the folder, and noted: what a compilation has read is what a bundle must hold.
    Folder(Arc<Mutex<Files>>),
    /// Held by a bundle; the folder is not asked.
    Bundle(Arc<Files>),
}

impl Base {
    /// Files of a folder.
    pub fn folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            files: From::Folder(Arc::default()),
        }
    }

    /// Files of a bundle; secrets and what the node writes stay in `folder`.
    pub fn bundle(folder: impl Into<PathBuf>, files: Files) -> Self {
        Self {
            folder: folder.into(),
            files: From::Bundle(Arc::new(files)),
        }
    }

    /// The folder, for secrets.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// A place in the folder that the node writes to.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.join(name)
    }

    /// Reads a file of at most `most` bytes.
    ///
    /// # Errors
    /// The file cannot be read, is none, is larger, or all files together are larger than [`MAX_FILES_BYTES`].
    pub fn read(&self, name: &str, most: u64) -> Result<Vec<u8>> {
        match &self.files {
            From::Folder(noted) => {
                let bytes = read_file(&self.folder.join(name), most)?;
                note(
                    &mut noted.lock().unwrap_or_else(PoisonError::into_inner),
                    name,
                    &bytes,
                )?;
                Ok(bytes)
            }
            From::Bundle(files) => held(files, name, most),
        }
    }

    /// Reads a file that belongs to a secret, as a certificate does to its key: the one of the folder while there is one, so that
    /// going back to an older bundle does not put an older certificate before a newer key.
    ///
    /// # Errors
    /// As [`Base::read`].
    pub fn read_with_secret(&self, name: &str, most: u64) -> Result<Vec<u8>> {
        match &self.files {
            From::Folder(_) => self.read(name, most),
            From::Bundle(files) => {
                read_file(&self.folder.join(name), most).or_else(|_| held(files, name, most))
            }
        }
    }

    /// The files that were read so far, or that the bundle holds.
    pub fn files(&self) -> Files {
        match &self.files {
            From::Folder(noted) => noted.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            From::Bundle(files) => Files::clone(files),
        }
    }
}

fn note(noted: &mut Files, name: &str, bytes: &[u8]) -> Result<()> {
    let others: usize = noted
        .iter()
        .filter(|(known, _)| *known != name)
        .map(|(_, bytes)| bytes.len())
        .sum();
    if others + bytes.len() > MAX_FILES_BYTES {
        let message = format!("all files together are larger than {MAX_FILES_BYTES} bytes");
        return Err(Error::new(ErrorKind::FileTooLarge, message));
    }
    noted.insert(name.to_owned(), bytes.to_vec());
    Ok(())
}

fn held(files: &Files, name: &str, most: u64) -> Result<Vec<u8>> {
    let bytes = files
        .get(name)
        .ok_or_else(|| Error::new(ErrorKind::NotFound, "the bundle does not hold it"))?;
    if bytes.len() as u64 > most {
        let message = format!("it is larger than {most} bytes");
        return Err(Error::new(ErrorKind::FileTooLarge, message));
    }
    Ok(bytes.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_notes_what_is_read_and_a_bundle_gives_that_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.json"), "a").unwrap();
        std::fs::write(folder.path().join("b.json"), "b").unwrap();
        let base = Base::folder(folder.path());
        assert_eq!(base.read("a.json", 9).unwrap(), b"a");
        assert_eq!(
            base.files(),
            Files::from([("a.json".to_owned(), b"a".to_vec())])
        );
        let bundle = Base::bundle(folder.path(), base.files());
        std::fs::write(folder.path().join("a.json"), "later").unwrap();
        assert_eq!(bundle.read("a.json", 9).unwrap(), b"a");
        assert!(bundle.read("b.json", 9).is_err());
        assert!(bundle.read("a.json", 0).is_err());
    }

    #[test]
    fn a_certificate_follows_its_key_out_of_the_bundle() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::from([("cert.pem".to_owned(), b"old".to_vec())]);
        let bundle = Base::bundle(folder.path(), files);
        assert_eq!(bundle.read_with_secret("cert.pem", 9).unwrap(), b"old");
        std::fs::write(folder.path().join("cert.pem"), "renewed").unwrap();
        assert_eq!(bundle.read_with_secret("cert.pem", 9).unwrap(), b"renewed");
    }
}
