//! What the guard says of what it sees.

// The lint exempts test functions only, not what they call.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use lockgate_rollout::{
    Arm, Change, Evidence, Exposure, Guard, HardStop, Metric, Needs, Observation, Phase, Settings,
    Share, Traffic, Verdict, Waiting, Why,
};
use support::{NEEDS, bad, differs, second, traffic};

const CANARY: Phase = Phase::Canary {
    share: Share::percent(5),
    cap: Share::percent(10),
};

fn guard_with(change: impl FnOnce(&mut Settings)) -> Guard {
    let mut settings = Settings::default();
    change(&mut settings);
    Guard::new(settings, second(0), CANARY, NEEDS).unwrap()
}

fn guard() -> Guard {
    guard_with(|_| {})
}

fn rolled_back(verdict: Verdict) -> (Why, Evidence) {
    match verdict {
        Verdict::RollBack { why, evidence } => (why, evidence),
        other => panic!("not rolled back: {other:?}"),
    }
}

fn paused(verdict: Verdict) -> Why {
    match verdict {
        Verdict::Pause { why, .. } => why,
        other => panic!("not paused: {other:?}"),
    }
}

/// Reports of both arms every ten seconds.
fn healthy(guard: &mut Guard, seconds: std::ops::Range<u64>) {
    for at in seconds.step_by(10) {
        guard.observe(second(at), traffic(at, 50.0, 950.0));
    }
}

#[test]
fn a_hard_stop_rolls_back_at_the_first() {
    for what in [
        HardStop::Panic,
        HardStop::TasterDied,
        HardStop::LastGoodNotWritten,
    ] {
        let mut guard = guard();
        guard.observe(
            second(1),
            Observation::HardStop {
                what,
                id: "log-7".into(),
            },
        );
        let (why, evidence) = rolled_back(guard.verdict(second(1)));
        assert_eq!(why, Why::HardStop { what });
        assert_eq!(evidence.events[0].id.as_str(), "log-7");
    }
}

#[test]
fn a_difference_outside_the_approved_diff_rolls_back_though_every_answer_is_200() {
    let mut guard = guard();
    guard.observe(second(1), differs(1, Change::NewlyRefused, true));
    assert!(!guard.verdict(second(1)).is_roll_back());
    guard.observe(second(2), differs(2, Change::NewlyAllowed, false));
    let (why, evidence) = rolled_back(guard.verdict(second(2)));
    assert_eq!(
        why,
        Why::Decisions {
            change: Change::NewlyAllowed
        }
    );
    assert_eq!((evidence.value, evidence.threshold), (1.0, 0.0));
    assert_eq!(evidence.events[0].id.as_str(), "request-2");
}

#[test]
fn a_budget_of_differences_is_used_up_before_it_rolls_back() {
    let mut guard = guard_with(|settings| settings.unapproved_differences = 2);
    for at in 1..=2 {
        guard.observe(second(at), differs(at, Change::NewlyRefused, false));
        assert!(!guard.verdict(second(at)).is_roll_back());
    }
    guard.observe(second(3), differs(3, Change::Other, false));
    assert_eq!(rolled_back(guard.verdict(second(3))).1.events.len(), 3);
}

/// A canary of so many callers whose every answer is bad, five requests a second; when it is rolled back.
fn collapsing(callers: u64) -> u64 {
    let mut guard = guard();
    for at in 1..=120 {
        for number in 0..5 {
            let caller = format!("app-{}", (5 * at + number) % callers);
            guard.observe(
                second(at),
                bad(at, Metric::ServerError, Arm::Canary, &caller),
            );
        }
        guard.observe(second(at), traffic(at, 5.0, 95.0));
        if guard.verdict(second(at)).is_roll_back() {
            return at;
        }
    }
    panic!("not rolled back");
}

#[test]
fn callers_count_each_second_while_a_canary_of_few_has_nothing_but_bad_answers() {
    assert!(
        collapsing(2) <= 4 && collapsing(3) <= 3,
        "{} {}",
        collapsing(2),
        collapsing(3)
    );
    // One caller alone may have a trouble of its own.
    assert!(collapsing(1) >= 30);
}

#[test]
fn callers_count_once_in_a_window_while_others_of_the_canary_are_served_well_or_the_control_arm_fails_too()
 {
    for (good, control) in [(10.0, 0), (0.0, 40)] {
        let mut guard = guard();
        for at in 1..=8 {
            for number in 0..5 {
                let caller = format!("app-{}", number % 3);
                guard.observe(
                    second(at),
                    bad(at, Metric::ServerError, Arm::Canary, &caller),
                );
            }
            for number in 0..control {
                let caller = format!("control-{number}");
                guard.observe(
                    second(at),
                    bad(at, Metric::ServerError, Arm::Control, &caller),
                );
            }
            guard.observe(second(at), traffic(at, 5.0 + good, 95.0));
            assert!(!guard.verdict(second(at)).is_roll_back());
        }
    }
}

#[test]
fn bad_answers_of_several_callers_roll_back_with_the_events_that_show_it() {
    let mut guard = guard();
    let mut needed = 0;
    while !guard.verdict(second(1)).is_roll_back() {
        needed += 1;
        guard.observe(
            second(1),
            bad(1, Metric::Timeout, Arm::Canary, &format!("app-{needed}")),
        );
        assert!(needed < 10);
    }
    let (why, evidence) = rolled_back(guard.verdict(second(1)));
    assert_eq!(
        why,
        Why::Worse {
            metric: Metric::Timeout
        }
    );
    assert!(evidence.value >= evidence.threshold);
    // Six metrics at a thousandth each.
    assert!((evidence.threshold - 6_000.0).abs() < 1e-6);
    assert_eq!(evidence.canary.counted, needed);
    assert_eq!(evidence.events.len() as u64, needed);
    assert_eq!(evidence.events[0].id.as_str(), "app-1@1");
}

#[test]
fn what_is_rolled_back_stays_so_and_keeps_its_evidence() {
    let mut guard = guard();
    guard.observe(second(1), differs(1, Change::Other, false));
    let verdict = guard.verdict(second(1));
    healthy(&mut guard, 10..500);
    guard.observe(second(500), differs(500, Change::NewlyAllowed, false));
    assert_eq!(guard.verdict(second(500)), verdict);
}

#[test]
fn a_caller_counts_once_in_a_window() {
    let mut guard = guard();
    for _ in 0..1_000 {
        guard.observe(second(12), bad(12, Metric::ServerError, Arm::Canary, "one"));
    }
    guard.observe(second(19), bad(19, Metric::ServerError, Arm::Canary, "one"));
    guard.observe(second(20), bad(20, Metric::ServerError, Arm::Canary, "one"));
    guard.observe(second(20), differs(20, Change::Other, false));
    let (_, evidence) = rolled_back(guard.verdict(second(20)));
    assert_eq!((evidence.canary.bad, evidence.canary.counted), (1_002, 2));
}

#[test]
fn one_caller_of_many_holds_the_rollout_until_its_errors_end() {
    let mut guard = guard();
    for at in (10..=100).step_by(10) {
        guard.observe(second(at), traffic(at, 50.0, 950.0));
        guard.observe(second(at), bad(at, Metric::ServerError, Arm::Canary, "one"));
    }
    let metric = Metric::ServerError;
    assert_eq!(
        paused(guard.verdict(second(100))),
        Why::OneCaller { metric }
    );
    healthy(&mut guard, 110..200);
    assert!(matches!(
        guard.verdict(second(190)),
        Verdict::Continue { .. }
    ));
    for caller in ["two", "three", "four", "five", "six"] {
        guard.observe(second(191), bad(191, metric, Arm::Canary, caller));
    }
    assert!(guard.verdict(second(191)).is_roll_back());
}

#[test]
fn one_caller_that_goes_on_failing_is_rolled_back_at_the_deadline() {
    let mut guard = guard();
    let mut at = 0;
    let why = loop {
        at += 10;
        guard.observe(second(at), traffic(at, 50.0, 950.0));
        guard.observe(second(at), bad(at, Metric::ServerError, Arm::Canary, "one"));
        if let Verdict::RollBack { why, .. } = guard.verdict(second(at)) {
            break why;
        }
    };
    assert_eq!(
        why,
        Why::OneCaller {
            metric: Metric::ServerError
        }
    );
    assert!((600..700).contains(&at), "{at}");
}

#[test]
fn a_canary_of_one_caller_is_judged_by_it() {
    let mut guard = guard();
    for at in (10..=100).step_by(10) {
        guard.observe(second(at), traffic(at, 5.0, 95.0));
        guard.observe(second(at), bad(at, Metric::ServerError, Arm::Canary, "one"));
    }
    assert!(guard.verdict(second(100)).is_roll_back());
}

#[test]
fn a_metric_that_is_not_listed_is_ignored() {
    let mut guard = guard_with(|settings| settings.metrics = vec![Metric::Slow]);
    for number in 0..100 {
        guard.observe(
            second(1),
            bad(1, Metric::Refusal, Arm::Canary, &number.to_string()),
        );
    }
    assert!(!guard.verdict(second(1)).is_roll_back());
}

/// A report of which something is missing or wrong.
fn broken(at: u64, canary: Option<f64>, control: Option<f64>) -> Observation {
    let exposure = |requests| Exposure {
        requests,
        callers: 5.0,
    };
    Observation::Traffic(Traffic {
        at: second(at),
        canary: canary.map(exposure),
        control: control.map(exposure),
    })
}

#[test]
fn absent_impossible_and_late_reports_pause_and_roll_back_at_the_deadline() {
    type Report = fn(u64) -> Option<Observation>;
    let reports: [(&str, Arm, Report); 7] = [
        ("none", Arm::Canary, |_| None),
        ("without the canary", Arm::Canary, |at| {
            Some(broken(at, None, Some(950.0)))
        }),
        ("without the control arm", Arm::Control, |at| {
            Some(broken(at, Some(50.0), None))
        }),
        ("not a number", Arm::Canary, |at| {
            Some(broken(at, Some(f64::NAN), Some(950.0)))
        }),
        ("infinite", Arm::Control, |at| {
            Some(broken(at, Some(50.0), Some(f64::INFINITY)))
        }),
        ("negative", Arm::Canary, |at| {
            Some(broken(at, Some(-1.0), Some(950.0)))
        }),
        ("late", Arm::Canary, |at| {
            Some(broken(at.saturating_sub(100), Some(50.0), Some(950.0)))
        }),
    ];
    for (name, arm, report) in reports {
        let mut guard = guard();
        healthy(&mut guard, 10..101);
        let seen = (110..1_000).step_by(10).find_map(|at| {
            if let Some(report) = report(at) {
                guard.observe(second(at), report);
            }
            match guard.verdict(second(at)) {
                Verdict::Pause { why, deadline, .. } => {
                    assert_eq!(
                        (why, deadline),
                        (Why::MissingData { arm }, second(730)),
                        "{name}"
                    );
                    assert!(at < 730, "{name}");
                    None
                }
                Verdict::RollBack { why, .. } => Some((at, why)),
                _ => {
                    assert!(at < 130, "{name}: nothing said at {at}");
                    None
                }
            }
        });
        assert_eq!(seen, Some((730, Why::MissingData { arm })), "{name}");
        let is_wrong = !["none", "without the canary", "without the control arm"].contains(&name);
        assert_eq!(guard.unusable() > 0, is_wrong, "{name}");
    }
}

#[test]
fn a_pause_ends_when_what_was_missing_is_there_again() {
    let mut guard = guard();
    assert_eq!(
        paused(guard.verdict(second(40))),
        Why::MissingData { arm: Arm::Canary }
    );
    guard.observe(second(50), traffic(50, 50.0, 950.0));
    assert!(matches!(
        guard.verdict(second(50)),
        Verdict::Continue { .. }
    ));
    assert!(
        matches!(guard.verdict(second(90)), Verdict::Pause { deadline, .. } if deadline == second(690))
    );
}

#[test]
fn late_bad_events_are_told_apart_from_none() {
    let mut guard = guard();
    for number in 0..50 {
        guard.observe(
            second(100),
            bad(10, Metric::ServerError, Arm::Canary, &number.to_string()),
        );
    }
    assert_eq!(guard.unusable(), 50);
    assert!(!guard.verdict(second(100)).is_roll_back());
}

#[test]
fn a_canary_over_its_cap_is_rolled_back() {
    let mut guard = guard();
    for at in (10..=30).step_by(10) {
        guard.observe(second(at), traffic(at, 500.0, 500.0));
    }
    let (why, evidence) = rolled_back(guard.verdict(second(30)));
    assert_eq!(why, Why::OverCap);
    assert!(evidence.value > 0.4 && (evidence.threshold - 0.1).abs() < 1e-9);
}

#[test]
fn promotion_needs_time_exposure_and_certainty() {
    let mut guard = guard();
    healthy(&mut guard, 10..51);
    let Verdict::Continue { waiting_for } = guard.verdict(second(50)) else {
        panic!("not waiting");
    };
    let words: Vec<_> = waiting_for
        .iter()
        .map(|waiting| match waiting {
            Waiting::Seconds { .. } => "seconds",
            Waiting::Requests { .. } => "requests",
            Waiting::Callers { .. } => "callers",
            Waiting::Certainty { .. } => "certainty",
        })
        .collect();
    assert_eq!(words[..2], ["seconds", "requests"]);
    assert_eq!(words[2..], ["certainty"; 6]);
    // 500 requests are there after 100 s; certainty that fewer than 0.5 % are bad takes some more.
    healthy(&mut guard, 60..121);
    let Verdict::Continue { waiting_for } = guard.verdict(second(120)) else {
        panic!("not waiting");
    };
    assert!(
        waiting_for
            .iter()
            .all(|one| matches!(one, Waiting::Certainty { .. }))
    );
    healthy(&mut guard, 130..401);
    let Verdict::Promote { bounds } = guard.verdict(second(400)) else {
        panic!("not promoted");
    };
    assert_eq!(bounds.len(), 6);
    assert!(
        bounds
            .iter()
            .all(|one| one.rate_upper <= 0.005 && one.ratio_upper.is_none())
    );
}

#[test]
fn a_stage_that_does_not_show_enough_pauses_and_is_rolled_back() {
    let mut guard = guard();
    for at in (10..5_000).step_by(10) {
        guard.observe(second(at), traffic(at, 0.0, 1.0));
        match guard.verdict(second(at)) {
            Verdict::Continue { .. } => assert!(at < 3_600),
            Verdict::Pause { why, .. } => {
                assert!((3_600..4_200).contains(&at));
                assert_eq!(why, Why::NotEnoughEvidence);
            }
            Verdict::RollBack { why, .. } => {
                assert_eq!((at, why), (4_200, Why::NotEnoughEvidence));
                return;
            }
            Verdict::Promote { .. } => panic!("promoted without traffic"),
        }
    }
    panic!("never rolled back");
}

#[test]
fn shadow_over_its_budget_pauses() {
    let mut guard = Guard::new(Settings::default(), second(0), Phase::Shadow, NEEDS).unwrap();
    guard.observe(
        second(1),
        Observation::ShadowCost {
            cpu_share: f64::NAN,
        },
    );
    assert!(matches!(guard.verdict(second(1)), Verdict::Continue { .. }));
    guard.observe(second(2), Observation::ShadowCost { cpu_share: 0.2 });
    assert_eq!(paused(guard.verdict(second(2))), Why::ShadowCost);
}

/// A guard whose candidate serves everybody since second 1,000; one of a hundred of the control arm's answers was bad.
fn alone() -> Guard {
    let mut guard = guard();
    for at in (10..1_000).step_by(10) {
        guard.observe(second(at), traffic(at, 50.0, 950.0));
        let arm = if at % 200 == 0 {
            Arm::Canary
        } else {
            Arm::Control
        };
        guard.observe(second(at), bad(at, Metric::ServerError, arm, "one"));
        guard.observe(
            second(at),
            bad(at, Metric::ServerError, Arm::Control, "two"),
        );
    }
    let needs = Needs {
        requests: 1e9,
        ..NEEDS
    };
    guard.enter(second(1_000), Phase::Alone, needs);
    guard
}

#[test]
fn more_bad_answers_than_before_pause_a_candidate_that_is_live_until_they_end() {
    let mut guard = alone();
    let step = |guard: &mut Guard, at: u64, failing: u32| {
        for number in 0..failing {
            guard.observe(
                second(at),
                bad(at, Metric::ServerError, Arm::Canary, &number.to_string()),
            );
        }
        guard.observe(second(at), traffic(at, 1_000.0, 0.0));
        guard.verdict(second(at))
    };
    for at in (1_010..1_300).step_by(10) {
        assert!(
            matches!(step(&mut guard, at, 2), Verdict::Continue { .. }),
            "{at}"
        );
    }
    let metric = Metric::ServerError;
    assert_eq!(
        paused(step(&mut guard, 1_300, 100)),
        Why::AboveBaseline { metric }
    );
    let healthy_again = (1_310..1_800)
        .step_by(10)
        .find(|at| matches!(step(&mut guard, *at, 2), Verdict::Continue { .. }));
    assert!(
        healthy_again.is_some_and(|at| at < 1_500),
        "{healthy_again:?}"
    );
    let rolled_back = (1_800..3_000)
        .step_by(10)
        .find(|at| step(&mut guard, *at, 100).is_roll_back());
    assert_eq!(rolled_back, Some(2_400));
}

#[test]
fn a_guard_that_was_written_down_goes_on_where_it_was() {
    let mut kept = guard();
    for at in (10..200).step_by(10) {
        kept.observe(second(at), traffic(at, 50.0, 950.0));
        kept.observe(second(at), bad(at, Metric::Slow, Arm::Control, "one"));
        kept.observe(second(at), bad(at, Metric::Slow, Arm::Canary, "two"));
        let text = serde_json::to_string(&kept).unwrap();
        let mut read: Guard = serde_json::from_str(&text).unwrap();
        let (old, new) = (kept.verdict(second(at)), read.verdict(second(at)));
        assert_eq!(std::mem::discriminant(&old), std::mem::discriminant(&new));
        assert_eq!(kept.unusable(), read.unusable());
        kept = read;
    }
    assert!(serde_json::to_string(&kept).unwrap().len() < 20_000);
}

#[test]
fn memory_is_bounded_whatever_arrives() {
    let mut guard = guard_with(|settings| settings.false_alarm = 1e-9);
    for number in 0..50_000_u32 {
        let arm = if number % 20 == 0 {
            Arm::Canary
        } else {
            Arm::Control
        };
        guard.observe(second(1), bad(1, Metric::Refusal, arm, &number.to_string()));
    }
    // Callers of one window, and the last events.
    assert!(serde_json::to_string(&guard).unwrap().len() < 1_000_000);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let message = |change: fn(&mut Settings)| {
        let mut settings = Settings::default();
        change(&mut settings);
        settings.check().unwrap_err().to_string()
    };
    assert_eq!(
        message(|settings| settings.metrics.clear()),
        "`metrics` is empty; list at least one, such as `server_error`"
    );
    assert_eq!(
        message(|settings| settings.metrics = vec![Metric::Slow, Metric::Refusal, Metric::Slow]),
        "`metrics` names one twice; list each once"
    );
    type Wrong = (fn(&mut Settings), &'static str);
    let wrong: [Wrong; 9] = [
        (
            |settings| settings.false_alarm = 0.0,
            "`false_alarm` is out of range; write a number above 0 and at most 0.1",
        ),
        (
            |settings| settings.false_promotion = f64::NAN,
            "`false_promotion` is out of range; write a number above 0 and at most 0.1",
        ),
        (
            |settings| settings.tolerable_rate = 0.0,
            "`tolerable_rate` is out of range; write a number from 0.002 to 0.5",
        ),
        (
            |settings| settings.horizon_events = f64::INFINITY,
            "`horizon_events` is out of range; write a number from 1 to 1000000000",
        ),
        (
            |settings| settings.shadow_cpu_share = 1.5,
            "`shadow_cpu_share` is out of range; write a number above 0 and at most 1",
        ),
        (
            |settings| settings.window_seconds = 0,
            "`window_seconds` is out of range; write a number from 1 to 86400",
        ),
        (
            |settings| settings.missing_after_seconds = 0,
            "`missing_after_seconds` is out of range; write a number from 1 to 86400",
        ),
        (
            |settings| settings.deadline_seconds = 86_401,
            "`deadline_seconds` is out of range; write a number from 1 to 86400",
        ),
        (
            |settings| settings.false_alarm = 0.2,
            "`false_alarm` is out of range; write a number above 0 and at most 0.1",
        ),
    ];
    for (change, expected) in wrong {
        assert_eq!(message(change), expected);
    }
}

#[test]
fn an_id_is_kept_up_to_128_bytes() {
    let id: lockgate_rollout::EventId = "é".repeat(100).into();
    assert_eq!(id.as_str(), "é".repeat(64));
}
