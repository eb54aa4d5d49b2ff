//! The file of one segment: made and locked, compressed into, and made durable under its sealed name.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use zstd::stream::write::Encoder;

use crate::segment_name::SegmentName;

const LEVEL: i32 = 1;

/// A file that counts its bytes.
pub(super) struct Counted {
    pub(super) file: File,
    pub(super) bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.file.write(data)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A segment that is written.
pub(super) struct OpenSegment {
    pub(super) encoder: Encoder<'static, Counted>,
    pub(super) name: SegmentName,
    /// Its bytes that were counted.
    pub(super) counted: u64,
}

impl OpenSegment {
    /// A segment in a file that has nothing in it yet.
    pub(super) fn new(file: File, name: SegmentName) -> io::Result<Self> {
        let mut encoder = Encoder::new(Counted { file, bytes: 0 }, LEVEL)?;
        encoder.include_checksum(true)?;
        Ok(Self {
            encoder,
            name,
            counted: 0,
        })
    }
}

/// Makes a file that nobody else has, and locks it: the lock says that this process lives.
pub(super) fn create_locked(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let taken = || io::Error::from(io::ErrorKind::AlreadyExists);
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(taken()),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // Between its creation and the lock, another process may have removed it as an empty leftover.
    match fs::metadata(path) {
        Ok(about) if about.ino() == file.metadata()?.ino() => Ok(file),
        _ => Err(taken()),
    }
}

/// Makes a finished file durable under its sealed name.
pub(super) fn publish(file: &File, directory: &Path, name: &SegmentName) -> io::Result<()> {
    file.sync_all()?;
    fs::rename(name.path(directory), name.as_sealed().path(directory))?;
    File::open(directory)?.sync_all()
}
