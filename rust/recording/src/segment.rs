//! Writes events to compressed segments and keeps their directory within its size.

mod error;
mod file;
mod options;
mod upkeep;

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::event::Event;
use crate::line;
use crate::read::MAX_LINE_BYTES;
use crate::segment_name::{SegmentName, list};

pub use error::SegmentError;
pub use options::{SegmentOptions, SegmentStats};

use file::{OpenSegment, create_locked, publish};

/// The most bytes of lines that wait in memory while the disk takes none.
const MAX_PENDING_BYTES: usize = 1 << 20;
/// How many bytes of lines are handed to the compressor at once.
const BATCH_BYTES: usize = 64 << 10;
/// How long an event may wait before it is written out, in microseconds.
const FLUSH_EVERY_US: u64 = 1_000_000;

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
            .map_err(|source| SegmentError::directory(directory, source))?;
        let known = list(directory).map_err(|source| SegmentError::directory(directory, source))?;
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
                    return OpenSegment::new(file, name)
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
}

/// Whether `every` has passed since `since`; a clock that was set back makes everything due.
fn is_due(since: u64, every: u64, now: u64) -> bool {
    now < since || now - since >= every
}

#[cfg(test)]
#[path = "segment_tests.rs"]
mod tests;
