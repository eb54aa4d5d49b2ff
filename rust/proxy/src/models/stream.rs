//! A provider's stream on its way to the caller.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use lockgate_llm::{ClientStream, Ending, Event, Failure, PassThrough, UpstreamStream};

use crate::body::{AnyBody, BodyError, full};
use crate::models::bill::Bill;

/// How the bytes of a provider become those of the caller.
pub enum Speech {
    /// Word by word.
    Translated(Box<UpstreamStream>, Box<ClientStream>),
    /// As they are, watched.
    Passed(Box<PassThrough>),
}

/// A streamed answer. It ends with what the provider said, or with an error in the caller's language.
pub struct Streaming {
    inner: AnyBody,
    speech: Speech,
    bill: Bill,
    events: Vec<Event>,
    out: Vec<u8>,
    over: bool,
}

impl Speech {
    fn feed(&mut self, bytes: &Bytes, events: &mut Vec<Event>, out: &mut Vec<u8>) {
        match self {
            Self::Translated(upstream, client) => {
                upstream.feed(bytes, events);
                write(client, events, out);
            }
            Self::Passed(watch) => watch.feed(bytes, out),
        }
    }

    fn end(&mut self, ending: Ending, events: &mut Vec<Event>, out: &mut Vec<u8>) {
        match self {
            Self::Translated(upstream, client) => {
                upstream.end(ending, events);
                write(client, events, out);
            }
            Self::Passed(watch) => watch.end(ending, out),
        }
    }

    fn is_over(&self) -> bool {
        match self {
            Self::Translated(_, client) => client.is_over(),
            Self::Passed(watch) => watch.is_over(),
        }
    }

    fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Translated(_, client) => client.failure(),
            Self::Passed(watch) => watch.failure(),
        }
    }
}

fn write(client: &mut ClientStream, events: &mut Vec<Event>, out: &mut Vec<u8>) {
    for event in events.drain(..) {
        client.write(&event, out);
    }
}

impl Streaming {
    /// Begins to read `inner`.
    pub const fn new(inner: AnyBody, speech: Speech, bill: Bill) -> Self {
        Self {
            inner,
            speech,
            bill,
            events: Vec::new(),
            out: Vec::new(),
            over: false,
        }
    }

    /// Reads until there is something to say to the caller.
    ///
    /// # Errors
    /// The provider failed before it had said anything: another one may be asked.
    pub async fn begun(mut self) -> Result<Self, (Failure, Bill)> {
        while self.out.is_empty() && !self.over {
            match self.inner.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        self.speech.feed(&bytes, &mut self.events, &mut self.out);
                    }
                }
                Some(Err(error)) => self.broke_off(&error),
                None => self.ended(Ending::Clean),
            }
            self.look();
        }
        match self.speech.failure() {
            Some(failure) => Err((failure.clone(), self.bill)),
            None => Ok(self),
        }
    }

    fn broke_off(&mut self, error: &BodyError) {
        self.ended(match error {
            BodyError::Idle(_) | BodyError::Late(_) => Ending::TimedOut,
            BodyError::Broken(_) | BodyError::TooLarge(_) => Ending::Dropped,
        });
    }

    fn ended(&mut self, ending: Ending) {
        self.speech.end(ending, &mut self.events, &mut self.out);
        self.over = true;
    }

    /// Takes note of what the provider said it took, and of the end.
    fn look(&mut self) {
        let usage = match &self.speech {
            Speech::Translated(upstream, _) => upstream.usage(),
            Speech::Passed(watch) => watch.usage(),
        };
        self.bill.take(usage);
        if !self.over && !self.speech.is_over() {
            return;
        }
        self.over = true;
        // Whatever else the provider may send, the connection to it is not needed any more.
        self.inner = full(Bytes::new());
        match self.speech.failure() {
            Some(failure) => self.bill.failed(failure.kind.code()),
            None => self.bill.complete(),
        }
    }
}

impl Body for Streaming {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        loop {
            if !this.out.is_empty() {
                let bytes = Bytes::from(std::mem::take(&mut this.out));
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            if this.over {
                return Poll::Ready(None);
            }
            match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        this.speech.feed(&bytes, &mut this.events, &mut this.out);
                    }
                }
                Some(Err(error)) => this.broke_off(&error),
                None => this.ended(Ending::Clean),
            }
            this.look();
        }
    }
}
