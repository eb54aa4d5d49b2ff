//! A provider's stream on its way to the caller.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use lockgate_llm::{ClientStream, Ending, Event, Failure, Losses, PassThrough, UpstreamStream};
use lockgate_policy::AnswerGuard;

use super::kept::Listening;
use crate::body::{AnyBody, BodyError, full};
use crate::models::ask::LOST;
use crate::models::bill::Bill;
use crate::models::question::{Took, Unanswered};

/// How the bytes of a provider become those of the caller.
pub enum Speech {
    /// Word by word.
    Translated(Box<UpstreamStream>, Box<ClientStream>),
    /// As they are, watched; and read beside, where policies in shadow look at what is said.
    Passed(Box<PassThrough>, Option<Box<UpstreamStream>>),
}

/// A streamed answer. It ends with what the provider said, or with an error in the caller's language.
pub struct Streaming {
    inner: AnyBody,
    speech: Speech,
    guard: AnswerGuard,
    bill: Bill,
    /// What could not be carried over to the provider, which the head has told.
    losses: Losses,
    /// What could not be carried over to the caller so far.
    lost: usize,
    /// Who keeps what the provider says.
    listening: Option<Listening>,
    /// What is under way to be kept: the stream ends when it is.
    keeping: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    events: Vec<Event>,
    out: Vec<u8>,
    over: bool,
    ended: bool,
}

/// Who hears what a provider says.
struct Hearing<'a> {
    guard: &'a mut AnswerGuard,
    listening: &'a mut Option<Listening>,
    events: &'a mut Vec<Event>,
}

impl Speech {
    fn feed(&mut self, bytes: &Bytes, hearing: Hearing<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Translated(upstream, client) => {
                upstream.feed(bytes, hearing.events);
                hearing.write(client, out);
            }
            Self::Passed(watch, looking) => {
                watch.feed(bytes, out);
                if let Some(looking) = looking {
                    looking.feed(bytes, hearing.events);
                    hearing.look();
                }
            }
        }
    }

    fn end(&mut self, ending: Ending, hearing: Hearing<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Translated(upstream, client) => {
                upstream.end(ending, hearing.events);
                hearing.write(client, out);
            }
            Self::Passed(watch, looking) => {
                watch.end(ending, out);
                if let Some(looking) = looking {
                    looking.end(ending, hearing.events);
                    hearing.look();
                }
            }
        }
    }

    /// Whether what was heard is all that the provider said.
    fn has_told_all(&self) -> bool {
        match self {
            Self::Translated(upstream, _) => upstream.has_told_all(),
            Self::Passed(_, looking) => looking
                .as_ref()
                .is_some_and(|looking| looking.has_told_all()),
        }
    }

    fn is_over(&self) -> bool {
        match self {
            Self::Translated(_, client) => client.is_over(),
            Self::Passed(watch, _) => watch.is_over(),
        }
    }

    /// What the provider said of it so far.
    fn took(&self) -> Took {
        let (usage, reason) = match self {
            Self::Translated(upstream, _) => (upstream.usage(), upstream.reason()),
            Self::Passed(watch, _) => (watch.usage(), watch.reason()),
        };
        Took { usage, reason }
    }

    fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Translated(_, client) => client.failure(),
            Self::Passed(watch, _) => watch.failure(),
        }
    }
}

impl Hearing<'_> {
    /// Whoever keeps answers hears them before policies change them for this caller.
    fn hear(&mut self) {
        if let Some(listening) = self.listening {
            listening.hear(self.events);
        }
    }

    fn look(mut self) {
        self.hear();
        let guard = self.guard;
        self.events.drain(..).for_each(|event| guard.look(&event));
    }

    fn write(mut self, client: &mut ClientStream, out: &mut Vec<u8>) {
        self.hear();
        let Self { guard, events, .. } = self;
        if !guard.looks() {
            return events.drain(..).for_each(|event| client.write(&event, out));
        }
        let mut passed = Vec::with_capacity(events.len());
        for event in events.drain(..) {
            guard.event(event, &mut passed);
        }
        for event in passed {
            client.write(&event, out);
        }
    }
}

impl Streaming {
    /// Begins to read `inner`.
    pub fn new(
        inner: AnyBody,
        speech: Speech,
        guard: AnswerGuard,
        (bill, losses): (Bill, Losses),
        listening: Option<Listening>,
    ) -> Self {
        Self {
            inner,
            speech,
            guard,
            bill,
            losses,
            lost: 0,
            listening,
            keeping: None,
            events: Vec::new(),
            out: Vec::new(),
            over: false,
            ended: false,
        }
    }

    /// Reads until there is something to say to the caller.
    ///
    /// # Errors
    /// The provider failed before it had said anything: another one may be asked. Or what it said may not reach the caller.
    pub async fn begun(mut self) -> Result<Self, (Box<Unanswered>, Bill)> {
        while self.out.is_empty() && !self.over {
            match self.inner.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        self.feed(&bytes);
                    }
                }
                Some(Err(error)) => self.broke_off(&error),
                None => self.ended(Ending::Clean),
            }
            self.look();
        }
        let failed = match (self.guard.refusal(), self.speech.failure()) {
            (Some(refusal), _) => Unanswered::Withheld(Box::new(refusal.clone()), Took::default()),
            (None, Some(failure)) => Unanswered::Failed(failure.clone()),
            (None, None) => return Ok(self),
        };
        Err((Box::new(failed), self.bill))
    }

    fn parts(&mut self) -> (&mut Speech, Hearing<'_>, &mut Vec<u8>) {
        let hearing = Hearing {
            guard: &mut self.guard,
            listening: &mut self.listening,
            events: &mut self.events,
        };
        (&mut self.speech, hearing, &mut self.out)
    }

    fn feed(&mut self, bytes: &Bytes) {
        let (speech, hearing, out) = self.parts();
        speech.feed(bytes, hearing, out);
    }

    fn broke_off(&mut self, error: &BodyError) {
        self.ended(match error {
            BodyError::Idle(_) | BodyError::Late(_) => Ending::TimedOut,
            BodyError::Broken(_) | BodyError::TooLarge(_) => Ending::Dropped,
        });
    }

    fn ended(&mut self, ending: Ending) {
        let (speech, hearing, out) = self.parts();
        speech.end(ending, hearing, out);
        self.over = true;
    }

    /// The record holds what was lost so far: a caller who leaves early ends the stream at any point.
    fn note_losses(&mut self) {
        let Speech::Translated(_, client) = &self.speech else {
            return;
        };
        let lost = client.losses();
        if lost.len() == self.lost {
            return;
        }
        self.lost = lost.len();
        let mut all = self.losses.clone();
        all.extend(lost);
        self.bill.lost(&all);
    }

    /// What was lost on the way to the caller, as the field that follows the answer.
    fn trailers(&self) -> Option<HeaderMap> {
        let Speech::Translated(_, client) = &self.speech else {
            return None;
        };
        let value = HeaderValue::from_str(&client.losses().header()?).ok()?;
        Some(HeaderMap::from_iter([(LOST, value)]))
    }

    /// Takes note of what the provider said it took, and of the end.
    fn look(&mut self) {
        let took = self.speech.took();
        self.bill.take(took.usage);
        self.bill.ended(took.reason);
        self.bill.found(self.guard.told());
        self.note_losses();
        if !self.over && !self.speech.is_over() {
            return;
        }
        self.over = true;
        // Whatever else the provider may send, the connection to it is not needed any more.
        self.inner = full(Bytes::new());
        self.bill.said(self.guard.said());
        match (self.guard.refusal(), self.speech.failure()) {
            (Some(refusal), _) => self.bill.failed(refusal.reason.code),
            (None, Some(failure)) => self.bill.failed(failure.kind.code()),
            (None, None) => {
                self.bill.complete();
                let listening = self.listening.take();
                if let Some(listening) = listening.filter(|_| self.speech.has_told_all()) {
                    self.keeping = Some(Box::pin(listening.keep()));
                }
            }
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
                if let Some(keeping) = &mut this.keeping {
                    ready!(keeping.as_mut().poll(cx));
                    this.keeping = None;
                }
                let trailers = this.trailers().filter(|_| !this.ended);
                this.ended = true;
                return Poll::Ready(trailers.map(|fields| Ok(Frame::trailers(fields))));
            }
            match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        this.feed(&bytes);
                    }
                }
                Some(Err(error)) => this.broke_off(&error),
                None => this.ended(Ending::Clean),
            }
            this.look();
        }
    }
}
