//! Bodies of services' answers.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::link::{Lease, quiet};
use crate::body::{BodyError, Patience};

/// The body of a service's answer. It drives the connection it comes by, and gives it back at its end.
pub struct Answered<T> {
    inner: Incoming,
    lease: Lease,
    patience: Patience,
    _held: T,
}

impl<T> Answered<T> {
    /// `held` is kept until the body ends: places of limits, the count of a busy target.
    pub const fn new(
        inner: Incoming,
        lease: Lease,
        idle: Duration,
        deadline: Option<Instant>,
        held: T,
    ) -> Self {
        Self {
            inner,
            lease,
            patience: Patience::new(idle, deadline),
            _held: held,
        }
    }

    fn poll_inner(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let inner = Pin::new(&mut self.inner);
        if !self.lease.is_driven() {
            return inner.poll_frame(cx);
        }
        // The first look says that a piece is wanted. Driven then, the connection brings it, or wakes this task when it can.
        if let Poll::Ready(frame) = inner.poll_frame(&mut quiet()) {
            return Poll::Ready(frame);
        }
        self.lease.drive(&mut quiet());
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(&mut quiet()) {
            return Poll::Ready(frame);
        }
        self.lease.drive(cx);
        Pin::new(&mut self.inner).poll_frame(&mut quiet())
    }
}

impl<T: Unpin> Body for Answered<T> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        match this.poll_inner(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.patience.came();
                if this.inner.is_end_stream() {
                    this.lease.give_back();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => {
                this.lease.give_back();
                Poll::Ready(None)
            }
            Poll::Pending => this.patience.wait(cx).map(|error| Some(Err(error))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
