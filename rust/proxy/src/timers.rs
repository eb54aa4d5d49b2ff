//! Timers of one core, used again.
//!
//! Each request waits with a deadline, and nearly none reaches it. Making a timer puts it into the wheel of the runtime, and
//! dropping it takes it out; moving the deadline of one that is there to a later moment does neither.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, Sleep, sleep_until};

/// The most unused timers that are kept.
const MOST: usize = 1024;

/// Where unused timers wait.
#[derive(Clone, Default)]
pub struct Timers(Arc<Mutex<Vec<Pin<Box<Sleep>>>>>);

impl std::fmt::Debug for Timers {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Timers")
    }
}

/// A timer, until it is dropped.
pub struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    home: Timers,
}

impl Timers {
    /// A timer that ends at `deadline`.
    pub fn until(&self, deadline: Instant) -> Timer {
        let unused = self.0.lock().pop();
        let sleep = match unused {
            Some(mut sleep) => {
                sleep.as_mut().reset(deadline);
                sleep
            }
            None => Box::pin(sleep_until(deadline)),
        };
        Timer {
            sleep: Some(sleep),
            home: self.clone(),
        }
    }

    /// What `future` gives, or nothing when it takes longer than `within` since `began`.
    pub async fn timeout<T>(
        &self,
        (began, within): (Instant, Duration),
        future: impl Future<Output = T>,
    ) -> Option<T> {
        let (mut timer, mut future) = (None, std::pin::pin!(future));
        std::future::poll_fn(|cx| {
            if let Poll::Ready(value) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(value));
            }
            // Far enough when there is no such moment.
            let far = || began + Duration::from_secs(86_400 * 365);
            timer
                .get_or_insert_with(|| self.until(began.checked_add(within).unwrap_or_else(far)))
                .poll_end(cx)
                .map(|()| None)
        })
        .await
    }
}

impl Timer {
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().poll(cx),
            None => Poll::Ready(()),
        }
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_end(cx)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(sleep) = self.sleep.take() {
            let mut unused = self.home.0.lock();
            if unused.len() < MOST {
                unused.push(sleep);
            }
        }
    }
}

impl hyper::rt::Sleep for Timer {}

impl hyper::rt::Timer for Timers {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(self.until(Instant::now() + duration))
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(self.until(deadline.into()))
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn hyper::rt::Sleep>>, deadline: std::time::Instant) {
        *sleep = self.sleep_until(deadline);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_timer_that_is_used_again_ends_at_its_new_deadline() {
        let (timers, start) = (Timers::default(), Instant::now());
        drop(timers.until(start + Duration::from_secs(9)));
        for (deadline, expected) in [(3, 3), (20, 20), (1, 20)] {
            timers.until(start + Duration::from_secs(deadline)).await;
            assert_eq!(start.elapsed().as_secs(), expected);
        }
        assert_eq!(timers.0.lock().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_too_long_is_given_up_and_what_does_not_is_not() {
        let timers = Timers::default();
        let never = std::future::pending::<()>();
        assert_eq!(
            timers
                .timeout((Instant::now(), Duration::from_secs(1)), never)
                .await,
            None
        );
        let soon = tokio::time::sleep(Duration::from_secs(1));
        let waited = timers.timeout((Instant::now(), Duration::MAX), soon).await;
        assert_eq!(waited, Some(()));
    }
}
