//! The directory of segments: what dead processes left is sealed, and the oldest goes while there is too much.

use std::fs::{self, OpenOptions, TryLockError};
use std::io;
use std::path::PathBuf;

use crate::segment_name::{SegmentName, list};

use super::SegmentWriter;
use super::file::publish;

impl SegmentWriter {
    /// Seals a segment whose writer has died; an empty one is removed.
    pub(super) fn seal_leftover(&mut self, name: &SegmentName) {
        let path = name.path(&self.directory);
        let sealed = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .and_then(|file| {
                match file.try_lock() {
                    // Its writer lives.
                    Err(TryLockError::WouldBlock) => return Ok(false),
                    Err(TryLockError::Error(error)) => return Err(error),
                    Ok(()) => {}
                }
                if file.metadata()?.len() == 0 {
                    return fs::remove_file(&path).map(|()| false);
                }
                publish(&file, &self.directory, name).map(|()| true)
            });
        match sealed {
            Ok(sealed) => self.stats.sealed += u64::from(sealed),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => self.stats.errors += 1,
        }
    }

    /// Deletes the oldest sealed segments while all together have too many bytes.
    pub(super) fn delete_oldest(&mut self) {
        let Ok(known) = list(&self.directory) else {
            return;
        };
        let sealed: Vec<(PathBuf, u64)> = known
            .iter()
            .filter(|name| name.sealed)
            .map(|name| name.path(&self.directory))
            .filter_map(|path| fs::metadata(&path).ok().map(|about| (path, about.len())))
            .collect();
        let mut total: u64 = sealed.iter().map(|(_, bytes)| bytes).sum();
        for (path, bytes) in sealed.iter().take(sealed.len().saturating_sub(1)) {
            if total <= self.options.keep_bytes {
                break;
            }
            match fs::remove_file(path) {
                Ok(()) => self.stats.deleted += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => {
                    self.stats.errors += 1;
                    continue;
                }
            }
            total -= bytes;
        }
    }
}
