//! The journey of a revision.

// The lint exempts test functions only, not what they call.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use lockgate_rollout::{
    Arm, Cause, Change, Command, HardStop, Metric, Needs, Observation, Plan, PlanError, Refused,
    Rollout, Settings, Share, Stage, Step, Verdict, Why,
};
use support::{NEEDS, bad, differs, second, traffic};

/// Shadow for a minute, 5 % and 50 % for a minute each at least, live, and a bake of five minutes.
fn plan() -> Plan {
    let step = |percent| Step {
        share: Share::percent(percent),
        cap: Share::percent(percent).doubled(),
        needs: NEEDS,
    };
    Plan {
        shadow: NEEDS,
        steps: vec![step(5), step(50)],
        live: NEEDS,
        bake: Needs {
            at_least_seconds: 300,
            ..NEEDS
        },
    }
}

fn started() -> Rollout {
    let mut rollout = Rollout::new(plan(), Settings::default(), second(0)).unwrap();
    rollout.command(second(0), Command::Start).unwrap();
    rollout
}

/// Ten seconds of healthy traffic, split as the stage asks for.
fn report(rollout: &mut Rollout, at: u64) -> Option<Verdict> {
    let canary = match rollout.stage() {
        Stage::Shadow => 1_000.0,
        _ => 1_000.0 * rollout.share().fraction(),
    };
    rollout.observe(second(at), traffic(at, canary, 1_000.0 - canary));
    rollout.tick(second(at))
}

/// Goes on with healthy traffic until a stage; gives the time.
fn run_to(rollout: &mut Rollout, from: u64, stage: Stage) -> u64 {
    let mut at = from;
    while rollout.stage() != stage {
        at += 10;
        report(rollout, at);
        assert!(at < from + 10_000, "stays {:?}", rollout.stage());
    }
    at
}

#[test]
fn a_healthy_candidate_goes_all_the_way() {
    let mut rollout = started();
    run_to(&mut rollout, 0, Stage::LastGood);
    let stages: Vec<Stage> = rollout.history().map(|one| one.to).collect();
    let steps = [Stage::Canary { step: 0 }, Stage::Canary { step: 1 }];
    let expected = [
        Stage::Shadow,
        steps[0],
        steps[1],
        Stage::Live,
        Stage::Bake,
        Stage::LastGood,
    ];
    assert_eq!(stages, expected);
    let times: Vec<u64> = rollout
        .history()
        .map(|one| one.at.seconds_since(second(0)))
        .collect();
    let lasted: Vec<u64> = times.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(
        lasted
            .iter()
            .zip([60, 60, 60, 60, 300])
            .all(|(lasted, least)| *lasted >= least),
        "{lasted:?}"
    );
    assert_eq!(
        (rollout.share(), rollout.tick(second(9_999))),
        (Share::ALL, None)
    );
    assert_eq!(
        rollout.command(second(9_999), Command::Abort),
        Err(Refused::Ended)
    );
}

#[test]
fn nothing_is_served_before_the_canary_and_after_a_roll_back() {
    let mut rollout = Rollout::new(plan(), Settings::default(), second(0)).unwrap();
    assert_eq!(
        (rollout.share(), rollout.tick(second(0))),
        (Share::NONE, None)
    );
    rollout.observe(second(0), differs(0, Change::Other, false));
    rollout.command(second(0), Command::Start).unwrap();
    assert!(rollout.ceiling().is_none());
    let at = run_to(&mut rollout, 0, Stage::Canary { step: 0 });
    assert_eq!(rollout.share(), Share::percent(5));
    rollout.observe(
        second(at),
        Observation::HardStop {
            what: HardStop::Panic,
            id: "e".into(),
        },
    );
    let verdict = rollout.tick(second(at)).unwrap();
    assert!(verdict.is_roll_back());
    assert_eq!(
        (rollout.stage(), rollout.share()),
        (Stage::RolledBack, Share::NONE)
    );
    assert!(rollout.ceiling().is_none());
    let last = rollout.history().last().unwrap();
    assert_eq!(
        last.cause,
        Cause::RolledBack {
            why: Why::HardStop {
                what: HardStop::Panic
            }
        }
    );
}

#[test]
fn every_stage_rolls_back() {
    let steps = [Stage::Canary { step: 0 }, Stage::Canary { step: 1 }];
    for stage in [Stage::Shadow, steps[0], steps[1], Stage::Live, Stage::Bake] {
        let mut rollout = started();
        let at = run_to(&mut rollout, 0, stage);
        rollout.observe(second(at), differs(at, Change::NewlyAllowed, false));
        rollout.tick(second(at));
        assert_eq!(rollout.stage(), Stage::RolledBack, "{stage:?}");
    }
}

#[test]
fn bad_answers_of_the_canary_roll_it_back() {
    let mut rollout = started();
    let at = run_to(&mut rollout, 0, Stage::Canary { step: 0 });
    for number in 0..8 {
        rollout.observe(
            second(at),
            bad(at, Metric::ServerError, Arm::Canary, &number.to_string()),
        );
    }
    rollout.tick(second(at));
    assert_eq!(rollout.stage(), Stage::RolledBack);
}

#[test]
fn a_person_pauses_and_goes_on() {
    let mut rollout = started();
    rollout.command(second(1), Command::Pause).unwrap();
    assert_eq!(
        rollout.command(second(1), Command::Pause),
        Err(Refused::AlreadyPaused)
    );
    for at in (10..300).step_by(10) {
        report(&mut rollout, at);
        assert_eq!(
            (rollout.stage(), rollout.is_paused()),
            (Stage::Shadow, true)
        );
    }
    assert_eq!(
        rollout.command(second(300), Command::Promote),
        Err(Refused::PausedByPerson)
    );
    rollout.command(second(300), Command::Start).unwrap();
    assert_eq!(
        rollout.command(second(300), Command::Start),
        Err(Refused::Running)
    );
    report(&mut rollout, 310);
    assert_eq!(rollout.stage(), Stage::Canary { step: 0 });
}

#[test]
fn the_guard_watches_while_a_person_pauses() {
    let mut rollout = started();
    let at = run_to(&mut rollout, 0, Stage::Canary { step: 0 });
    rollout.command(second(at), Command::Pause).unwrap();
    rollout.observe(second(at), differs(at, Change::NewlyRefused, false));
    rollout.tick(second(at));
    assert_eq!(rollout.stage(), Stage::RolledBack);
}

#[test]
fn missing_data_pauses_and_rolls_back_at_the_deadline() {
    let mut rollout = started();
    let at = run_to(&mut rollout, 0, Stage::Canary { step: 0 });
    let why = Why::MissingData { arm: Arm::Canary };
    rollout.tick(second(at + 30));
    assert!(rollout.is_paused());
    assert_eq!(
        rollout.history().last().unwrap().cause,
        Cause::Paused { why }
    );
    assert_eq!(
        rollout.command(second(at + 31), Command::Promote),
        Err(Refused::InDoubt)
    );
    assert_eq!(
        rollout.command(second(at + 31), Command::Start),
        Err(Refused::InDoubt)
    );
    rollout.tick(second(at + 629));
    assert_eq!(rollout.stage(), Stage::Canary { step: 0 });
    rollout.tick(second(at + 630));
    assert_eq!(
        rollout.history().last().unwrap().cause,
        Cause::RolledBack { why }
    );
}

#[test]
fn a_pause_of_the_guard_ends_by_itself() {
    let mut rollout = started();
    rollout.tick(second(40));
    assert!(rollout.is_paused());
    report(&mut rollout, 50);
    assert!(!rollout.is_paused());
    assert_eq!(rollout.history().last().unwrap().cause, Cause::Resumed);
}

#[test]
fn a_stage_that_has_all_it_needs_goes_up_as_soon_as_a_pause_of_the_guard_ends() {
    let mut rollout = started();
    for at in (10..=50).step_by(10) {
        report(&mut rollout, at);
    }
    rollout.tick(second(90));
    assert!(rollout.is_paused());
    report(&mut rollout, 100);
    assert_eq!(rollout.stage(), Stage::Canary { step: 0 });
}

#[test]
fn a_person_may_promote_without_certainty_and_no_sooner_than_the_ceiling_opens() {
    let mut rollout = started();
    rollout.command(second(1), Command::Promote).unwrap();
    assert_eq!(rollout.stage(), Stage::Canary { step: 0 });
    assert_eq!(
        rollout.command(second(2), Command::Promote),
        Err(Refused::TooEarly { seconds: 59 })
    );
    for at in (10..70).step_by(10) {
        report(&mut rollout, at);
    }
    rollout.command(second(61), Command::Promote).unwrap();
    assert_eq!(rollout.stage(), Stage::Canary { step: 1 });
    for at in (70..121).step_by(10) {
        report(&mut rollout, at);
    }
    rollout.command(second(121), Command::Promote).unwrap();
    assert_eq!(rollout.stage(), Stage::Live);
    rollout.command(second(122), Command::Promote).unwrap();
    assert_eq!(
        rollout.command(second(123), Command::Promote),
        Err(Refused::Baking)
    );
    let abort = rollout.command(second(124), Command::Abort).unwrap();
    assert_eq!((abort.from, abort.to), (Stage::Bake, Stage::RolledBack));
}

#[test]
fn a_person_cannot_overrule_what_the_guard_has_seen() {
    let mut rollout = started();
    rollout.observe(second(1), differs(1, Change::NewlyAllowed, false));
    assert_eq!(
        rollout.command(second(1), Command::Promote),
        Err(Refused::InDoubt)
    );
}

#[test]
fn commands_need_a_rollout_that_runs() {
    let mut rollout = Rollout::new(plan(), Settings::default(), second(0)).unwrap();
    for command in [Command::Promote, Command::Pause] {
        assert_eq!(rollout.command(second(0), command), Err(Refused::NotBegun));
    }
    rollout.command(second(0), Command::Abort).unwrap();
    assert_eq!(
        rollout.command(second(0), Command::Start),
        Err(Refused::Ended)
    );
    assert_eq!(
        Refused::TooEarly { seconds: 9 }.to_string(),
        "the next step opens in 9 s; wait, or abort"
    );
}

#[test]
fn the_ceiling_rises_with_time_alone() {
    let mut rollout = started();
    let at = run_to(&mut rollout, 0, Stage::Canary { step: 0 });
    let ceiling = rollout.ceiling().unwrap();
    let shares = [(0, 10), (59, 10), (60, 100), (120, 100)];
    assert_eq!(ceiling.at(second(at - 1)), Share::NONE);
    for (after, percent) in shares {
        assert_eq!(
            ceiling.at(second(at + after)),
            Share::percent(percent),
            "{after}"
        );
    }
}

#[test]
fn a_rollout_that_was_written_down_at_every_step_goes_the_same_way() {
    let mut kept = started();
    let mut straight = started();
    let mut at = 0;
    while !straight.stage().is_end() {
        at += 10;
        report(&mut straight, at);
        report(&mut kept, at);
        let text = serde_json::to_string(&kept).unwrap();
        kept = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (kept.stage(), kept.share()),
            (straight.stage(), straight.share())
        );
    }
    assert!(kept.history().eq(straight.history()));
}

#[test]
fn time_that_goes_back_changes_nothing() {
    let mut rollout = started();
    let at = run_to(&mut rollout, 0, Stage::Canary { step: 0 });
    let before = rollout.history().count();
    for back in [0, 5, at - 1] {
        rollout.tick(second(back));
    }
    assert_eq!(
        (rollout.history().count(), rollout.is_paused()),
        (before, false)
    );
}

#[test]
fn the_history_is_bounded() {
    let mut rollout = started();
    for at in 1..1_000 {
        let command = if at % 2 == 1 {
            Command::Pause
        } else {
            Command::Start
        };
        rollout.command(second(at), command).unwrap();
    }
    assert_eq!(rollout.history().count(), 256);
}

#[test]
fn plans_that_make_no_sense_are_refused() {
    let message = |change: &dyn Fn(&mut Plan)| {
        let mut plan = plan();
        change(&mut plan);
        Rollout::new(plan, Settings::default(), second(0))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        message(&|plan| plan.steps.clear()),
        "`steps` is empty; write at least one, such as a share of 100 (1 %)"
    );
    let many = message(&|plan| plan.steps = vec![plan.steps[0]; 17]);
    assert_eq!(many, "`steps` has 17 steps; write at most 16");
    for (step, share) in [(1, Share::percent(5)), (1, Share::ALL), (0, Share::NONE)] {
        let text = message(&|plan| plan.steps[step].share = share);
        let expected = format!(
            "step {} has a share of {share}; write more than the step before and less than 100 %",
            step + 1
        );
        assert_eq!(text, expected);
    }
    for (step, cap) in [(0, Share::percent(4)), (1, Share::percent(49))] {
        let text = message(&|plan| plan.steps[step].cap = cap);
        let expected = format!(
            "step {} has a cap of {cap}; write at least its share and the cap of the step before",
            step + 1
        );
        assert_eq!(text, expected);
    }
    let never = "cannot be met; write an `at_most_seconds` above `at_least_seconds`, counts from 0, and a `ratio_below` above 1.1 and at \
                 most 20";
    assert_eq!(
        message(&|plan| plan.bake.at_most_seconds = 300),
        format!("the needs of bake {never}")
    );
    assert_eq!(
        message(&|plan| plan.steps[1].needs.requests = f64::NAN),
        format!("the needs of step 2 {never}")
    );
    assert_eq!(
        message(&|plan| plan.shadow.ratio_below = 1.0),
        format!("the needs of shadow {never}")
    );
    assert_eq!(
        message(&|plan| plan.live.at_least_seconds = 0),
        "live needs no time; write an `at_least_seconds` of at least 1"
    );
    let settings = Settings {
        window_seconds: 0,
        ..Settings::default()
    };
    assert!(matches!(
        Rollout::new(plan(), settings, second(0)),
        Err(PlanError::Settings(_))
    ));
    assert_eq!(Plan::default().check(), Ok(()));
}
