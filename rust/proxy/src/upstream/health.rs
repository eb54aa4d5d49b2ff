//! Whether a target is used: what requests showed (passive), and what checks showed (active).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::{Request, header};

use super::{Service, Target};
use crate::body::full;
use crate::clock::since_start;
use crate::core::Core;

/// Failures in a row after which a target is left out.
const FAILURES: u32 = 5;
/// How long it is left out the first time; each further time longer, up to [`LONGEST`].
const SHORTEST: u64 = 10_000_000;
const LONGEST: u64 = 300_000_000;

/// The health of one target. Whether it is really left out is for the balancer: never the last ones (panic threshold).
#[derive(Debug)]
pub struct Health {
    failures: AtomicU32,
    ejections: AtomicU32,
    ejected_until: AtomicU64,
    down: AtomicBool,
    joined: AtomicU64,
}

impl Health {
    pub fn new(joins: bool) -> Self {
        Self {
            failures: AtomicU32::new(0),
            ejections: AtomicU32::new(0),
            ejected_until: AtomicU64::new(0),
            down: AtomicBool::new(false),
            joined: AtomicU64::new(if joins { since_start() } else { 0 }),
        }
    }

    pub fn is_usable(&self, now: u64) -> bool {
        !self.down.load(Ordering::Relaxed) && self.ejected_until.load(Ordering::Relaxed) <= now
    }

    /// When it came, or came back; 0 when it was there from the start.
    pub fn since(&self) -> u64 {
        self.joined
            .load(Ordering::Relaxed)
            .max(self.ejected_until.load(Ordering::Relaxed))
    }

    /// Takes note of how a request fared.
    pub fn observe(&self, failed: bool, now: u64) {
        if !failed {
            self.failures.store(0, Ordering::Relaxed);
            if now
                > self
                    .ejected_until
                    .load(Ordering::Relaxed)
                    .saturating_add(LONGEST)
            {
                self.ejections.store(0, Ordering::Relaxed);
            }
            return;
        }
        if self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= FAILURES && self.is_usable(now) {
            self.failures.store(0, Ordering::Relaxed);
            let times = self.ejections.fetch_add(1, Ordering::Relaxed).min(8);
            let until = now.saturating_add((SHORTEST << times).min(LONGEST));
            self.ejected_until.store(until, Ordering::Relaxed);
        }
    }

    fn set_down(&self, down: bool, now: u64) {
        if self.down.swap(down, Ordering::Relaxed) && !down {
            self.joined.store(now, Ordering::Relaxed);
            // What requests met before it was down says nothing about what came back.
            self.failures.store(0, Ordering::Relaxed);
            self.ejections.store(0, Ordering::Relaxed);
            self.ejected_until.store(0, Ordering::Relaxed);
        }
    }
}

/// How targets are checked.
#[derive(Debug)]
pub struct Check {
    path: String,
    every: Duration,
    within: Duration,
    healthy_after: u32,
    unhealthy_after: u32,
}

impl Check {
    pub fn new(settings: &lockgate_config::Health) -> Self {
        Self {
            path: settings.path.clone(),
            every: settings.every.get(),
            within: settings.within.get(),
            healthy_after: settings.healthy_after.get(),
            unhealthy_after: settings.unhealthy_after.get(),
        }
    }
}

/// What checks of one target showed.
#[derive(Debug)]
struct Checked {
    due: Instant,
    good: u32,
    bad: u32,
    running: Option<tokio::task::JoinHandle<bool>>,
}

/// Checks the targets of whatever generation serves, until it is dropped. One core does it for all.
pub async fn check_forever(core: Arc<Core>) {
    let mut known: HashMap<u64, Checked> = HashMap::new();
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    loop {
        tick.tick().await;
        let mut seen = Vec::new();
        for service in &core.shared.services() {
            let Some(check) = &service.check else {
                continue;
            };
            for target in &service.targets {
                if seen.contains(&target.id()) {
                    continue;
                }
                seen.push(target.id());
                let checked = known.entry(target.id()).or_insert_with(|| Checked {
                    due: Instant::now(),
                    good: 0,
                    bad: 0,
                    running: None,
                });
                step(&core, service, target, check, checked).await;
            }
        }
        known.retain(|id, _| seen.contains(id));
    }
}

async fn step(
    core: &Arc<Core>,
    service: &Arc<Service>,
    target: &Arc<Target>,
    check: &Check,
    checked: &mut Checked,
) {
    if checked
        .running
        .as_ref()
        .is_some_and(|running| running.is_finished())
    {
        let good = match checked.running.take() {
            Some(running) => running.await.unwrap_or(false),
            None => false,
        };
        checked.due = Instant::now() + check.every;
        (checked.good, checked.bad) = if good {
            (checked.good + 1, 0)
        } else {
            (0, checked.bad + 1)
        };
        let health = &target.state.health;
        if checked.bad >= check.unhealthy_after {
            health.set_down(true, since_start());
        } else if checked.good >= check.healthy_after {
            health.set_down(false, since_start());
        }
    }
    if checked.running.is_none() && Instant::now() >= checked.due {
        let ask = ask(
            core.clone(),
            service.clone(),
            target.clone(),
            check.path.clone(),
        );
        let within = check.within;
        checked.running = Some(tokio::spawn(async move {
            tokio::time::timeout(within, ask).await.unwrap_or(false)
        }));
    }
}

/// Asks a target for its health: a status below 400 is good.
async fn ask(core: Arc<Core>, service: Arc<Service>, target: Arc<Target>, path: String) -> bool {
    let path = format!("{}{path}", target.prefix);
    let request = Request::get(path)
        .header(header::HOST, target.authority.as_str())
        .header(header::USER_AGENT, "lockgate-health")
        .body(full(bytes::Bytes::new()));
    let Ok(request) = request else { return false };
    match core.pools.send(&core, &service, &target, request).await {
        Ok((answer, _)) => answer.status().as_u16() < 400,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_failures_in_a_row_take_a_target_out_for_ten_seconds_and_then_longer() {
        let health = Health::new(false);
        for _ in 0..4 {
            health.observe(true, 1);
        }
        health.observe(false, 1);
        for _ in 0..4 {
            health.observe(true, 1);
        }
        assert!(health.is_usable(1), "four in a row are not five");
        health.observe(true, 1);
        assert!(!health.is_usable(SHORTEST) && health.is_usable(SHORTEST + 1));
        for _ in 0..5 {
            health.observe(true, SHORTEST + 1);
        }
        assert!(!health.is_usable(3 * SHORTEST) && health.is_usable(3 * SHORTEST + 1));
    }

    #[test]
    fn a_target_that_comes_back_is_new_for_a_slow_start() {
        let health = Health::new(false);
        assert_eq!(health.since(), 0);
        health.set_down(true, 5);
        assert!(!health.is_usable(6));
        health.set_down(false, 7);
        assert!(health.is_usable(8));
        assert_eq!(health.since(), 7);
    }

    #[test]
    fn a_target_that_checks_find_healthy_again_is_not_left_out_for_what_was_before() {
        let health = Health::new(false);
        for _ in 0..5 {
            health.observe(true, 1);
        }
        health.set_down(true, 2);
        health.set_down(false, 3);
        assert!(health.is_usable(3));
        assert_eq!(health.since(), 3);
    }
}
