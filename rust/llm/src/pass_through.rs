//! Streams that are passed on as they come, and watched.

use memchr::memmem::{self, find};
use serde::de::IgnoredAny;

use crate::dialect::{Dialect, Surface};
use crate::failure::{Failure, FailureKind};
use crate::model::{Event, Finish, FinishReason};
use crate::sse::Frames;
use crate::stream::{Ending, MOST_EVENT_BYTES, Reader, Watch, broken, cut_off, within_stream};
use crate::surface_error::write_event;
use crate::usage::Usage;

/// Passes a provider's stream on to a caller of the same language. The bytes of every whole event go on untouched; an event that has
/// not ended waits for the rest of it, which no client could use before. What is no event, and an end that the provider did not say,
/// become an error in the caller's language.
#[derive(Debug)]
pub struct PassThrough {
    surface: Surface,
    dialect: Dialect,
    frames: Frames,
    reader: Reader,
    watch: Watch,
    hide_usage: bool,
    events: Vec<Event>,
    failure: Option<Failure>,
    done: bool,
    over: bool,
}

impl PassThrough {
    /// A stream of a surface's own dialect; `None` for a surface that is no provider's. `hide_usage` takes out the last chunk about
    /// usage, which the gateway asked for and the caller did not.
    #[must_use]
    pub fn new(surface: Surface, answer: &str, hide_usage: bool) -> Option<Self> {
        let dialect = surface.native()?;
        Some(Self {
            surface,
            dialect,
            frames: Frames::of(dialect, MOST_EVENT_BYTES),
            reader: Reader::new(dialect, answer),
            watch: Watch::default(),
            hide_usage: hide_usage && dialect == Dialect::Openai,
            events: Vec::new(),
            failure: None,
            done: false,
            over: false,
        })
    }

    /// Takes bytes, and appends what may go on.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        let Self {
            dialect,
            frames,
            reader,
            watch,
            hide_usage,
            events,
            done,
            ..
        } = self;
        let dialect = *dialect;
        let result = frames.feed(bytes, |frame| {
            // Nothing is said after the last event.
            if *done {
                return Ok(());
            }
            if watch.is_within(0) && is_only_content(dialect, frame) {
                out.extend_from_slice(frame);
                return Ok(());
            }
            events.clear();
            let verdict = reader.frame(frame, events);
            watch.look_at(events);
            match verdict {
                // What ends the stream goes on only when it has been said why: clients look at nothing after it.
                Ok(true) => {
                    watch.verdict().map_err(Stop::Malformed)?;
                    *done = true;
                }
                Ok(false) => {}
                // A chunk of a form that is new to the gateway is the caller's to judge: both speak one language.
                Err(failure) if failure.kind == FailureKind::StreamMalformed => {}
                Err(failure) if failure.kind == FailureKind::BadAnswer => {
                    return Err(Stop::Malformed(failure));
                }
                Err(failure) => {
                    out.extend_from_slice(frame);
                    return Err(Stop::Told(failure));
                }
            }
            if !(*hide_usage && is_about_usage(events)) {
                out.extend_from_slice(frame);
            }
            Ok(())
        });
        match result {
            Ok(()) => {}
            // The provider's own words have gone on.
            Err(Stop::Told(failure)) => self.stop(failure),
            Err(Stop::Malformed(failure)) => self.fail(within_stream(failure), out),
        }
        self.over |= self.done;
    }

    /// The body has ended.
    pub fn end(&mut self, ending: Ending, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        if let Some(failure) = broken(ending) {
            return self.fail(failure, out);
        }
        let rest = self.frames.rest();
        self.events.clear();
        let result = self.reader.frame(&rest, &mut self.events);
        self.watch.look_at(&self.events);
        match result {
            Ok(_) => out.extend_from_slice(&rest),
            Err(failure) => return self.fail(cut_off(failure), out),
        }
        match self.watch.verdict() {
            Ok(()) => self.over = true,
            Err(failure) => self.fail(failure, out),
        }
    }

    fn fail(&mut self, failure: Failure, out: &mut Vec<u8>) {
        let failure = failure.with_usage(self.watch.usage);
        write_event(self.surface, &failure, out);
        self.stop(failure);
    }

    fn stop(&mut self, failure: Failure) {
        self.over = true;
        self.failure = Some(failure.with_usage(self.watch.usage));
    }

    /// What the call took, marked partial unless the provider has finished.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        let usage = self.watch.usage?;
        let whole = self.over && self.failure.is_none();
        Some(if whole { usage } else { usage.broken_off() })
    }

    /// The model that answered, as the provider named it.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.watch.model.as_deref()
    }

    /// Why the answer ended, once the provider said.
    #[must_use]
    pub fn finish(&self) -> Option<&Finish> {
        self.watch.finish.as_ref()
    }

    /// As [`crate::UpstreamStream::reason`].
    #[must_use]
    pub fn reason(&self) -> Option<FinishReason> {
        self.watch.reason
    }

    /// Why it broke off, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Whether nothing can follow.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over
    }
}

enum Stop {
    Told(Failure),
    Malformed(Failure),
}

impl From<crate::sse::TooLong> for Stop {
    fn from(too_long: crate::sse::TooLong) -> Self {
        Self::Malformed(too_long.into())
    }
}

/// Whether a frame is a piece of the first answer and says nothing of its end or of usage, which is so of nearly all. Then it is enough
/// that it is JSON. Whatever is written in another way than providers write it, spaces included, is read in full.
fn is_only_content(dialect: Dialect, frame: &[u8]) -> bool {
    let frame = frame.trim_ascii_end();
    let data = match dialect {
        Dialect::Openai => frame.strip_prefix(b"data: "),
        Dialect::Anthropic => frame.strip_prefix(b"event: content_block_delta\ndata: "),
        _ => None,
    };
    let Some(data) = data.filter(|data| memchr::memchr2(b'\n', b'\r', data).is_none()) else {
        return false;
    };
    // Within a JSON string a quote has a backslash before it, so none of these is found in what a model wrote.
    let plain = match dialect {
        Dialect::Openai => {
            each_is(data, b"\"finish_reason\":", b"null")
                && each_is(data, b"\"usage\":", b"null")
                && each_is(data, b"\"index\":", b"0,")
                && find(data, b"\"choices\":[{").is_some()
                && find(data, b"\"error\"").is_none()
        }
        _ => data.starts_with(b"{\"type\":\"content_block_delta\","),
    };
    plain && serde_json::from_slice::<IgnoredAny>(data).is_ok() && std::str::from_utf8(data).is_ok()
}

/// Whether a name, wherever it stands, has this value.
fn each_is(data: &[u8], name: &[u8], value: &[u8]) -> bool {
    memmem::find_iter(data, name).all(|at| {
        data.get(at + name.len()..)
            .is_some_and(|rest| rest.starts_with(value))
    })
}

/// Whether a chunk says what the call took and nothing else.
fn is_about_usage(events: &[Event]) -> bool {
    !events.is_empty() && events.iter().all(|event| matches!(event, Event::Usage(_)))
}
