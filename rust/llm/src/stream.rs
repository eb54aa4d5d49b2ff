//! Streamed answers: a provider's bytes in, a caller's bytes out, and the truth about how they ended.

use std::collections::BTreeSet;

use crate::anthropic;
use crate::dialect::Dialect;
use crate::failure::{Failure, FailureKind};
use crate::gemini;
use crate::json::short;
use crate::model::{Event, Finish, FinishReason};
use crate::ollama;
use crate::openai;
use crate::sse::{Frames, TooLong, lead_off, parse};
use crate::usage::Usage;

/// The largest event of a provider: one may hold a picture.
pub const MOST_EVENT_BYTES: usize = 16 * 1024 * 1024;

/// The most answers at once that are watched.
const MOST_CANDIDATES: usize = 1_024;

/// How the provider's body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As HTTP says it should.
    Clean,
    /// The connection broke.
    Dropped,
    /// Nothing came for too long.
    TimedOut,
}

impl From<TooLong> for Failure {
    fn from(_: TooLong) -> Self {
        Self::new(
            FailureKind::StreamMalformed,
            format!("an event of the provider's stream has more than {MOST_EVENT_BYTES} bytes"),
        )
    }
}

/// Reads the events of a dialect.
#[derive(Debug)]
pub(crate) enum Reader {
    Openai(openai::Reader),
    Anthropic(anthropic::Reader),
    Gemini(gemini::Reader),
    Ollama(ollama::Reader),
}

impl Reader {
    pub(crate) fn new(dialect: Dialect, answer: &str) -> Self {
        let answer = answer.to_owned();
        match dialect {
            Dialect::Openai | Dialect::Mistral | Dialect::Moonshot => {
                Self::Openai(openai::Reader::new(dialect, answer))
            }
            Dialect::Anthropic => Self::Anthropic(anthropic::Reader::default()),
            Dialect::Gemini => Self::Gemini(gemini::Reader::new(answer)),
            Dialect::Ollama => Self::Ollama(ollama::Reader::new(answer)),
        }
    }

    /// Whether the provider said what stands in no event.
    fn leaves_out(&self) -> bool {
        match self {
            Self::Openai(reader) => reader.leaves_out,
            Self::Anthropic(reader) => reader.leaves_out,
            Self::Gemini(reader) => reader.leaves_out,
            Self::Ollama(reader) => reader.leaves_out,
        }
    }

    /// The data of one event. `Ok(true)` says that it was the last.
    fn data(&mut self, data: &[u8], out: &mut Vec<Event>) -> Result<bool, Failure> {
        match self {
            Self::Openai(reader) => reader.data(data, out),
            Self::Anthropic(reader) => reader.data(data, out),
            Self::Gemini(reader) => reader.data(data, out),
            Self::Ollama(reader) => reader.data(data, out),
        }
    }

    /// One frame: an event of a stream of events, or a line.
    pub(crate) fn frame(&mut self, frame: &[u8], out: &mut Vec<Event>) -> Result<bool, Failure> {
        if matches!(self, Self::Ollama(_)) {
            let line = frame.trim_ascii();
            return if line.is_empty() {
                Ok(false)
            } else {
                self.data(line, out)
            };
        }
        let frame = lead_off(frame);
        match parse(frame).data {
            Some(data) if !data.is_empty() => self.data(&data, out),
            // A comment is a sign of life (WHATWG HTML §9.2.6).
            _ if frame.starts_with(b":") => {
                out.push(Event::Ping);
                Ok(false)
            }
            _ if frame.trim_ascii().is_empty() || looks_like_fields(frame) => Ok(false),
            // A provider that answers an error as JSON in the middle of a stream.
            _ => self.data(frame.trim_ascii(), out),
        }
    }
}

/// What a stream has said so far about its end and what it took.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pub(crate) usage: Option<Usage>,
    pub(crate) finish: Option<Finish>,
    /// Why the answers ended, as [`UpstreamStream::reason`] says it.
    pub(crate) reason: Option<FinishReason>,
    pub(crate) model: Option<String>,
    /// Answers that have begun and not ended.
    open: BTreeSet<u64>,
}

impl Watch {
    pub(crate) fn look_at(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::Start { model, .. } if !model.is_empty() => self.model = Some(model.clone()),
                Event::Usage(usage) => self.usage.get_or_insert_default().update(usage),
                Event::Delta { candidate, .. } if self.open.len() < MOST_CANDIDATES => {
                    self.open.insert(*candidate);
                }
                Event::Finish { candidate, finish } => {
                    self.open.remove(candidate);
                    self.reason = self.reason.max(Some(finish.reason));
                    self.finish = Some(finish.clone());
                }
                _ => {}
            }
        }
    }

    /// Whether an answer has begun and not ended.
    pub(crate) fn is_within(&self, candidate: u64) -> bool {
        self.open.contains(&candidate)
    }

    /// Whether the provider said of every answer why it ended; what is wrong otherwise.
    pub(crate) fn verdict(&self) -> Result<(), Failure> {
        match &self.finish {
            Some(finish) if finish.reason == FinishReason::Error => Err(Failure::new(
                FailureKind::Server,
                format!(
                    "the provider gave up within the answer: {}",
                    short(&finish.word)
                ),
            )),
            Some(_) if self.open.is_empty() => Ok(()),
            _ => Err(Failure::new(
                FailureKind::StreamTruncated,
                "the provider's stream ended without saying why: the answer may be incomplete",
            )),
        }
    }
}

/// What an ending that is not clean means.
pub(crate) fn broken(ending: Ending) -> Option<Failure> {
    match ending {
        Ending::Clean => None,
        Ending::Dropped => Some(Failure::new(
            FailureKind::StreamDropped,
            "the connection to the provider broke within the answer",
        )),
        Ending::TimedOut => Some(Failure::new(
            FailureKind::Timeout,
            "the provider stopped sending within the answer",
        )),
    }
}

/// Within a stream, what is no answer is a malformed chunk.
pub(crate) fn within_stream(failure: Failure) -> Failure {
    match failure.kind {
        FailureKind::BadAnswer => Failure::new(FailureKind::StreamMalformed, failure.message),
        _ => failure,
    }
}

/// What is left at the end and is no event was cut off.
pub(crate) fn cut_off(failure: Failure) -> Failure {
    match failure.kind {
        FailureKind::BadAnswer | FailureKind::StreamMalformed => Failure::new(
            FailureKind::StreamTruncated,
            "the provider's stream ended within an event",
        ),
        _ => failure,
    }
}

/// Reads a provider's stream into events, from any split of its bytes.
///
/// The last event is [`Event::End`] when the provider said that it had finished, and [`Event::Failed`] in every other case. After it,
/// nothing follows. No event is made up: an end that the provider did not say is a failure, and what was used so far goes with it.
#[derive(Debug)]
pub struct UpstreamStream {
    frames: Frames,
    reader: Reader,
    watch: Watch,
    over: bool,
    complete: bool,
}

impl UpstreamStream {
    /// A stream of a dialect. `answer` is the gateway's id of the call, from which ids are made for calls of tools that have none.
    #[must_use]
    pub fn new(dialect: Dialect, answer: &str) -> Self {
        Self::bounded(dialect, answer, MOST_EVENT_BYTES)
    }

    /// As [`UpstreamStream::new`], with another bound of an event's size.
    #[must_use]
    pub fn bounded(dialect: Dialect, answer: &str, most_event_bytes: usize) -> Self {
        Self {
            frames: Frames::of(dialect, most_event_bytes),
            reader: Reader::new(dialect, answer),
            watch: Watch::default(),
            over: false,
            complete: false,
        }
    }

    /// Takes bytes and appends the events that they complete.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<Event>) {
        if self.over {
            return;
        }
        let from = out.len();
        let mut done = false;
        let reader = &mut self.reader;
        let result = self.frames.feed(bytes, |frame| {
            if !done {
                done = reader.frame(frame, out)?;
            }
            Ok(())
        });
        self.watch.look_at(out.get(from..).unwrap_or_default());
        match result {
            Err(failure) => self.fail(within_stream(failure), out),
            Ok(()) if done => self.finish(out),
            Ok(()) => {}
        }
    }

    /// The body has ended. Appends the last event, when it has not come yet.
    pub fn end(&mut self, ending: Ending, out: &mut Vec<Event>) {
        if self.over {
            return;
        }
        if let Some(failure) = broken(ending) {
            return self.fail(failure, out);
        }
        // A last event without the empty line after it counts when it is whole.
        let rest = self.frames.rest();
        let from = out.len();
        let result = self.reader.frame(&rest, out);
        self.watch.look_at(out.get(from..).unwrap_or_default());
        match result {
            Ok(_) => self.finish(out),
            Err(failure) => self.fail(cut_off(failure), out),
        }
    }

    /// Whether everything that the provider said of its answer so far stands in events: what they do not know stays behind in a stream
    /// (probabilities of tokens, sources), and a whole answer has it.
    #[must_use]
    pub fn has_told_all(&self) -> bool {
        !self.reader.leaves_out()
    }

    /// Whether the last event has been given.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// What the call took so far, marked partial unless the provider has finished.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        let usage = self.watch.usage?;
        Some(if self.complete {
            usage
        } else {
            usage.broken_off()
        })
    }

    /// Why the answer ended, once the provider said; of several answers, of the one that ended least as it was wished for.
    #[must_use]
    pub fn reason(&self) -> Option<FinishReason> {
        self.watch.reason
    }

    fn finish(&mut self, out: &mut Vec<Event>) {
        match self.watch.verdict() {
            Ok(()) => {
                self.over = true;
                self.complete = true;
                out.push(Event::End);
            }
            Err(failure) => self.fail(failure, out),
        }
    }

    fn fail(&mut self, failure: Failure, out: &mut Vec<Event>) {
        self.over = true;
        out.push(Event::Failed(failure.with_usage(self.watch.usage)));
    }
}

fn looks_like_fields(frame: &[u8]) -> bool {
    [&b"event"[..], b"id", b"retry", b"data"]
        .iter()
        .any(|name| frame.starts_with(name))
}

#[cfg(test)]
#[path = "stream_fuzz.rs"]
mod fuzz;
