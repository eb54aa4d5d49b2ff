//! The socket of a caller, with what hyper does not look after: strict framing, the time for a head, callers that do not read.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::Connection;
use super::framing::{Fed, Framing};

/// A whole request that stands in for one whose first line is malformed. It is refused by its place, whatever it says.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: malformed\r\n\r\n";

/// Bytes of a caller on their way to hyper.
pub struct Guard<T> {
    inner: T,
    framing: Framing,
    connection: Arc<Connection>,
    /// Read, and to be handed on before anything else.
    held: Vec<u8>,
    waits_for_answer: bool,
    /// Nothing that comes is read any more.
    dead: bool,
    head_within: Duration,
    head_ends: Option<Pin<Box<Sleep>>>,
    take_within: Duration,
    take_ends: Option<Pin<Box<Sleep>>>,
}

impl<T> Guard<T> {
    pub fn new(
        inner: T,
        connection: Arc<Connection>,
        max_head: usize,
        head_within: Duration,
        take_within: Duration,
    ) -> Self {
        Self {
            inner,
            framing: Framing::new(max_head),
            connection,
            held: Vec::new(),
            waits_for_answer: false,
            dead: false,
            head_within,
            head_ends: None,
            take_within,
            take_ends: None,
        }
    }

    /// Judges what was read into `buf` behind `before`, and takes back what must not be handed on.
    fn judge(&mut self, buf: &mut ReadBuf<'_>, before: usize) -> io::Result<()> {
        let fed = self
            .framing
            .feed(buf.filled().get(before..).unwrap_or_default());
        match fed {
            Fed::Fine => {}
            Fed::Asks(end) => {
                self.held = buf
                    .filled()
                    .get(before + end..)
                    .unwrap_or_default()
                    .to_vec();
                buf.set_filled(before + end);
                self.connection.ask();
                self.waits_for_answer = true;
            }
            Fed::MalformedHead {
                fine,
                whole_lines,
                started,
                why,
            } => {
                buf.set_filled(before + fine);
                // The head ends here, so that hyper has a request that can be answered with what was wrong.
                self.held = match (started, whole_lines) {
                    (true, true) => b"\r\n".to_vec(),
                    (true, false) => b"\r\n\r\n".to_vec(),
                    (false, true) => STAND_IN.to_vec(),
                    // A part of the line is with hyper already, which finds that it is no request line.
                    (false, false) => b"\r\n\r\n".to_vec(),
                };
                self.connection.mark_malformed(self.framing.heads, why);
                self.dead = true;
            }
            Fed::MalformedBody(why) => {
                buf.set_filled(before);
                self.dead = true;
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
        }
        Ok(())
    }

    /// Takes from what is held.
    fn hand_on(&mut self, buf: &mut ReadBuf<'_>) -> usize {
        let taken = self.held.len().min(buf.remaining());
        buf.put_slice(self.held.get(..taken).unwrap_or_default());
        self.held.drain(..taken);
        taken
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Guard<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.waits_for_answer {
            let changed = ready!(this.connection.poll_answer(cx));
            this.waits_for_answer = false;
            if changed {
                this.framing.change();
            }
        }
        let before = buf.filled().len();
        if !this.held.is_empty() {
            this.hand_on(buf);
            // What stands in for a malformed head has been judged.
            return Poll::Ready(if this.dead {
                Ok(())
            } else {
                this.judge(buf, before)
            });
        }
        if this.dead {
            // Not an end of file: hyper would take it for a caller that left, and answer nothing.
            return Poll::Pending;
        }
        match Pin::new(&mut this.inner).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {
                if buf.filled().len() == before {
                    return Poll::Ready(Ok(()));
                }
                let judged = this.judge(buf, before);
                if !this.framing.within_head() {
                    this.head_ends = None;
                }
                if judged.is_ok() && buf.filled().len() == before && !this.held.is_empty() {
                    this.hand_on(buf);
                }
                Poll::Ready(judged)
            }
            Poll::Ready(error) => Poll::Ready(error),
            Poll::Pending if this.framing.within_head() => {
                let within = this.head_within;
                let timer = this
                    .head_ends
                    .get_or_insert_with(|| Box::pin(sleep(within)));
                ready!(timer.as_mut().poll(cx));
                this.head_ends = None;
                let why = "the head did not come in time";
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T> Guard<T> {
    /// A caller that takes nothing for too long is let go.
    fn taken<R>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if written.is_ready() {
            self.take_ends = None;
            return written;
        }
        let within = self.take_within;
        let timer = self
            .take_ends
            .get_or_insert_with(|| Box::pin(sleep(within)));
        ready!(timer.as_mut().poll(cx));
        timer.as_mut().reset(Instant::now() + within);
        let why = "the caller took nothing of the answer for too long";
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Guard<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.inner).poll_write(cx, buf);
        this.taken(cx, written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.inner).poll_flush(cx);
        this.taken(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.inner).poll_write_vectored(cx, bufs);
        this.taken(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
