//! Events in a caller's language.

use crate::answer::Stamp;
use crate::anthropic;
use crate::dialect::Surface;
use crate::failure::Failure;
use crate::gemini;
use crate::loss::Losses;
use crate::model::Event;
use crate::openai;
use crate::plain;
use crate::responses;
use crate::usage::Usage;

#[derive(Debug)]
enum Writer {
    OpenaiChat(Box<openai::Writer>),
    Responses(Box<responses::Writer>),
    Anthropic(Box<anthropic::Writer>),
    Gemini(Box<gemini::Writer>),
    Plain(Box<plain::Writer>),
}

/// Writes events in a caller's language.
#[derive(Debug)]
pub struct ClientStream {
    writer: Writer,
    losses: Losses,
    usage: Option<Usage>,
    failure: Option<Failure>,
    over: bool,
}

impl ClientStream {
    /// A stream for a caller. `wants_usage` is what the request said of it ([`crate::ChatRequest::stream_usage`]).
    #[must_use]
    pub fn new(surface: Surface, stamp: Stamp, wants_usage: bool) -> Self {
        Self {
            writer: match surface {
                Surface::OpenaiChat => {
                    Writer::OpenaiChat(Box::new(openai::Writer::new(stamp, wants_usage)))
                }
                Surface::OpenaiResponses => {
                    Writer::Responses(Box::new(responses::Writer::new(stamp)))
                }
                Surface::AnthropicMessages => {
                    Writer::Anthropic(Box::new(anthropic::Writer::new(stamp)))
                }
                Surface::Gemini => Writer::Gemini(Box::new(gemini::Writer::new(stamp))),
                Surface::Plain => Writer::Plain(Box::new(plain::Writer::new(stamp))),
            },
            losses: Losses::default(),
            usage: None,
            failure: None,
            over: false,
        }
    }

    /// Appends an event. What cannot be said in the caller's language ends the stream with an error in it.
    pub fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        if let Event::Usage(usage) = event {
            self.usage.get_or_insert_default().update(usage);
        }
        match event {
            Event::End => self.over = true,
            Event::Failed(failure) => {
                self.over = true;
                self.failure = Some(failure.clone());
            }
            _ => {}
        }
        if let Err(failure) = self.put(event, out) {
            let failure = failure.with_usage(self.usage);
            self.over = true;
            // Writers take a failure at any point.
            let _ = self.put(&Event::Failed(failure.clone()), out);
            self.failure = Some(failure);
        }
    }

    fn put(&mut self, event: &Event, out: &mut Vec<u8>) -> Result<(), Failure> {
        let losses = &mut self.losses;
        match &mut self.writer {
            Writer::OpenaiChat(writer) => writer.event(event, losses, out),
            Writer::Responses(writer) => writer.event(event, losses, out),
            Writer::Anthropic(writer) => writer.event(event, losses, out),
            Writer::Gemini(writer) => writer.event(event, losses, out),
            Writer::Plain(writer) => {
                writer.event(event, losses, out);
                Ok(())
            }
        }
    }

    /// What could not be carried over.
    #[must_use]
    pub fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Why it broke off, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Whether nothing can follow: the provider's stream may be closed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over
    }
}
