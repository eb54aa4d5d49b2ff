//! Writes events to compressed segments and keeps their directory within its size.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use zstd::stream::write::Encoder;

use crate::event::Event;
use crate::line;
use crate::read::MAX_LINE_BYTES;
use crate::segment_name::{SegmentName, list};

/// The most bytes of lines that wait in memory while the disk takes none.
const MAX_PENDING_BYTES: usize = 1 << 20;
/// How many bytes of lines are handed to the compressor at once.
const BATCH_BYTES: usize = 64 << 10;
/// How long an event may wait before it is written out, in microseconds.
const FLUSH_EVERY_US: u64 = 1_000_000;
const LEVEL: i32 = 1;

/// Why a recording cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The directory does not exist and cannot be made, or cannot be read.
    #[error("recording directory `{}` cannot be used: {source}; name a directory that this user can write, or create it", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A segment cannot be created.
    #[error("segment `{}` cannot be created: {source}; make its directory writable for this user", path.display())]
    Create {
        /// The segment.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A segment cannot be written or sealed.
    #[error("segment `{}` cannot be written: {source}; free space on its disk or lower `keep_bytes`", path.display())]
    Write {
        /// The segment.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The thread that writes cannot be started.
    #[error(
        "the recording thread cannot be started: {source}; raise the limit of threads of this user"
    )]
    Thread {
        /// What the system said.
        source: io::Error,
    },
}

/// When segments end and how much is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentOptions {
    /// A segment is sealed when it has this many compressed bytes.
    pub rotate_bytes: u64,
    /// A segment is sealed when it is this old.
    pub rotate_every: Duration,
    /// Sealed segments are deleted, oldest first, while they have more bytes than this together. The newest one always stays,
    /// so the directory needs this and twice `rotate_bytes`.
    pub keep_bytes: u64,
}

impl Default for SegmentOptions {
    /// 64 MiB, one hour, 4 GiB.
    fn default() -> Self {
        Self {
            rotate_bytes: 64 << 20,
            rotate_every: Duration::from_secs(3600),
            keep_bytes: 4 << 30,
        }
    }
}

/// What a [`SegmentWriter`] has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SegmentStats {
    /// Events handed to the system.
    pub written: u64,
    /// Events lost because the disk did not take them.
    pub failed: u64,
    /// Compressed bytes written.
    pub bytes: u64,
    /// Segments sealed, those of dead processes included.
    pub sealed: u64,
    /// Segments deleted to stay within `keep_bytes`.
    pub deleted: u64,
    /// Attempts to write, seal or delete that failed.
    pub errors: u64,
}

/// A file that counts its bytes.
struct Counted {
    file: File,
    bytes: u64,
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

struct OpenSegment {
    encoder: Encoder<'static, Counted>,
    name: SegmentName,
    counted: u64,
}

/// Appends events to segments of one directory. Every method takes the time, in microseconds since the Unix epoch, so that its
/// behaviour depends on nothing else. A disk that fails costs events, which are counted, and never an error or a wait: the
/// writer tries again at least every second.
pub struct SegmentWriter {
    directory: PathBuf,
    options: SegmentOptions,
    open: Option<OpenSegment>,
    next_number: u64,
    // INVARIANT: holds whole lines only, of which the first `taken` bytes are in the compressor; a failed write keeps the rest
    // of a half-taken line, so that a line is never torn.
    pending: Vec<u8>,
    taken: usize,
    pending_events: u64,
    /// Events that the compressor has, but the system may not.
    unflushed_events: u64,
    flushed_at: u64,
    retry_at: Option<u64>,
    last_error: Option<SegmentError>,
    stats: SegmentStats,
}

impl std::fmt::Debug for SegmentWriter {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("SegmentWriter")
            .field("directory", &self.directory)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

impl SegmentWriter {
    /// Makes the directory (mode 0700) when it does not exist, proves that it can be written, seals what dead processes left
    /// behind, and deletes what is too much.
    ///
    /// # Errors
    /// [`SegmentError::Directory`] or [`SegmentError::Create`].
    pub fn open(directory: &Path, options: SegmentOptions, now: u64) -> Result<Self, SegmentError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|source| directory_error(directory, source))?;
        let known = list(directory).map_err(|source| directory_error(directory, source))?;
        let next_number = known
            .iter()
            .map(|name| name.number)
            .max()
            .map_or(0, |last| last.saturating_add(1));
        let mut writer = Self {
            directory: directory.to_owned(),
            options,
            open: None,
            next_number,
            pending: Vec::new(),
            taken: 0,
            pending_events: 0,
            unflushed_events: 0,
            flushed_at: now,
            retry_at: None,
            last_error: None,
            stats: SegmentStats::default(),
        };
        for name in known.into_iter().filter(|name| !name.sealed) {
            writer.seal_leftover(&name);
        }
        writer.delete_oldest();
        let probe = writer.create(now)?;
        // An empty segment says nothing; the first event opens another.
        let _ = fs::remove_file(probe.name.path(directory));
        Ok(writer)
    }

    /// What was done so far.
    #[must_use]
    pub fn stats(&self) -> SegmentStats {
        self.stats
    }

    /// What went wrong last, when the last attempt did.
    #[must_use]
    pub fn last_error(&self) -> Option<&SegmentError> {
        self.last_error.as_ref()
    }

    /// Appends an event. It is on disk after the next [`tick`](Self::tick) that is a second later, or when the segment is sealed.
    pub fn append(&mut self, event: &Event, now: u64) {
        if self.pending.len() - self.taken >= MAX_PENDING_BYTES || !self.encode(event) {
            self.stats.failed += 1;
            return;
        }
        self.pending_events += 1;
        if self.pending.len() - self.taken >= BATCH_BYTES {
            self.write_pending(now);
        }
    }

    /// Appends the line of an event to what waits; says whether it could. A line longer than readers accept loses its body.
    fn encode(&mut self, event: &Event) -> bool {
        let start = self.pending.len();
        let mut encoded = line::write(&mut self.pending, event).is_ok();
        if self.pending.len() - start > MAX_LINE_BYTES && event.body.is_some() {
            self.pending.truncate(start);
            let bare = Event {
                body: None,
                body_truncated: true,
                ..event.clone()
            };
            encoded = line::write(&mut self.pending, &bare).is_ok();
        }
        if !encoded || self.pending.len() - start > MAX_LINE_BYTES {
            self.pending.truncate(start);
            return false;
        }
        self.pending.push(b'\n');
        true
    }

    /// Does what is due: writes out what waits for a second, seals what is large or old enough. Call it several times a second.
    pub fn tick(&mut self, now: u64) {
        if is_due(self.flushed_at, FLUSH_EVERY_US, now) {
            self.flush(now);
        }
        let Some(open) = &self.open else { return };
        let every = u64::try_from(self.options.rotate_every.as_micros()).unwrap_or(u64::MAX);
        if open.encoder.get_ref().bytes >= self.options.rotate_bytes
            || is_due(open.name.start, every, now)
        {
            self.seal(now);
        }
    }

    /// Writes out everything and seals the segment, so that the next event opens another. Nothing is sealed while the disk
    /// takes nothing; what is then left is sealed by the next [`open`](Self::open).
    pub fn seal(&mut self, now: u64) {
        self.retry_at = None;
        if !self.flush(now) {
            return;
        }
        let Some(mut open) = self.open.take() else {
            return;
        };
        let part = open.name.path(&self.directory);
        let finished = open.encoder.do_finish();
        self.count_bytes(&mut open);
        match finished
            .and_then(|()| publish(&open.encoder.get_ref().file, &self.directory, &open.name))
        {
            Ok(()) => self.stats.sealed += 1,
            Err(source) => self.note(SegmentError::Write { path: part, source }, now),
        }
        self.delete_oldest();
    }

    /// Seals and gives up what the disk does not take, counted as failed.
    pub fn finish(mut self, now: u64) -> SegmentStats {
        self.seal(now);
        self.stats.failed += self.pending_events + self.unflushed_events;
        self.stats
    }

    /// Brings everything to the system; says whether nothing is left.
    fn flush(&mut self, now: u64) -> bool {
        self.flushed_at = now;
        if !self.write_pending(now) {
            return false;
        }
        if self.unflushed_events == 0 {
            return true;
        }
        let Some(open) = &mut self.open else {
            return true;
        };
        // The compressor ends its block here: a reader gets everything up to this point, whatever happens next.
        let flushed = open.encoder.flush();
        self.settle(flushed, now)
    }

    /// Hands what waits to the compressor; says whether it took all.
    fn write_pending(&mut self, now: u64) -> bool {
        if self.pending.is_empty() {
            return true;
        }
        if self
            .retry_at
            .is_some_and(|at| now < at && at - now <= FLUSH_EVERY_US)
        {
            return false;
        }
        if self.open.is_none() {
            match self.create(now) {
                Ok(open) => self.open = Some(open),
                Err(error) => {
                    self.note(error, now);
                    return false;
                }
            }
        }
        let Some(open) = &mut self.open else {
            return false;
        };
        let mut result = Ok(());
        while let Some(rest) = self
            .pending
            .get(self.taken..)
            .filter(|rest| !rest.is_empty())
        {
            match open.encoder.write(rest) {
                Ok(taken) => self.taken += taken,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        if result.is_err() {
            self.pending.drain(..self.taken);
            self.taken = 0;
            return self.settle(result, now);
        }
        self.pending.clear();
        self.taken = 0;
        self.unflushed_events += std::mem::take(&mut self.pending_events);
        true
    }

    /// Counts the outcome of an attempt to write.
    fn settle(&mut self, result: io::Result<()>, now: u64) -> bool {
        if let Some(mut open) = self.open.take() {
            self.count_bytes(&mut open);
            let path = open.name.path(&self.directory);
            self.open = Some(open);
            if let Err(source) = result {
                self.note(SegmentError::Write { path, source }, now);
                return false;
            }
        }
        self.stats.written += std::mem::take(&mut self.unflushed_events);
        self.last_error = None;
        self.retry_at = None;
        true
    }

    fn count_bytes(&mut self, open: &mut OpenSegment) {
        let bytes = open.encoder.get_ref().bytes;
        self.stats.bytes += bytes - open.counted;
        open.counted = bytes;
    }

    fn note(&mut self, error: SegmentError, now: u64) {
        self.stats.errors += 1;
        self.retry_at = Some(now.saturating_add(FLUSH_EVERY_US));
        self.last_error = Some(error);
    }

    /// Creates and locks the next segment; the lock says that this process lives.
    fn create(&mut self, now: u64) -> Result<OpenSegment, SegmentError> {
        let mut tries = 0;
        loop {
            let name = SegmentName {
                start: now,
                number: self.next_number,
                sealed: false,
            };
            self.next_number = self.next_number.saturating_add(1);
            tries += 1;
            match create_locked(&name.path(&self.directory)) {
                Ok(file) => {
                    let path = name.path(&self.directory);
                    return compress(file)
                        .map(|encoder| OpenSegment {
                            encoder,
                            name,
                            counted: 0,
                        })
                        .map_err(|source| SegmentError::Create { path, source });
                }
                // Another process took the name, or took the new file for a leftover.
                Err(error) if tries < 16 && error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => {
                    return Err(SegmentError::Create {
                        path: name.path(&self.directory),
                        source,
                    });
                }
            }
        }
    }

    fn seal_leftover(&mut self, name: &SegmentName) {
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

    fn delete_oldest(&mut self) {
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

fn directory_error(path: &Path, source: io::Error) -> SegmentError {
    SegmentError::Directory {
        path: path.to_owned(),
        source,
    }
}

/// Whether `every` has passed since `since`; a clock that was set back makes everything due.
fn is_due(since: u64, every: u64, now: u64) -> bool {
    now < since || now - since >= every
}

fn create_locked(path: &Path) -> io::Result<File> {
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

fn compress(file: File) -> io::Result<Encoder<'static, Counted>> {
    let mut encoder = Encoder::new(Counted { file, bytes: 0 }, LEVEL)?;
    encoder.include_checksum(true)?;
    Ok(encoder)
}

/// Makes a finished file durable under its sealed name.
fn publish(file: &File, directory: &Path, name: &SegmentName) -> io::Result<()> {
    file.sync_all()?;
    fs::rename(name.path(directory), name.as_sealed().path(directory))?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
#[path = "segment_tests.rs"]
mod tests;
