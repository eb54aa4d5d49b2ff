//! The recording of a gateway: each request gives one [`Event`], written by a thread of its own to compressed segments and
//! read back by people, metrics and replay.
//!
//! The way of an event: the core that served the request pushes it into its [`Lane`], which never waits; the writer thread of
//! the [`Recorder`] takes it out, has the [`Redactor`] replace every credential, and appends it to a segment with the
//! [`SegmentWriter`]. A [`Reader`] gives the events back in order, and a [`Filter`] picks some of them. A [`Tally`] counts
//! events for metrics.
//!
//! | file in the recording directory | what it is |
//! |---|---|
//! | `events-<start µs>-<number>.ndjson.zst` | a sealed segment: one event per line as JSON, compressed with zstd |
//! | `begin-<number>.state` | what was used of limits when a node started, before the segment of that number |
//! | `redaction.key` | the key of the marks that stand for credentials |
//! | `events-<start µs>-<number>.ndjson.zst.part` | a segment that is being written, or that a crash left behind |
//!
//! ```
//! use lockgate_recording::{Event, Filter, Reader, Recorder, RecorderOptions, Redactor};
//!
//! let directory = tempfile::tempdir()?;
//! let redactor = Redactor::new([7; 32], ["x-partner-pin"]);
//! let recorder = Recorder::start(RecorderOptions::new(directory.path()), redactor)?;
//! let mut lane = recorder.lane();
//!
//! let mut event = Box::new(Event::default());
//! event.status = 200;
//! event.headers.push("x-partner-pin", "4711");
//! assert!(lane.push(event));
//! assert_eq!(recorder.stop().written, 1);
//!
//! let wanted = Filter { status: Some(200..=299), ..Filter::default() };
//! let events: Vec<Event> = Reader::open(directory.path())?.filtered(wanted).collect::<Result<_, _>>()?;
//! assert!(events[0].headers.get("x-partner-pin").unwrap().starts_with("hmac-sha256:"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod beginning;
mod blocks;
mod event;
mod filter;
mod headers;
mod key;
mod line;
mod mask;
mod names;
mod read;
mod recorder;
mod redact;
mod segment;
mod segment_name;
mod shapes;
mod tally;
mod text;
mod words;

pub use beginning::{Beginning, read_beginning, write_beginning};
pub use event::{Decision, Event, ModelCall, SCHEMA_VERSION, Texts, Verdict};
pub use filter::Filter;
pub use headers::Headers;
pub use key::{KEY_FILE, read_key};
pub use read::{MAX_LINE_BYTES, ReadError, ReadWarnings, Reader};
pub use recorder::{Lane, Recorder, RecorderOptions, Stats};
pub use redact::Redactor;
pub use segment::{SegmentError, SegmentOptions, SegmentStats, SegmentWriter};
pub use tally::{
    LATENCY_BUCKETS_US, ModelCounts, ModelSeries, OTHER, RouteSeries, Series, Tally, TallySnapshot,
};
pub use text::{Text, Word};
pub use words::{Prompt, Said, TakenOut, Words};
