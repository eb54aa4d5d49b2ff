//! Reads segments back.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use serde::Serialize;
use zstd::stream::read::Decoder;

use crate::event::Event;
use crate::filter::Filter;
use crate::segment_name::{SegmentName, list};

/// The longest line that is read.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// The largest window that a segment may ask the reader to hold, as a power of two: 8 MiB.
const MAX_WINDOW_LOG: u32 = 23;

/// Why a part of a recording cannot be read. The reader goes on behind it.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file or directory cannot be opened.
    #[error("recording `{}` cannot be read: {source}; name a segment or a directory of segments", path.display())]
    Open {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The rest of a file cannot be read.
    #[error("segment `{}` is damaged after line {line}: {source}; the rest of it is left out", path.display())]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// The last line that was read, from 1.
        line: u64,
        /// What is wrong.
        source: io::Error,
    },
    /// A line is longer than [`MAX_LINE_BYTES`].
    #[error("segment `{}`, line {line}: longer than 1 MiB; no gateway writes such a line", path.display())]
    TooLong {
        /// The segment.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
    },
    /// A line is no event.
    #[error("segment `{}`, line {line}: not an event: {source}", path.display())]
    NotAnEvent {
        /// The segment.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        source: serde_json::Error,
    },
}

/// What a reader left out without it being an error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ReadWarnings {
    /// Segments whose end is missing: they are being written, or their writer died.
    pub truncated: u64,
    /// Those of them that are sealed: nobody writes their end any more.
    pub lost_ends: u64,
    /// Segments that were deleted between listing and opening.
    pub vanished: u64,
}

impl ReadWarnings {
    fn cut(&mut self, path: &Path) {
        self.truncated += 1;
        self.lost_ends += u64::from(name_of(path).is_some_and(|name| name.sealed));
    }
}

/// A file whose bytes are counted as they are read.
struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl io::Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

type Lines = BufReader<Decoder<'static, BufReader<Counted>>>;

struct OpenFile {
    path: PathBuf,
    lines: Lines,
    line: u64,
}

/// The events of a segment, or of all segments of a directory in the order of their start; within a segment in the order
/// they were written. Memory is bounded by one line and one compression window. Segments that are not sealed are read as far
/// as they go.
pub struct Reader {
    files: VecDeque<PathBuf>,
    open: Option<OpenFile>,
    line: Vec<u8>,
    warnings: ReadWarnings,
    read: Arc<AtomicU64>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Reader")
            .field("files", &self.files)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

/// What came of reading a line.
enum Line {
    Whole,
    TooLong,
    /// The end of the file; the flag says whether a line was cut off by it.
    End(bool),
}

impl Reader {
    /// Reads one segment, or all segments of a directory.
    ///
    /// # Errors
    /// [`ReadError::Open`].
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        Self::choose(path, |_| true)
    }

    /// Reads one segment, or the sealed segments of a directory: what they hold does not change any more.
    ///
    /// # Errors
    /// [`ReadError::Open`].
    pub fn open_sealed(path: &Path) -> Result<Self, ReadError> {
        Self::choose(path, |name| name.sealed)
    }

    fn choose(path: &Path, wanted: impl Fn(&SegmentName) -> bool) -> Result<Self, ReadError> {
        let error = |source| ReadError::Open {
            path: path.to_owned(),
            source,
        };
        let files = if fs::metadata(path).map_err(error)?.is_dir() {
            let names = list(path).map_err(error)?;
            names
                .into_iter()
                .filter(wanted)
                .map(|name| name.path(path))
                .collect()
        } else {
            File::open(path).map_err(error)?;
            VecDeque::from([path.to_owned()])
        };
        Ok(Self {
            files,
            open: None,
            line: Vec::new(),
            warnings: ReadWarnings::default(),
            read: Arc::default(),
        })
    }

    /// How many bytes there are to read, as far as they are written.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let sizes = self.files.iter().filter_map(|path| fs::metadata(path).ok());
        sizes.map(|file| file.len()).sum()
    }

    /// The count of bytes that were read so far, for another thread to look at.
    #[must_use]
    pub fn position(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read)
    }

    /// What was left out so far.
    #[must_use]
    pub fn warnings(&self) -> ReadWarnings {
        self.warnings
    }

    /// The events that a filter wants, up to its limit; errors come through. Segments that were last written before
    /// `since` are not opened.
    pub fn filtered(mut self, filter: Filter) -> impl Iterator<Item = Result<Event, ReadError>> {
        if let Some(since) = filter.since {
            self.files
                .retain(|path| last_written(path).is_none_or(|at| at >= since));
        }
        let mut left = filter.limit.unwrap_or(u64::MAX);
        std::iter::from_fn(move || {
            if left == 0 {
                return None;
            }
            let found =
                self.find(|item| item.as_ref().map_or(true, |event| filter.matches(event)))?;
            left -= u64::from(found.is_ok());
            Some(found)
        })
    }

    /// Opens the next file; says whether there is one to read from.
    fn open_next(&mut self) -> Option<Result<(), ReadError>> {
        loop {
            let path = self.files.pop_front()?;
            match open_file(&path, &self.read) {
                Ok(lines) => {
                    self.open = Some(OpenFile {
                        path,
                        lines,
                        line: 0,
                    });
                    return Some(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.warnings.vanished += 1
                }
                Err(source) => return Some(Err(ReadError::Open { path, source })),
            }
        }
    }
}

impl Iterator for Reader {
    type Item = Result<Event, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(file) = &mut self.open else {
                match self.open_next()? {
                    Ok(()) => continue,
                    Err(error) => return Some(Err(error)),
                }
            };
            let read = read_line(&mut file.lines, &mut self.line);
            if matches!(read, Ok(Line::Whole | Line::TooLong)) {
                file.line += 1;
            }
            let (path, line) = (file.path.clone(), file.line);
            match read {
                Ok(Line::Whole) if self.line.iter().all(u8::is_ascii_whitespace) => {}
                Ok(Line::Whole) => {
                    let event = serde_json::from_slice(&self.line);
                    return Some(event.map_err(|source| ReadError::NotAnEvent {
                        path,
                        line,
                        source,
                    }));
                }
                Ok(Line::TooLong) => return Some(Err(ReadError::TooLong { path, line })),
                Ok(Line::End(false)) => self.open = None,
                Ok(Line::End(true)) => {
                    self.open = None;
                    self.warnings.cut(&path);
                }
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    self.open = None;
                    self.warnings.cut(&path);
                }
                Err(source) => {
                    self.open = None;
                    return Some(Err(ReadError::Damaged { path, line, source }));
                }
            }
        }
    }
}

/// Opens a segment; one that was sealed since it was listed is opened under its sealed name.
fn open_file(path: &Path, read: &Arc<AtomicU64>) -> io::Result<Lines> {
    let file = File::open(path).or_else(|error| match (name_of(path), path.parent()) {
        (Some(name), Some(directory)) if !name.sealed => {
            File::open(name.as_sealed().path(directory))
        }
        _ => Err(error),
    })?;
    let read = Arc::clone(read);
    let mut decoder = Decoder::new(Counted { file, read })?;
    decoder.window_log_max(MAX_WINDOW_LOG)?;
    Ok(BufReader::with_capacity(64 << 10, decoder))
}

fn name_of(path: &Path) -> Option<SegmentName> {
    path.file_name()
        .and_then(|name| name.to_str())
        .and_then(SegmentName::read)
}

/// Reads a line without its end into `line`, which never grows past [`MAX_LINE_BYTES`].
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    let mut too_long = false;
    loop {
        let data = match input.fill_buf() {
            Ok(data) => data,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if data.is_empty() {
            return Ok(Line::End(too_long || !line.is_empty()));
        }
        let end = data.iter().position(|byte| *byte == b'\n');
        let part = data.get(..end.unwrap_or(data.len())).unwrap_or_default();
        let used = part.len() + usize::from(end.is_some());
        too_long |= line.len() + part.len() > MAX_LINE_BYTES;
        if too_long {
            line.clear();
        } else {
            line.extend_from_slice(part);
        }
        input.consume(used);
        if end.is_some() {
            return Ok(if too_long { Line::TooLong } else { Line::Whole });
        }
    }
}

fn last_written(path: &Path) -> Option<u64> {
    let modified = fs::metadata(path).ok()?.modified().ok()?;
    // A second is granted for disks with coarse times.
    let micros = modified.duration_since(UNIX_EPOCH).ok()?.as_micros() + 1_000_000;
    u64::try_from(micros).ok()
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "read_fuzz.rs"]
mod fuzz;
