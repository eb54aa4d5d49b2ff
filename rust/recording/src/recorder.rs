//! Takes events from the cores that serve requests and writes them on a thread of its own.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rtrb::{Consumer, Producer, RingBuffer};
use serde::Serialize;

use crate::event::Event;
use crate::redact::Redactor;
use crate::segment::{SegmentError, SegmentOptions, SegmentWriter};

/// How long the writer thread rests when there was nothing to write, and at most.
const SHORTEST_REST: Duration = Duration::from_millis(2);
const LONGEST_REST: Duration = Duration::from_millis(32);
/// The most events taken from one lane before the others have their turn.
const TURN: usize = 256;

/// Where and how a [`Recorder`] writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecorderOptions {
    /// The directory of the segments.
    pub directory: PathBuf,
    /// When segments end and how much is kept.
    pub segments: SegmentOptions,
    /// How many events a lane holds before further ones are dropped; at least 1. An event takes about a kilobyte.
    pub lane_events: usize,
}

impl RecorderOptions {
    /// The defaults of [`SegmentOptions`] and 4,096 events per lane.
    pub fn new(directory: impl AsRef<Path>) -> Self {
        Self {
            directory: directory.as_ref().to_owned(),
            segments: SegmentOptions::default(),
            lane_events: 4096,
        }
    }
}

/// What became of events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Events handed to the system.
    pub written: u64,
    /// Events lost because their lane was full.
    pub dropped: u64,
    /// Events lost because the disk did not take them.
    pub failed: u64,
    /// Compressed bytes written.
    pub bytes: u64,
    /// Bodies that were not kept because they could not be redacted.
    pub bodies_dropped: u64,
    /// Segments deleted to stay within the size that is kept.
    pub deleted: u64,
    /// Attempts to write, seal or delete that failed.
    pub errors: u64,
}

/// The counts of [`Stats`], shared between threads.
#[derive(Debug, Default)]
struct Counts {
    written: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    bytes: AtomicU64,
    bodies_dropped: AtomicU64,
    deleted: AtomicU64,
    errors: AtomicU64,
    problem: Mutex<Option<String>>,
    stop: AtomicBool,
}

impl Counts {
    fn stats(&self) -> Stats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Stats {
            written: read(&self.written),
            dropped: read(&self.dropped),
            failed: read(&self.failed),
            bytes: read(&self.bytes),
            bodies_dropped: read(&self.bodies_dropped),
            deleted: read(&self.deleted),
            errors: read(&self.errors),
        }
    }
}

/// Writes the events of all lanes. Dropping it stops it, as [`stop`](Self::stop) does.
#[derive(Debug)]
pub struct Recorder {
    counts: Arc<Counts>,
    lanes: mpsc::Sender<Consumer<Box<Event>>>,
    lane_events: usize,
    writer: Option<JoinHandle<()>>,
}

/// The way of one core into the recording. Its events are written in the order they were pushed.
#[derive(Debug)]
pub struct Lane {
    // Boxed: an event moves from thread to thread as a pointer.
    ring: Producer<Box<Event>>,
    counts: Arc<Counts>,
    writer: Option<Thread>,
    wake_after: usize,
    pushed: usize,
}

impl Recorder {
    /// Opens the directory and starts the writer thread.
    ///
    /// # Errors
    /// The directory cannot be made, read or written, or the thread cannot be started.
    pub fn start(options: RecorderOptions, redactor: Redactor) -> Result<Self, SegmentError> {
        let writer = SegmentWriter::open(&options.directory, options.segments, now())?;
        let counts = Arc::new(Counts::default());
        let (lanes, new_lanes) = mpsc::channel();
        let work = Work {
            new_lanes,
            lanes: Vec::new(),
            redactor,
            writer,
            counts: Arc::clone(&counts),
        };
        let writer = thread::Builder::new()
            .name("recording".into())
            .spawn(move || work.run())
            .map_err(|source| SegmentError::Thread { source })?;
        Ok(Self {
            counts,
            lanes,
            lane_events: options.lane_events.max(1),
            writer: Some(writer),
        })
    }

    /// A lane of its own for a core.
    #[must_use]
    pub fn lane(&self) -> Lane {
        let (ring, consumer) = RingBuffer::new(self.lane_events);
        // Without a writer thread the consumer is dropped, and every push is counted as dropped.
        let _ = self.lanes.send(consumer);
        Lane {
            ring,
            counts: Arc::clone(&self.counts),
            writer: self.writer.as_ref().map(|writer| writer.thread().clone()),
            wake_after: (self.lane_events / 4).max(1),
            pushed: 0,
        }
    }

    /// What became of events so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.counts.stats()
    }

    /// What went wrong with the disk last, when the last attempt did: a sentence for people.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.counts
            .problem
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Writes what the lanes hold, seals the segment and ends the thread. Later pushes are dropped and counted.
    pub fn stop(mut self) -> Stats {
        self.end();
        self.counts.stats()
    }

    fn end(&mut self) {
        if let Some(writer) = self.writer.take() {
            self.counts.stop.store(true, Ordering::Release);
            writer.thread().unpark();
            let _ = writer.join();
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.end();
    }
}

impl Lane {
    /// Hands over an event without waiting; says whether there was room for it. When there is none it is dropped and counted.
    pub fn push(&mut self, event: Box<Event>) -> bool {
        if self.ring.is_abandoned() || self.ring.push(event).is_err() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        self.pushed += 1;
        if self.pushed >= self.wake_after {
            // The writer looks by itself every few milliseconds; a burst wakes it earlier.
            self.pushed = 0;
            if let Some(writer) = &self.writer {
                writer.unpark();
            }
        }
        true
    }
}

/// What the writer thread owns.
struct Work {
    new_lanes: mpsc::Receiver<Consumer<Box<Event>>>,
    lanes: Vec<Consumer<Box<Event>>>,
    redactor: Redactor,
    writer: SegmentWriter,
    counts: Arc<Counts>,
}

impl Work {
    fn run(mut self) {
        let mut rest = SHORTEST_REST;
        loop {
            let stopping = self.counts.stop.load(Ordering::Acquire);
            let taken = self.take_all();
            self.writer.tick(now());
            self.publish();
            if stopping && taken == 0 {
                break;
            }
            if taken == 0 {
                rest = (rest * 2).min(LONGEST_REST);
            } else {
                rest = SHORTEST_REST;
            }
            if !stopping {
                thread::park_timeout(rest);
            }
        }
        self.finish();
    }

    /// Takes every event that is there; gives how many.
    fn take_all(&mut self) -> usize {
        self.lanes.extend(self.new_lanes.try_iter());
        let mut taken = 0;
        loop {
            let mut round = 0;
            for lane in &mut self.lanes {
                for _ in 0..TURN {
                    let Ok(mut event) = lane.pop() else { break };
                    self.redactor.redact(&mut event);
                    self.writer.append(&event, now());
                    round += 1;
                }
            }
            taken += round;
            // Time to look at the clock again, and at lanes that came since.
            if round == 0 || taken >= TURN * 16 {
                break;
            }
        }
        self.lanes
            .retain(|lane| !lane.is_abandoned() || !lane.is_empty());
        taken
    }

    fn publish(&self) {
        let done = self.writer.stats();
        let set = |count: &AtomicU64, value| count.store(value, Ordering::Relaxed);
        set(&self.counts.written, done.written);
        set(&self.counts.failed, done.failed);
        set(&self.counts.bytes, done.bytes);
        set(&self.counts.deleted, done.deleted);
        set(&self.counts.errors, done.errors);
        set(&self.counts.bodies_dropped, self.redactor.bodies_dropped());
        let problem = self.writer.last_error().map(ToString::to_string);
        *self
            .counts
            .problem
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = problem;
    }

    fn finish(self) {
        let done = self.writer.finish(now());
        let set = |count: &AtomicU64, value| count.store(value, Ordering::Relaxed);
        set(&self.counts.written, done.written);
        set(&self.counts.failed, done.failed);
        set(&self.counts.bytes, done.bytes);
        set(&self.counts.deleted, done.deleted);
        set(&self.counts.errors, done.errors);
    }
}

/// Microseconds since the Unix epoch.
fn now() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
