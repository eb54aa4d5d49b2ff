//! Where the files that a document refers to come from: its folder, or a bundle that carries them.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::canonical::sha256_hex;
use crate::file::read_file;

/// Files by the name that the document gives them.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The most bytes of all files that one document refers to, for the check, the node and bundles alike.
pub const MAX_FILES_BYTES: usize = 64 * 1024 * 1024;

/// The largest file of certificates, for the node and a replay alike.
pub const MAX_CERTIFICATES_BYTES: u64 = 16 * 1024 * 1024;

/// What a bundle carries beside its document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carried {
    /// Files that policies are made from. Their content is part of what the revision says, and of its id.
    pub files: Files,
    /// Certificates. They are renewed without a change of policy.
    pub certificates: Files,
}

/// The folder that references start from, and the files that a bundle holds in its place. What is read is noted; clones note into
/// one list, which holds what was read also when reading broke off: what is wrong may be mended in any of it.
#[derive(Debug, Clone)]
pub struct Base {
    folder: PathBuf,
    bundle: Option<Arc<Carried>>,
    noted: Arc<Mutex<Noted>>,
}

#[derive(Debug, Default)]
struct Noted {
    paths: Vec<PathBuf>,
    read: Carried,
}

impl Base {
    /// Files of a folder.
    pub fn folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            bundle: None,
            noted: Arc::default(),
        }
    }

    /// Files of a bundle; secrets and what the node writes stay in the folder.
    #[must_use]
    pub fn with_bundle(self, carried: Carried) -> Self {
        Self {
            bundle: Some(Arc::new(carried)),
            ..self
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

    /// Whether a file or folder of the document's folder is not there. A bundle carries none but those that it is made from, so
    /// nothing is missing from it.
    pub fn lacks(&self, name: &str) -> bool {
        self.bundle.is_none() && !self.join(name).exists()
    }

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
    /// The file cannot be read, is none, is larger, or all files together are larger than [`MAX_FILES_BYTES`].
    pub fn read(&self, name: &str, most: u64) -> Result<Vec<u8>> {
        if let Some(bundle) = &self.bundle {
            return held(&bundle.files, name, most);
        }
        self.note(self.join(name));
        let bytes = read_file(&self.join(name), most)?;
        let mut noted = self.noted();
        noted.read.make_room(name, bytes.len())?;
        noted.read.files.insert(name.to_owned(), bytes.clone());
        Ok(bytes)
    }

    /// Reads certificates that are no part of the revision's id, such as the authorities of a listener.
    ///
    /// # Errors
    /// As [`Base::read`].
    pub fn read_certificates(&self, name: &str, most: u64) -> Result<Vec<u8>> {
        match &self.bundle {
            Some(bundle) => held(&bundle.certificates, name, most),
            None => self.read_with_secret(name, most),
        }
    }

    /// Reads a file that belongs to a secret, as a certificate does to its key: the one of the folder while there is one, so that
    /// going back to an older bundle does not put an older certificate before a newer key.
    ///
    /// # Errors
    /// As [`Base::read`].
    pub fn read_with_secret(&self, name: &str, most: u64) -> Result<Vec<u8>> {
        self.note(self.join(name));
        let read = read_file(&self.join(name), most);
        if let Some(bundle) = &self.bundle {
            return read.or_else(|_| held(&bundle.certificates, name, most));
        }
        let bytes = read?;
        let mut noted = self.noted();
        noted.read.make_room(name, bytes.len())?;
        let certificates = &mut noted.read.certificates;
        certificates.insert(name.to_owned(), bytes.clone());
        Ok(bytes)
    }

    /// All files that were noted.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.noted().paths.clone()
    }

    /// What was read so far, or what the bundle holds: what a bundle of the document must carry.
    pub fn carried(&self) -> Carried {
        match &self.bundle {
            Some(bundle) => Carried::clone(bundle),
            None => self.noted().read.clone(),
        }
    }

    /// The SHA-256 of each file whose content counts, by its name.
    pub fn digests(&self) -> BTreeMap<String, String> {
        match &self.bundle {
            Some(bundle) => bundle.digests(),
            None => self.noted().read.digests(),
        }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Carried {
    /// The SHA-256 of each file whose content counts, by its name.
    pub fn digests(&self) -> BTreeMap<String, String> {
        let files = self.files.iter();
        files
            .map(|(name, bytes)| (name.clone(), sha256_hex(bytes)))
            .collect()
    }

    fn make_room(&self, name: &str, bytes: usize) -> Result<()> {
        let others: usize = (self.files.iter().chain(&self.certificates))
            .filter(|(known, _)| *known != name)
            .map(|(_, bytes)| bytes.len())
            .sum();
        if others + bytes > MAX_FILES_BYTES {
            let message = format!("all files together are larger than {MAX_FILES_BYTES} bytes");
            return Err(Error::new(ErrorKind::FileTooLarge, message));
        }
        Ok(())
    }
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
    use crate::RevisionId;

    fn one(name: &str, content: &[u8]) -> Files {
        Files::from([(name.to_owned(), content.to_vec())])
    }

    #[test]
    fn a_folder_notes_what_is_read_and_a_bundle_gives_that_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.json"), "a").unwrap();
        std::fs::write(folder.path().join("b.json"), "b").unwrap();
        let base = Base::folder(folder.path());
        assert_eq!(base.read("a.json", 9).unwrap(), b"a");
        assert_eq!(base.carried().files, one("a.json", b"a"));
        let bundle = Base::folder(folder.path()).with_bundle(base.carried());
        assert_eq!(bundle.digests(), base.digests());
        std::fs::write(folder.path().join("a.json"), "later").unwrap();
        assert_eq!(bundle.read("a.json", 9).unwrap(), b"a");
        assert!(bundle.read("b.json", 9).is_err());
        assert!(bundle.read("a.json", 0).is_err());
    }

    #[test]
    fn a_certificate_follows_its_key_out_of_the_bundle() {
        let folder = tempfile::tempdir().unwrap();
        let carried = Carried {
            certificates: one("cert.pem", b"old"),
            ..Carried::default()
        };
        let bundle = Base::folder(folder.path()).with_bundle(carried);
        assert_eq!(bundle.read_with_secret("cert.pem", 9).unwrap(), b"old");
        std::fs::write(folder.path().join("cert.pem"), "renewed").unwrap();
        assert_eq!(bundle.read_with_secret("cert.pem", 9).unwrap(), b"renewed");
    }

    #[test]
    fn another_content_of_a_file_is_another_revision_and_a_name_or_a_certificate_is_none() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("keys.json"), "{}").unwrap();
        let base = Base::folder(folder.path());
        let id = |base: &Base| RevisionId::of("{}").with_files(&base.digests());
        base.note(folder.path().join("secret"));
        assert!(base.read("missing", 9).is_err());
        base.read_with_secret("keys.json", 9).unwrap();
        assert_eq!(id(&base), RevisionId::of("{}"));
        base.clone().read("keys.json", 9).unwrap();
        let names = ["secret", "missing", "keys.json"].map(|name| folder.path().join(name));
        assert_eq!(
            base.paths(),
            names,
            "those that cannot be read are noted too"
        );
        let whole = id(&base);
        assert_ne!(whole, RevisionId::of("{}"));
        let renamed = Base::folder(folder.path());
        renamed.read("./keys.json", 9).unwrap();
        assert_ne!(id(&renamed), whole, "another name");
        std::fs::write(folder.path().join("keys.json"), "[]").unwrap();
        let changed = Base::folder(folder.path());
        changed.read("keys.json", 9).unwrap();
        assert_ne!(id(&changed), whole, "another content");
    }
}
