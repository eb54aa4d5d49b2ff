//! Bodies on their way through the gateway.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The sender broke off.
    #[error("the body broke off: {0}")]
    Broken(#[from] hyper::Error),
    /// The sender paused for too long.
    #[error("no piece of the body came for {0:?}")]
    Idle(Duration),
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

/// How long to wait for the next piece.
fn until(idle: Duration, deadline: Option<Instant>) -> Duration {
    deadline.map_or(idle, |end| {
        idle.min(end.saturating_duration_since(Instant::now()))
    })
}

/// A body that streams through, with a bound on pauses and on its size.
pub struct Streamed {
    inner: Incoming,
    idle: Duration,
    deadline: Option<Instant>,
    timer: Pin<Box<Sleep>>,
    left: u64,
    limit: u64,
}

impl Streamed {
    /// Streams `inner`; `limit` is in bytes, `deadline` ends the whole.
    pub fn new(inner: Incoming, idle: Duration, deadline: Option<Instant>, limit: u64) -> Self {
        let timer = Box::pin(sleep(until(idle, deadline)));
        Self {
            inner,
            idle,
            deadline,
            timer,
            left: limit,
            limit,
        }
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
                let Some(left) = this.left.checked_sub(size) else {
                    return Poll::Ready(Some(Err(BodyError::TooLarge(this.limit))));
                };
                this.left = left;
                this.timer
                    .as_mut()
                    .reset(Instant::now() + until(this.idle, this.deadline));
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                ready!(this.timer.as_mut().poll(cx));
                Poll::Ready(Some(Err(BodyError::Idle(this.idle))))
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
pub async fn read(body: Incoming, limit: usize, idle: Duration) -> Result<ReadBody, BodyError> {
    if body.size_hint().lower() > limit as u64 {
        return Ok(ReadBody::TooLarge);
    }
    let mut body = Streamed::new(body, idle, None, u64::MAX);
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

/// A body that keeps something until it has been sent: places of limits, the count of a busy target.
pub struct Holding<T> {
    inner: AnyBody,
    _held: T,
}

impl<T> Holding<T> {
    /// Keeps `held` as long as `inner` lives.
    pub const fn new(inner: AnyBody, held: T) -> Self {
        Self { inner, _held: held }
    }
}

impl<T: Unpin> Body for Holding<T> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
