//! The few things that a store asks of a disk, each a step at which it may die.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Result, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// A disk. Tests put one in its place that fails at a step of their choice.
pub trait Disk: std::fmt::Debug + Send + Sync {
    /// Makes a folder that only its owner may enter, with those above it.
    ///
    /// # Errors
    /// What the disk said.
    fn make_folder(&self, path: &Path) -> Result<()>;
    /// Reads a file of at most `most` bytes.
    ///
    /// # Errors
    /// What the disk said.
    fn read(&self, path: &Path, most: u64) -> Result<Vec<u8>>;
    /// The names in a folder.
    ///
    /// # Errors
    /// What the disk said.
    fn list(&self, folder: &Path) -> Result<Vec<String>>;
    /// Writes a file that only its owner may read.
    ///
    /// # Errors
    /// What the disk said.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<()>;
    /// Waits until a file, or the names in a folder, would survive a loss of power.
    ///
    /// # Errors
    /// What the disk said.
    fn flush(&self, path: &Path) -> Result<()>;
    /// Puts a file in the place of another.
    ///
    /// # Errors
    /// What the disk said.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;
    /// Removes a file; one that is not there is removed already.
    ///
    /// # Errors
    /// What the disk said.
    fn remove(&self, path: &Path) -> Result<()>;
}

/// Writes a file so that at all times it is what it was, or what it shall be.
///
/// # Errors
/// What the disk said; the file is then what it was.
pub fn write_whole(disk: &dyn Disk, folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let beside = folder.join(format!("{name}.new"));
    let written = disk
        .write(&beside, bytes)
        .and_then(|()| disk.flush(&beside))
        .and_then(|()| disk.rename(&beside, &folder.join(name)));
    if let Err(error) = written {
        // A disk that is full must not stay full of this.
        let _ = disk.remove(&beside);
        return Err(error);
    }
    disk.flush(folder)
}

/// The disk of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn make_folder(&self, path: &Path) -> Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
    }

    fn read(&self, path: &Path, most: u64) -> Result<Vec<u8>> {
        lockgate_config::read_file(path, most)
    }

    fn list(&self, folder: &Path) -> Result<Vec<String>> {
        fs::read_dir(folder)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(bytes)
    }

    fn flush(&self, path: &Path) -> Result<()> {
        File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
