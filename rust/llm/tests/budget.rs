//! Budgets under fire.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use lockgate_llm::budget::{Account, Need, Outstanding, Reservation};
use proptest::prelude::*;

fn needs(accounts: &[&Arc<Account>], amount: u64) -> Vec<Need> {
    accounts
        .iter()
        .map(|account| Need {
            account: Arc::clone(account),
            amount,
        })
        .collect()
}

#[test]
fn ten_thousand_concurrent_calls_cannot_overspend() {
    let (application, team) = (
        Arc::new(Account::new(1_000_000, 0)),
        Arc::new(Account::new(700_003, 0)),
    );
    let spent = AtomicU64::new(0);
    let granted = AtomicU64::new(0);
    thread::scope(|scope| {
        for worker in 0..8_u64 {
            let (application, team, spent, granted) = (&application, &team, &spent, &granted);
            scope.spawn(move || {
                for call in 0..1_250_u64 {
                    let worst = 500 + (worker * 131 + call * 17) % 1_000;
                    let Ok(reservation) =
                        Reservation::take(needs(&[application, team], worst), 0, 60)
                    else {
                        continue;
                    };
                    assert!(application.settled() + application.held() <= 1_000_000);
                    granted.fetch_add(1, Ordering::Relaxed);
                    match call % 4 {
                        0 => reservation.release(),
                        1 => {
                            spent.fetch_add(worst, Ordering::Relaxed);
                            drop(reservation);
                        }
                        2 => {
                            spent.fetch_add(worst, Ordering::Relaxed);
                            reservation.settle(&[None, None]);
                        }
                        _ => {
                            let used = worst / 3;
                            spent.fetch_add(used, Ordering::Relaxed);
                            reservation.settle(&[Some(used), Some(used)]);
                        }
                    }
                }
            });
        }
    });
    let spent = spent.load(Ordering::Relaxed);
    assert!(granted.load(Ordering::Relaxed) > 500);
    assert!(spent <= 700_003, "{spent}");
    for account in [&application, &team] {
        assert_eq!((account.settled(), account.held()), (spent, 0));
    }
}

#[test]
fn all_accounts_are_held_or_none() {
    let (rich, poor) = (
        Arc::new(Account::new(100, 0)),
        Arc::new(Account::new(10, 5)),
    );
    let refused = Reservation::take(needs(&[&rich, &poor], 6), 0, 60).unwrap_err();
    assert_eq!(
        (refused.index, refused.limit, refused.left, refused.needed),
        (1, 10, 5, 6)
    );
    assert_eq!(
        refused.to_string(),
        "a budget has 5 left of 10, and the call may need 6"
    );
    assert_eq!((rich.held(), poor.held()), (0, 0));
}

#[test]
fn what_was_used_beyond_the_hold_is_charged_and_ends_the_budget() {
    let account = Arc::new(Account::new(100, 0));
    let reservation = Reservation::take(needs(&[&account], 50), 0, 60).unwrap();
    reservation.settle(&[Some(120)]);
    assert_eq!(
        (account.settled(), account.held(), account.left()),
        (120, 0, 0)
    );
    assert!(Reservation::take(needs(&[&account], 1), 0, 60).is_err());
    account.set_limit(200);
    assert_eq!(account.left(), 80);
}

#[test]
fn an_explicit_nothing_is_nothing_and_an_unknown_is_everything() {
    let account = Arc::new(Account::new(100, 0));
    Reservation::take(needs(&[&account], 50), 0, 60)
        .unwrap()
        .settle(&[Some(0)]);
    assert_eq!((account.settled(), account.held()), (0, 0));
    Reservation::take(needs(&[&account], 50), 0, 60)
        .unwrap()
        .settle(&[]);
    assert_eq!((account.settled(), account.held()), (50, 0));
}

#[test]
fn a_call_of_which_nobody_heard_is_charged_when_its_time_is_over() {
    let account = Arc::new(Account::new(100, 0));
    let outstanding = Outstanding::default();
    let reservation = Reservation::take(needs(&[&account], 40), 1_000, 60).unwrap();
    outstanding.watch(&reservation);
    assert_eq!(outstanding.expire(1_059), 0);
    assert_eq!(outstanding.expire(1_060), 1);
    assert_eq!((account.settled(), account.held()), (40, 0));
    // It ends after all.
    reservation.settle(&[Some(15)]);
    assert_eq!((account.settled(), account.held()), (15, 0));
    assert_eq!(outstanding.expire(2_000), 0);
}

#[test]
fn a_late_call_that_used_more_is_charged_more() {
    let account = Arc::new(Account::new(100, 0));
    let outstanding = Outstanding::default();
    let reservation = Reservation::take(needs(&[&account], 40), 0, 60).unwrap();
    outstanding.watch(&reservation);
    outstanding.expire(60);
    reservation.settle(&[Some(55)]);
    assert_eq!((account.settled(), account.held()), (55, 0));
}

#[test]
fn expiry_and_settlement_at_once_charge_once() {
    for _ in 0..500 {
        let account = Arc::new(Account::new(100, 0));
        let outstanding = Outstanding::default();
        let reservation = Reservation::take(needs(&[&account], 40), 0, 0).unwrap();
        outstanding.watch(&reservation);
        thread::scope(|scope| {
            scope.spawn(|| outstanding.expire(1));
            scope.spawn(|| reservation.settle(&[Some(10)]));
        });
        let settled = account.settled();
        // Either the settlement came first, or it corrected the charge.
        assert_eq!((settled, account.held()), (10, 0));
    }
}

proptest! {
    #[test]
    fn no_order_of_acts_loses_or_invents_anything(acts in prop::collection::vec((0_u8..4, 0_u64..50, 0_u64..80), 1..60)) {
        let account = Arc::new(Account::new(1_000, 0));
        let outstanding = Outstanding::default();
        let mut open = Vec::new();
        let mut expected = 0;
        for (act, amount, used) in acts {
            match act {
                0 => if let Ok(reservation) = Reservation::take(needs(&[&account], amount), 0, 60) {
                    outstanding.watch(&reservation);
                    open.push((reservation, amount));
                },
                1 => if let Some((reservation, _)) = open.pop() { reservation.release() },
                2 => if let Some((reservation, _)) = open.pop() {
                    reservation.settle(&[Some(used)]);
                    expected += used;
                },
                _ => if let Some((reservation, amount)) = open.pop() {
                    drop(reservation);
                    expected += amount;
                },
            }
            let held: u64 = open.iter().map(|(_, amount)| amount).sum();
            prop_assert_eq!((account.settled(), account.held()), (expected, held));
        }
    }
}
