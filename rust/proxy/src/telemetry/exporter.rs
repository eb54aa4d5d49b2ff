//! Batches, and when one is sent again.

use std::sync::Arc;
use std::time::Duration;

use lockgate_recording::Redactor;
use opentelemetry_proto::tonic::resource::v1::Resource;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::collector::{Collector, Failed, Refused};
use super::spans::{encoded, spans_of};
use super::{Counts, Ended};

/// The most requests of one export.
const MOST: usize = 1024;
/// How long a request waits for others that go with it.
const DELAY: Duration = Duration::from_secs(1);
/// How often an export is sent, at most.
const TRIES: u32 = 6;
/// The pause after the first try; each further one is twice as long.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest that a collector can make the gateway wait.
const LONGEST: Duration = Duration::from_secs(300);
/// How long the last exports may take when the node stops, or sends its spans elsewhere.
const LAST: Duration = Duration::from_secs(5);

/// Sends what requests left behind.
pub struct Exporter {
    waiting: mpsc::Receiver<Ended>,
    stopped: watch::Receiver<bool>,
    collector: Collector,
    redactor: Redactor,
    resource: Resource,
    counts: Arc<Counts>,
    batch: Vec<Ended>,
    /// Spans of the export that is under way.
    under_way: u64,
}

impl Exporter {
    /// Sends what comes by `waiting`, until `stopped` says so or nothing can come any more.
    pub fn new(
        (waiting, stopped): (mpsc::Receiver<Ended>, watch::Receiver<bool>),
        collector: Collector,
        redactor: Redactor,
        resource: Resource,
        counts: Arc<Counts>,
    ) -> Self {
        Self {
            waiting,
            stopped,
            collector,
            redactor,
            resource,
            counts,
            batch: Vec::new(),
            under_way: 0,
        }
    }

    /// Exports until it is stopped; what waits then is sent, as far as there is time.
    pub async fn run(mut self) {
        let mut stopped = self.stopped.clone();
        let no_more_time = async {
            // It may have been dropped instead, which is the same.
            let _ = stopped.wait_for(|stop| *stop).await;
            sleep(LAST).await;
        };
        let all_sent = tokio::select! {
            () = self.export_all() => true,
            () = no_more_time => false,
        };
        if !all_sent {
            self.give_up();
        }
    }

    async fn export_all(&mut self) {
        while self.collect().await {
            let batch = std::mem::take(&mut self.batch);
            let ended = batch.into_iter();
            let spans = ended.flat_map(|ended| spans_of(ended, &self.redactor));
            let spans: Vec<_> = spans.collect();
            self.under_way = spans.len() as u64;
            let body = encoded(spans, &self.resource);
            self.deliver(body).await;
            self.under_way = 0;
        }
    }

    /// Waits for requests, and a little for those that go with them. `false` when none can come any more.
    async fn collect(&mut self) -> bool {
        let (waiting, batch) = (&mut self.waiting, &mut self.batch);
        let some = async {
            if waiting.recv_many(batch, MOST).await == 0 {
                return;
            }
            let full = async {
                while batch.len() < MOST && waiting.recv_many(batch, MOST - batch.len()).await > 0 {
                }
            };
            let _ = timeout(DELAY, full).await;
        };
        let stopped = tokio::select! {
            biased;
            () = some => false,
            _ = self.stopped.wait_for(|stop| *stop) => true,
        };
        if stopped {
            self.waiting.close();
            while self.batch.len() < MOST
                && let Ok(ended) = self.waiting.try_recv()
            {
                self.batch.push(ended);
            }
        }
        !self.batch.is_empty()
    }

    /// Sends an export until it is taken, refused, or was sent often enough. When the exporter is stopped it is sent once more at once,
    /// unless the collector has said when to come again.
    async fn deliver(&mut self, body: bytes::Bytes) {
        for tries in 1.. {
            let (why, after) = match self.collector.export(body.clone()).await {
                Ok(refused) => return self.taken(&refused),
                Err(Failed::ForNow(why, after)) => (why, Some(after)),
                Err(Failed::ForEver(why)) => (why, None),
            };
            self.counts.say(Some(why));
            let pause = after.and_then(|after| pause(tries, after, random()));
            let Some(pause) = pause.filter(|_| !self.is_stopped()) else {
                break;
            };
            let is_over = tokio::select! {
                () = sleep(pause) => false,
                _ = self.stopped.wait_for(|stop| *stop) => after.flatten().is_some(),
            };
            if is_over {
                break;
            }
        }
        self.counts.failed(self.under_way);
    }

    fn taken(&self, refused: &Refused) {
        let spans = refused.spans.min(self.under_way);
        self.counts.exported(self.under_way - spans);
        self.counts.failed(spans);
        let said = || format!("the collector refused spans: {}", refused.why);
        self.counts.say((spans > 0).then(said));
    }

    /// Whether it was told to stop, or nobody is left to tell it.
    fn is_stopped(&self) -> bool {
        *self.stopped.borrow() || self.stopped.has_changed().is_err()
    }

    fn give_up(&mut self) {
        self.waiting.close();
        let mut left = self.under_way;
        left += self.batch.iter().map(|one| one.traced.spans()).sum::<u64>();
        while let Ok(ended) = self.waiting.try_recv() {
            left += ended.traced.spans();
        }
        self.counts.failed(left);
    }
}

/// How long to wait after so many tries; `None` when they were enough. A collector that said when to come again is not asked before.
/// Nodes do not come back all at once: each adds up to a fifth.
fn pause(tries: u32, after: Option<Duration>, random: u64) -> Option<Duration> {
    if tries >= TRIES {
        return None;
    }
    let pause = after.unwrap_or_else(|| PAUSE * 2_u32.saturating_pow(tries.saturating_sub(1)));
    let pause = pause.min(LONGEST);
    let fifth = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX) / 5;
    Some(pause + Duration::from_millis(random % (fifth + 1)))
}

fn random() -> u64 {
    // Without randomness all nodes wait alike, and nothing worse.
    getrandom::u64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_and_a_collector_is_not_asked_before_it_said() {
        let seconds = |tries, after: Option<u64>, random| {
            let pause = pause(tries, after.map(Duration::from_secs), random)?;
            Some(pause.as_millis())
        };
        let growing: Vec<_> = (1..=TRIES).map(|tries| seconds(tries, None, 0)).collect();
        assert_eq!(
            growing,
            [
                Some(1_000),
                Some(2_000),
                Some(4_000),
                Some(8_000),
                Some(16_000),
                None
            ]
        );
        assert_eq!(seconds(1, None, 200), Some(1_200));
        assert_eq!(seconds(1, None, 201), Some(1_000));
        assert_eq!(seconds(1, Some(30), 0), Some(30_000));
        assert_eq!(seconds(5, Some(0), 9), Some(0));
        assert_eq!(seconds(2, Some(u64::MAX), 0), Some(300_000));
        assert_eq!(seconds(TRIES, Some(1), 0), None);
    }
}
