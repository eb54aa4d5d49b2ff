//! Who is in the canary, and how much it gets at most.

// The lint exempts test functions only, not what they call.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::cast_precision_loss, reason = "counts of a test")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lockgate_rollout::{Arm, Arms, Caller, Cap, Moment, Share};
use proptest::prelude::*;

const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn arms(salt: &str) -> Arms {
    Arms::new(salt, [], []).unwrap()
}

fn share() -> impl Strategy<Value = Share> {
    (0_u16..=10_000).prop_map(|hundredths| hundredths.try_into().unwrap())
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(bits.into())),
        any::<u128>().prop_map(|bits| IpAddr::V6(bits.into())),
    ]
}

proptest! {
    #[test]
    fn who_is_in_stays_in_as_the_share_grows(
        salt in ".{0,20}", application in proptest::option::of(".{0,20}"), client in address(), one in share(), other in share()
    ) {
        let arms = arms(&salt);
        let (less, more) = (one.min(other), one.max(other));
        let arm = |share| arms.arm(share, application.as_deref(), client);
        prop_assert!(arm(less) == Arm::Control || arm(more) == Arm::Canary);
        prop_assert_eq!(arm(Share::NONE), Arm::Control);
        prop_assert_eq!(arm(Share::ALL), Arm::Canary);
    }

    #[test]
    fn a_turn_brings_the_steps_closer_to_what_was_asked_for_and_lets_nobody_out_again(
        salt in ".{0,20}", sent in proptest::collection::vec(1_u64..1_000, 1..300)
    ) {
        let steps = [Share::percent(5), Share::percent(25)];
        let plain = arms(&salt);
        let names: Vec<String> = (0..sent.len()).map(|number| format!("app-{number}")).collect();
        let callers = names.iter().map(|name| plain.caller(Some(name), NOWHERE));
        let turned = plain.turned(callers.zip(sent.iter().copied()), &steps);
        let is_in = |arms: &Arms, share, name: &str| arms.arm(share, Some(name), NOWHERE) == Arm::Canary;
        let miss = |arms: &Arms| -> f64 {
            let parts = steps.iter().flat_map(|step| {
                let part = |weight: fn(u64) -> u64| {
                    let all: u64 = sent.iter().map(|sent| weight(*sent)).sum();
                    let is_in = |(name, _): &(&String, _)| is_in(arms, *step, name);
                    let canary: u64 = names.iter().zip(&sent).filter(is_in).map(|(_, sent)| weight(*sent)).sum();
                    canary as f64 / all as f64 / step.fraction() - 1.0
                };
                [part(|sent| sent), part(|_| 1)]
            });
            parts.map(|part| part * part).sum()
        };
        prop_assert!(miss(&turned) <= miss(&plain) + 1e-9);
        for name in &names {
            prop_assert!(!is_in(&turned, steps[0], name) || is_in(&turned, steps[1], name));
            prop_assert_eq!(plain.caller(Some(name), NOWHERE), turned.caller(Some(name), NOWHERE));
        }
    }

    #[test]
    fn a_cap_holds_when_everybody_is_put_into_the_canary(
        ceiling in share(), gaps in proptest::collection::vec(0_u64..5_000_000, 1..2_000)
    ) {
        let mut cap = Cap::default();
        let (mut now, mut admitted) = (0, 0_u32);
        for gap in &gaps {
            now += gap;
            admitted += u32::from(cap.admits(Moment(now), ceiling, true));
        }
        let windows = f64::from(u32::try_from(now / 10_000_000).unwrap());
        let all = f64::from(u32::try_from(gaps.len()).unwrap());
        prop_assert!(f64::from(admitted) <= ceiling.fraction().mul_add(all, windows.mul_add(0.5, 1.0)));
    }
}

#[test]
fn places_are_the_same_in_every_release() {
    // Computed by another implementation of SipHash-2-4. Another value here moves callers of running rollouts from one arm to the other.
    let arms = arms("rollout-1");
    let v6 = |last| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 7, 1, 0, 0, 0, last));
    let callers = [
        arms.caller(Some("shop"), NOWHERE),
        arms.caller(Some(""), NOWHERE),
        arms.caller(None, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))),
        arms.caller(None, v6(1)),
        Caller::named("shop"),
    ];
    assert_eq!(
        callers.map(|Caller(hash)| hash),
        [
            8_540_232_642_262_391_035,
            13_311_643_909_623_390_569,
            8_312_496_644_421_834_460,
            1_227_775_483_670_255_346,
            2_746_866_703_698_198_579,
        ]
    );
    assert_eq!(
        arms.caller(None, v6(1)),
        arms.caller(None, v6(2)),
        "one /64 network is one caller"
    );
    let mapped = IpAddr::V6(Ipv4Addr::new(192, 0, 2, 7).to_ipv6_mapped());
    assert_eq!(
        arms.caller(None, mapped),
        callers[2],
        "one address, two spellings"
    );
}

#[test]
fn shares_are_what_was_asked_for_and_differ_between_rollouts() {
    let (one, other) = (arms("one"), arms("other"));
    for hundredths in [100, 500, 2_500, 5_000] {
        let share = Share::try_from(hundredths).unwrap();
        let (mut canary, mut both) = (0.0, 0.0);
        for number in 0..40_000 {
            let name = format!("application-{number}");
            let is_in = |arms: &Arms| arms.arm(share, Some(&name), NOWHERE) == Arm::Canary;
            if is_in(&one) {
                canary += 1.0;
                both += f64::from(u8::from(is_in(&other)));
            }
        }
        let wanted = share.fraction();
        let near = |value: f64, of: f64| {
            // Five standard deviations of a binomial count.
            (value - of * wanted).abs() <= 5.0 * (of * wanted * (1.0 - wanted)).sqrt()
        };
        assert!(near(canary, 40_000.0), "{share}: {canary}");
        assert!(near(both, canary), "{share}: {both} of {canary} again");
    }
}

#[test]
fn chosen_applications_are_first_and_excluded_ones_wait_for_live() {
    let list = |name: &str| [name.to_owned()];
    let arms = Arms::new("r", list("chosen"), list("excluded")).unwrap();
    let arm = |hundredths: u16, name| arms.arm(hundredths.try_into().unwrap(), Some(name), NOWHERE);
    assert_eq!(arm(1, "chosen"), Arm::Canary);
    assert_eq!(arm(0, "chosen"), Arm::Control);
    assert_eq!(arm(9_999, "excluded"), Arm::Control);
    assert_eq!(arm(10_000, "excluded"), Arm::Canary);
    let both = Arms::new("r", list("a"), list("a")).unwrap_err();
    assert_eq!(
        both.to_string(),
        "`a` is chosen for the canary and excluded from it; remove it from one of the lists"
    );
}

#[test]
fn a_share_is_at_most_everything_and_reads_as_percent() {
    assert_eq!(
        Share::try_from(10_001).unwrap_err().to_string(),
        "`10001` is no share; write hundredths of a percent from 0 to 10000, such as 500 for 5 %"
    );
    assert_eq!(Share::percent(5).to_string(), "5 %");
    assert_eq!(Share::try_from(105).unwrap().to_string(), "1.05 %");
    assert_eq!(Share::percent(60).doubled(), Share::ALL);
    assert!(serde_json::from_str::<Share>("10001").is_err());
}

#[test]
fn chosen_and_excluded_applications_stay_what_they_are_and_weigh_nothing_in_a_turn() {
    let named = |name: &str| [name.to_owned()];
    let arms = Arms::new("salt", named("first"), named("last")).unwrap();
    let sent = |loud: u64| {
        let names = ["first", "last", "one", "two", "three"];
        let callers = names.map(|name| arms.caller(Some(name), NOWHERE));
        callers
            .into_iter()
            .zip([loud, loud, 1, 1, 1])
            .collect::<Vec<_>>()
    };
    let step = Share::percent(30);
    let turned = arms.turned(sent(1_000_000), &[step]);
    assert_eq!(turned, arms.turned(sent(1), &[step]));
    assert_eq!(turned.arm(step, Some("first"), NOWHERE), Arm::Canary);
    assert_eq!(turned.arm(step, Some("last"), NOWHERE), Arm::Control);
    let is_in = |name: &&str| turned.arm(step, Some(name), NOWHERE) == Arm::Canary;
    assert_eq!(
        ["one", "two", "three"]
            .iter()
            .filter(|name| is_in(name))
            .count(),
        1
    );
}
