//! Bodies on their way through the gateway.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use lockgate_policy::Effect;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::clock::since_start;

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The sender broke off.
    #[error("the body broke off: {0}")]
    Broken(#[from] hyper::Error),
    /// The sender paused for too long.
    #[error("no piece of the body came for {0:?}")]
    Idle(Duration),
    /// The sender took too long for all of it.
    #[error("the body did not come within {0:?}")]
    Late(Duration),
    /// The body is larger than a policy lets pass.
    #[error("the body has more than {0} bytes")]
    TooLarge(u64),
}

/// Any body.
pub type AnyBody = UnsyncBoxBody<Bytes, BodyError>;

/// A body that is already here.
pub fn full(bytes: Bytes) -> AnyBody {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A bound on pauses. A timer is made only once there is a pause.
pub struct Patience {
    idle: Duration,
    deadline: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Patience {
    /// Pauses of at most `idle`, and none beyond `deadline`.
    pub const fn new(idle: Duration, deadline: Option<Instant>) -> Self {
        Self {
            idle,
            deadline,
            timer: None,
            waiting: false,
        }
    }

    /// Ready when the pause has become too long.
    pub fn wait(&mut self, cx: &mut Context<'_>) -> Poll<BodyError> {
        if !self.waiting {
            self.waiting = true;
            let end = Instant::now() + self.idle;
            let end = self.deadline.map_or(end, |deadline| deadline.min(end));
            match &mut self.timer {
                Some(timer) => timer.as_mut().reset(end),
                None => self.timer = Some(Box::pin(sleep_until(end))),
            }
        }
        match &mut self.timer {
            Some(timer) => {
                ready!(timer.as_mut().poll(cx));
                Poll::Ready(BodyError::Idle(self.idle))
            }
            None => Poll::Pending,
        }
    }

    /// A piece came: the next pause has not begun.
    pub const fn came(&mut self) {
        self.waiting = false;
    }
}

/// How far a request body has come; read by those who wait for the answer, and for the record.
#[derive(Debug, Default)]
pub struct Arrival {
    bytes: AtomicU64,
    /// By the clock of [`since_start`]; 0 as long as it has not ended.
    ended: AtomicU64,
}

impl Arrival {
    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How long ago the body ended; `None` while it is under way.
    pub fn ended_ago(&self) -> Option<Duration> {
        match self.ended.load(Ordering::Relaxed) {
            0 => None,
            at => Some(Duration::from_micros(since_start().saturating_sub(at))),
        }
    }
}

/// What a request body may take: pauses, bytes, time.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The longest pause between two pieces.
    pub idle: Duration,
    /// The most bytes.
    pub bytes: u64,
    /// The longest time for all of it, and when that ends.
    pub within: Option<(Duration, Instant)>,
}

impl Bounds {
    /// Pauses alone are bounded.
    pub const fn pauses(idle: Duration) -> Self {
        Self {
            idle,
            bytes: u64::MAX,
            within: None,
        }
    }

    /// Narrows the bounds as `effect` says; `since` is when the head had come.
    pub fn narrow(&mut self, effect: &Effect, since: Instant) {
        match effect {
            Effect::LimitBody(bytes) => self.bytes = self.bytes.min(*bytes),
            Effect::ReceiveWithin(within) => {
                let shorter = self.within.is_none_or(|(known, _)| *within < known);
                // A time too far away for the clock is no bound.
                if let Some(end) = since.checked_add(*within).filter(|_| shorter) {
                    self.within = Some((*within, end));
                }
            }
            _ => {}
        }
    }
}

/// A request body that streams through, within its bounds.
pub struct Streamed {
    inner: Incoming,
    patience: Patience,
    bounds: Bounds,
    arrival: Arc<Arrival>,
}

impl Streamed {
    /// Streams `inner`.
    pub fn new(inner: Incoming, bounds: Bounds, arrival: Arc<Arrival>) -> Self {
        Self {
            inner,
            patience: Patience::new(bounds.idle, bounds.within.map(|(_, end)| end)),
            bounds,
            arrival,
        }
    }

    /// Takes other bounds for what is still to come; bytes that have come count.
    pub fn bound(&mut self, bounds: Bounds) {
        self.bounds = bounds;
        self.patience.deadline = bounds.within.map(|(_, end)| end);
    }

    /// How far it has come.
    pub fn arrival(&self) -> Arc<Arrival> {
        self.arrival.clone()
    }

    fn late(&self) -> Option<BodyError> {
        let (within, end) = self.bounds.within?;
        (Instant::now() >= end).then_some(BodyError::Late(within))
    }
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let size = frame.data_ref().map_or(0, |data| data.len() as u64);
                let before = this.arrival.bytes.fetch_add(size, Ordering::Relaxed);
                if before.saturating_add(size) > this.bounds.bytes {
                    return Poll::Ready(Some(Err(BodyError::TooLarge(this.bounds.bytes))));
                }
                // A sender that never pauses never waits, and still has only so much time.
                if let Some(late) = this.late() {
                    return Poll::Ready(Some(Err(late)));
                }
                if this.inner.is_end_stream() {
                    this.arrival.ended.store(since_start(), Ordering::Relaxed);
                }
                this.patience.came();
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => {
                this.arrival.ended.store(since_start(), Ordering::Relaxed);
                Poll::Ready(None)
            }
            Poll::Pending => {
                let idle = ready!(this.patience.wait(cx));
                Poll::Ready(Some(Err(this.late().unwrap_or(idle))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// What reading a whole body gave.
pub enum ReadBody {
    /// All of it.
    Whole(Bytes),
    /// It is larger than the limit.
    TooLarge,
}

/// Reads a body of at most `limit` bytes. Trailers are dropped: nothing after a checked body is forwarded unchecked.
///
/// # Errors
/// The body did not come to its end.
pub async fn read(
    mut body: impl Body<Data = Bytes, Error = BodyError> + Unpin,
    limit: usize,
) -> Result<ReadBody, BodyError> {
    if body.size_hint().lower() > limit as u64 {
        return Ok(ReadBody::TooLarge);
    }
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            if read.len() + data.len() > limit {
                return Ok(ReadBody::TooLarge);
            }
            read.extend_from_slice(&data);
        }
    }
    Ok(ReadBody::Whole(read.freeze()))
}

/// What reading the start of a body gave.
pub enum ReadStart<B> {
    /// All of it.
    Whole(Bytes),
    /// As much as was wanted, and what is still to come.
    Part(Bytes, B),
}

/// Reads a body to its end, or until it has more bytes than `limit`, or `within` is over; `read` is what was read of it before.
///
/// # Errors
/// The body did not come to its end.
pub async fn read_start<B>(
    read: Bytes,
    mut body: B,
    limit: usize,
    within: Option<Duration>,
) -> Result<ReadStart<B>, BodyError>
where
    B: Body<Data = Bytes, Error = BodyError> + Unpin,
{
    if body.size_hint().lower() > limit.saturating_sub(read.len()) as u64 {
        return Ok(ReadStart::Part(read, body));
    }
    let mut read = BytesMut::from(read);
    let mut patience = std::pin::pin!(async {
        match within {
            Some(within) => tokio::time::sleep(within).await,
            None => std::future::pending().await,
        }
    });
    loop {
        let frame = tokio::select! {
            biased;
            frame = body.frame() => frame,
            () = &mut patience => return Ok(ReadStart::Part(read.freeze(), body)),
        };
        let Some(frame) = frame else {
            return Ok(ReadStart::Whole(read.freeze()));
        };
        if let Ok(data) = frame?.into_data() {
            read.extend_from_slice(&data);
            if read.len() > limit {
                return Ok(ReadStart::Part(read.freeze(), body));
            }
        }
    }
}

/// A body whose start has been read.
pub struct Prefixed<B> {
    start: Option<Bytes>,
    rest: B,
}

impl<B> Prefixed<B> {
    /// `start` is sent again before `rest`.
    pub fn new(start: Bytes, rest: B) -> Self {
        Self {
            start: (!start.is_empty()).then_some(start),
            rest,
        }
    }
}

impl<B: Body<Data = Bytes, Error = BodyError> + Unpin> Body for Prefixed<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.start.take().filter(|start| !start.is_empty()) {
            Some(start) => Poll::Ready(Some(Ok(Frame::data(start)))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let start = self.start.as_ref().map_or(0, |start| start.len() as u64);
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(start));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(start));
        }
        hint
    }
}
