//! How often the guard is wrong, and how long it takes to be right: hundreds of simulated rollouts for each row of the table.
//!
//! `cargo test -p lockgate-rollout --test simulation -- --nocapture` prints it. The seeds are fixed, so the figures are the same in
//! every run; thresholds leave them some room. Traffic goes through the real arms and the real cap.

// The lint exempts test functions only, not what they call.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of a simulation"
)]

use std::net::{IpAddr, Ipv4Addr};

use lockgate_rollout::{
    Arm, Arms, BadEvent, Caller, Cap, Exposure, Guard, Metric, Moment, Needs, Observation, Phase,
    Settings, Share, Traffic, Verdict, Why,
};

const START: u64 = 1_780_000_000;
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// The guard's constants were chosen with seeds from 0 on; what is shown and asserted is of others.
const SEEDS: u64 = 1_000_000;
/// Bad answers of a healthy system.
const BASE: f64 = 0.002;

/// SplitMix64 (Steele, Lea & Flood, OOPSLA 2014).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// From 0 to 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// How callers share the traffic.
#[derive(Clone, Copy)]
enum Callers {
    Alike(usize),
    /// The n-th sends 1/n of what the first sends.
    Skewed(usize),
}

/// The probability of a bad answer: seconds since the start, arm, number of the caller (among the canary's callers the first is 0).
type BadRate = fn(f64, Arm, usize) -> f64;

#[derive(Clone, Copy)]
struct World {
    rps: u32,
    seconds: u32,
    share: u8,
    callers: Callers,
    bad: BadRate,
    settings: fn(&mut Settings),
    needs: Needs,
}

/// Never promoted, so that the guard watches to the end.
const WATCH: Needs = Needs {
    at_least_seconds: 1_000_000,
    at_most_seconds: 2_000_000,
    requests: 0.0,
    callers: 0.0,
    ratio_below: 5.0,
};

impl World {
    const fn new(bad: BadRate) -> Self {
        Self {
            rps: 100,
            seconds: 600,
            share: 5,
            callers: Callers::Alike(200),
            bad,
            settings: |_| {},
            needs: WATCH,
        }
    }
}

/// What became of one rollout.
#[derive(Debug, Default)]
struct Outcome {
    rolled_back: Option<(f64, Why)>,
    promoted: Option<f64>,
    paused: bool,
    /// Bad answers that the canary gave until then.
    served_bad: u32,
}

struct Population {
    callers: Vec<Caller>,
    wanted: Vec<bool>,
    /// The rank of each caller among those of its arm.
    rank: Vec<usize>,
    /// Sums of weights.
    weights: Vec<f64>,
    are_alike: bool,
}

impl Population {
    fn new(world: &World, seed: u64) -> Self {
        let arms = Arms::new(&format!("rollout {seed}"), [], []).unwrap();
        let (Callers::Alike(count) | Callers::Skewed(count)) = world.callers;
        let names: Vec<String> = (0..count).map(|number| format!("app-{number}")).collect();
        let share = Share::percent(world.share);
        let weight = |number: usize| match world.callers {
            Callers::Alike(_) => 1.0,
            Callers::Skewed(_) => 1.0 / (number + 1) as f64,
        };
        // What a minute in shadow has shown of them.
        let sent = names.iter().enumerate().map(|(number, name)| {
            let caller = arms.caller(Some(name), NOWHERE);
            (caller, (1_000.0 * weight(number)) as u64)
        });
        let arms = arms.turned(sent, &[share]);
        let is_wanted = |name: &String| arms.arm(share, Some(name), NOWHERE) == Arm::Canary;
        let mut wanted: Vec<bool> = names.iter().map(is_wanted).collect();
        if !wanted.contains(&true) {
            wanted[seed as usize % count] = true;
        }
        let mut sizes = [0, 0];
        let rank = wanted.iter().map(|wanted| {
            let size = &mut sizes[usize::from(*wanted)];
            *size += 1;
            *size - 1
        });
        let rank = rank.collect();
        let mut sum = 0.0;
        let weights = (0..count).map(|number| {
            sum += weight(number);
            sum
        });
        Self {
            callers: names
                .iter()
                .map(|name| arms.caller(Some(name), NOWHERE))
                .collect(),
            weights: weights.collect(),
            are_alike: matches!(world.callers, Callers::Alike(_)),
            wanted,
            rank,
        }
    }

    fn pick(&self, dice: &mut Dice) -> usize {
        let place = dice.unit() * self.weights[self.weights.len() - 1];
        if self.are_alike {
            return place as usize;
        }
        self.weights.partition_point(|sum| *sum <= place)
    }
}

fn simulate(world: &World, seed: u64) -> Outcome {
    let population = Population::new(world, seed);
    let mut dice = Dice(seed);
    let mut settings = Settings::default();
    (world.settings)(&mut settings);
    let share = Share::percent(world.share);
    let cap = share.doubled();
    let start = Moment::from_seconds(START);
    let mut guard = Guard::new(settings, start, Phase::Canary { share, cap }, world.needs).unwrap();
    let mut limiter = Cap::default();
    let mut outcome = Outcome::default();
    let mut requests = [0.0, 0.0];
    let mut seen = vec![[false; 2]; population.callers.len()];
    for number in 1..=world.rps * world.seconds {
        let seconds = f64::from(number) / f64::from(world.rps);
        let now = Moment(start.0 + (seconds * 1e6) as u64);
        let caller = population.pick(&mut dice);
        let is_canary = limiter.admits(now, cap, population.wanted[caller]);
        let arm = if is_canary { Arm::Canary } else { Arm::Control };
        requests[usize::from(is_canary)] += 1.0;
        seen[caller][usize::from(is_canary)] = true;
        let is_bad = dice.unit() < (world.bad)(seconds, arm, population.rank[caller]);
        if is_bad {
            outcome.served_bad += u32::from(is_canary);
            let event = BadEvent {
                at: now,
                id: "e".into(),
                caller: population.callers[caller],
                arm,
                metric: Metric::ServerError,
            };
            guard.observe(now, Observation::Bad(event));
        }
        // Nothing but a bad answer of the canary or a report can end a rollout.
        let is_report = number % world.rps == 0;
        if !(is_report || is_bad && is_canary) {
            continue;
        }
        if is_report {
            let exposure = |arm: usize| Exposure {
                requests: requests[arm],
                callers: seen.iter().filter(|seen| seen[arm]).count() as f64,
            };
            let report = Traffic {
                at: now,
                canary: Some(exposure(1)),
                control: Some(exposure(0)),
            };
            guard.observe(now, Observation::Traffic(report));
            requests = [0.0, 0.0];
            seen.fill([false; 2]);
        }
        match guard.verdict(now) {
            Verdict::RollBack { why, .. } => {
                outcome.rolled_back = Some((seconds, why));
                break;
            }
            Verdict::Promote { .. } => {
                outcome.promoted = Some(seconds);
                break;
            }
            Verdict::Pause { .. } => outcome.paused = true,
            Verdict::Continue { .. } => {}
        }
    }
    outcome
}

/// What became of many.
struct Summary {
    runs: usize,
    rolled_back: usize,
    promoted: usize,
    paused: usize,
    /// Seconds from the moment that matters to the end, sorted; without an end infinite.
    seconds: Vec<f64>,
    served_bad: Vec<u32>,
}

impl Summary {
    fn seconds_at(&self, part: f64) -> f64 {
        self.seconds[(part * (self.runs - 1) as f64) as usize]
    }
}

fn run(name: &str, runs: usize, from: f64, world: World) -> Summary {
    let mut summary = Summary {
        runs,
        rolled_back: 0,
        promoted: 0,
        paused: 0,
        seconds: Vec::new(),
        served_bad: Vec::new(),
    };
    for seed in 0..runs {
        let outcome = simulate(&world, SEEDS + seed as u64);
        let rolled_back = outcome.rolled_back.map(|(at, _)| at);
        summary.rolled_back += usize::from(rolled_back.is_some());
        summary.promoted += usize::from(outcome.promoted.is_some());
        summary.paused += usize::from(outcome.paused);
        let end = rolled_back.or(outcome.promoted);
        summary.seconds.push(end.unwrap_or(f64::INFINITY) - from);
        summary.served_bad.push(outcome.served_bad);
    }
    summary.seconds.sort_by(f64::total_cmp);
    summary.served_bad.sort_unstable();
    let end = |part| match summary.seconds_at(part) {
        seconds if seconds.is_finite() => format!("{seconds:.1}"),
        _ => "-".to_owned(),
    };
    println!(
        "| {name:<58} | {runs:>4} | {:>4} | {:>4} | {:>4} | {:>7} | {:>7} | {:>5} |",
        summary.rolled_back,
        summary.promoted,
        summary.paused,
        end(0.5),
        end(0.95),
        summary.served_bad[runs / 2],
    );
    summary
}

fn head() {
    println!(
        "\n| {:<58} | runs | back | up   | held | s, 50 % | s, 95 % | bad   |",
        "100 requests/s, 5 % canary, 0.2 % bad answers otherwise"
    );
}

#[test]
fn faults_are_caught_within_seconds() {
    head();
    let all = run(
        "all of the canary's answers are bad",
        400,
        0.0,
        World::new(|_, arm, _| match arm {
            Arm::Canary => 1.0,
            Arm::Control => BASE,
        }),
    );
    assert_eq!(all.rolled_back, 400);
    assert!(all.seconds_at(0.92) <= 2.0 && all.seconds_at(0.99) <= 5.0);
    assert!(all.served_bad[200] <= 8);

    let tenth = run(
        "10 % are bad",
        400,
        0.0,
        World::new(|_, arm, _| match arm {
            Arm::Canary => 0.1,
            Arm::Control => BASE,
        }),
    );
    assert_eq!(tenth.rolled_back, 400);
    assert!(tenth.seconds_at(0.5) <= 15.0 && tenth.seconds_at(0.95) <= 35.0);

    let fiftieth = run(
        "2 % are bad",
        100,
        0.0,
        World {
            seconds: 1_800,
            ..World::new(|_, arm, _| match arm {
                Arm::Canary => 0.02,
                Arm::Control => BASE,
            })
        },
    );
    assert_eq!(fiftieth.rolled_back, 100);
    assert!(fiftieth.seconds_at(0.5) <= 180.0);

    let small = run(
        "all are bad, 1 % canary",
        200,
        0.0,
        World {
            share: 1,
            ..World::new(|_, arm, _| match arm {
                Arm::Canary => 1.0,
                Arm::Control => BASE,
            })
        },
    );
    assert_eq!(small.rolled_back, 200);
    assert!(small.seconds_at(0.5) <= 12.0);
}

#[test]
fn what_begins_late_is_caught_as_well() {
    head();
    let late = run(
        "all are bad after 10 healthy minutes",
        100,
        600.0,
        World {
            seconds: 900,
            ..World::new(|at, arm, _| match arm {
                Arm::Canary if at >= 600.0 => 1.0,
                _ => BASE,
            })
        },
    );
    assert_eq!(late.rolled_back, 100);
    assert!(late.seconds_at(0.0) > 0.0 && late.seconds_at(0.95) <= 5.0);

    let tenth = run(
        "10 % are bad after 10 healthy minutes",
        100,
        600.0,
        World {
            seconds: 1_200,
            ..World::new(|at, arm, _| match arm {
                Arm::Canary if at >= 600.0 => 0.1,
                _ => BASE,
            })
        },
    );
    assert_eq!(tenth.rolled_back, 100);
    assert!(tenth.seconds_at(0.0) > 0.0 && tenth.seconds_at(0.5) <= 30.0);
}

#[test]
fn healthy_canaries_are_left_alone() {
    head();
    let healthy = World {
        seconds: 900,
        ..World::new(|_, _, _| BASE)
    };
    let alike = run("healthy, 15 minutes", 400, 0.0, healthy);
    assert_eq!(alike.rolled_back, 0);

    let skewed = run(
        "healthy, few callers have most of the traffic",
        200,
        0.0,
        World {
            seconds: 900,
            callers: Callers::Skewed(200),
            ..healthy
        },
    );
    assert!(skewed.rolled_back <= 1);

    let few = run(
        "healthy, 1 request/s of 20 callers, 2 hours",
        200,
        0.0,
        World {
            rps: 1,
            seconds: 7_200,
            callers: Callers::Alike(20),
            ..healthy
        },
    );
    assert!(few.rolled_back <= 1);
}

#[test]
fn what_befalls_both_arms_is_not_blamed_on_the_canary() {
    head();
    let surge = run(
        "20 times as many bad answers on both arms, 5 minutes",
        300,
        0.0,
        World {
            seconds: 420,
            ..World::new(|at, _, _| {
                if (60.0..360.0).contains(&at) {
                    20.0 * BASE
                } else {
                    BASE
                }
            })
        },
    );
    assert!(surge.rolled_back <= 1);

    let outage = World {
        seconds: 240,
        ..World::new(|at, _, _| {
            if (60.0..120.0).contains(&at) {
                1.0
            } else {
                BASE
            }
        })
    };
    let alike = run("outage of both arms, 1 minute", 300, 0.0, outage);
    assert!(alike.rolled_back <= 1);

    let skewed = run(
        "the same, few callers have most of the traffic",
        300,
        0.0,
        World {
            callers: Callers::Skewed(200),
            ..outage
        },
    );
    assert!(skewed.rolled_back <= 1);
}

#[test]
fn one_callers_errors_hold_a_rollout_and_do_not_roll_it_back() {
    head();
    let one: BadRate = |at, arm, rank| match arm {
        Arm::Canary if rank == 0 && (60.0..180.0).contains(&at) => 1.0,
        _ => BASE,
    };
    let burst = run(
        "one caller of the canary fails for 2 minutes",
        300,
        0.0,
        World::new(one),
    );
    assert!(burst.rolled_back <= 6);

    let every = World {
        settings: |settings| settings.window_seconds = 1,
        ..World::new(one)
    };
    let every = run("the same, counted once per second", 100, 0.0, every);
    assert!(every.rolled_back <= 3);
}

#[test]
fn healthy_canaries_are_promoted() {
    head();
    let needs = Needs {
        at_least_seconds: 60,
        at_most_seconds: 14_400,
        requests: 300.0,
        callers: 1.0,
        ratio_below: 5.0,
    };
    let healthy = World {
        needs,
        seconds: 3_600,
        settings: |settings| settings.metrics = vec![Metric::ServerError],
        ..World::new(|_, _, _| BASE)
    };
    let step = run("healthy, to the end of the step", 100, 0.0, healthy);
    assert!(step.promoted == 100 && step.seconds_at(0.5) <= 900.0);

    let clean = run(
        "no bad answers at all, to the end of the step",
        100,
        0.0,
        World {
            bad: |_, _, _| 0.0,
            ..healthy
        },
    );
    assert_eq!(clean.promoted, 100);

    // The bound on the ratio is below 5, or the rate below 0.5 %: neither is true here.
    let worse = run(
        "8 times as bad, never promoted before it is caught",
        200,
        0.0,
        World {
            bad: |_, arm, _| match arm {
                Arm::Canary => 8.0 * BASE,
                Arm::Control => BASE,
            },
            ..healthy
        },
    );
    assert!(worse.promoted <= 2 && worse.rolled_back >= 198);
}

#[test]
fn what_cannot_be_reached_is_known() {
    head();
    let double = run(
        "twice as bad, 30 minutes: too little to be seen",
        50,
        0.0,
        World {
            seconds: 1_800,
            ..World::new(|_, arm, _| match arm {
                Arm::Canary => 2.0 * BASE,
                Arm::Control => BASE,
            })
        },
    );
    assert!(double.rolled_back < 25);

    let lonely = run(
        "all bad, but a single caller is in the canary",
        50,
        0.0,
        World {
            share: 1,
            callers: Callers::Alike(20),
            ..World::new(|_, arm, _| match arm {
                Arm::Canary => 1.0,
                Arm::Control => BASE,
            })
        },
    );
    assert_eq!(lonely.rolled_back, 50);
    assert!(lonely.seconds_at(0.5) > 10.0);
}
