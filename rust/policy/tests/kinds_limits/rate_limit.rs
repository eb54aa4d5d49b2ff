use std::sync::Arc;

use crate::support::*;

#[test]
fn rate_limit_refuses_the_call_after_the_last_and_says_when_to_come_back() {
    let revision = compile(&with(&[
        "{ id: fair, kind: rate_limit, limit: 3, per: 1m }",
    ]));
    let codes = send(&revision, &Arc::default(), (0..5).map(|n| NOW.0 + n));
    assert_eq!(
        codes,
        [
            "",
            "",
            "",
            "rate_limit.exceeded 60",
            "rate_limit.exceeded 60"
        ]
    );
    // A call counts for exactly as long as the window is, wherever windows of the clock would turn.
    let counters = Arc::default();
    send(
        &revision,
        &counters,
        [0, 20, 40].map(|second| NOW.0 + second * 1_000_000),
    );
    let later = send(
        &revision,
        &counters,
        [59_999_999, 60_000_000, 60_000_001, 79_999_999, 80_000_000].map(|after| NOW.0 + after),
    );
    assert_eq!(
        later,
        [
            "rate_limit.exceeded 1",
            "",
            "rate_limit.exceeded 20",
            "rate_limit.exceeded 1",
            ""
        ]
    );
}

#[test]
fn a_limit_of_one_waits_one_window_and_no_longer() {
    let revision = compile(&with(&[
        "{ id: fair, kind: rate_limit, limit: 1, per: 10s }",
    ]));
    let times = [0, 9_999_999, 10_000_000, 19_999_999, 20_000_000].map(|after| NOW.0 + after);
    let second = "rate_limit.exceeded 1";
    assert_eq!(
        send(&revision, &Arc::default(), times),
        ["", second, "", second, ""]
    );
}

#[test]
fn a_refusal_by_the_burst_does_not_use_up_the_limit() {
    let revision = compile(&with(&[
        "{ id: fair, kind: rate_limit, limit: 4, per: 1h, burst: 2 }",
    ]));
    let counters = Arc::default();
    let first = send(&revision, &counters, [NOW.0; 4]);
    assert_eq!(first.iter().filter(|code| code.is_empty()).count(), 2);
    let later = send(
        &revision,
        &counters,
        [NOW.0 + 10_000_000, NOW.0 + 20_000_000, NOW.0 + 30_000_000],
    );
    assert_eq!(later.iter().filter(|code| code.is_empty()).count(), 2);
}

#[test]
fn a_changed_limit_keeps_what_was_counted() {
    let counters = Arc::default();
    send(
        &compile(&with(&[
            "{ id: fair, kind: rate_limit, limit: 3, per: 1m }",
        ])),
        &counters,
        [NOW.0; 3],
    );
    let raised = compile(&with(&[
        "{ id: fair, kind: rate_limit, limit: 4, per: 1m }",
    ]));
    assert_eq!(
        send(&raised, &counters, [NOW.0; 2])
            .iter()
            .filter(|code| code.is_empty())
            .count(),
        1
    );
}

#[test]
fn a_shadow_limit_never_refuses() {
    let revision = compile(&with(&[
        "{ id: fair, kind: rate_limit, limit: 1, per: 1m, mode: shadow }",
    ]));
    assert_eq!(
        send(&revision, &Arc::default(), [NOW.0; 4]),
        ["", "", "", ""]
    );
}

#[test]
fn bad_limits_say_what_to_write() {
    for (settings, expected) in [
        (
            "limit: 0, per: 1m",
            "a limit of 0 refuses every call; write `deny_all: true` beside it",
        ),
        (
            "limit: 5, per: 1m, deny_all: true",
            "`deny_all` stands beside limits that let calls pass; write `limit: 0` beside it",
        ),
        (
            "limit: -1, per: 1m",
            "expected a whole number, not negative",
        ),
        ("limit: 9223372036854775808, per: 1m", "gateway.yaml:17"),
        ("limit: 5, per: 10ms", "shorter than one second"),
        (
            "limit: 5, per: 1m, burst: 6",
            "the burst 6 is larger than the limit 5",
        ),
        (
            "limit: 5, per: 1m, by: aplication",
            "did you mean `application`?",
        ),
        ("limit: 5, per: 1 fortnight", "gateway.yaml:"),
        (
            "limit: 5, per: 1m, by: 'cel:requst.path'",
            "did you mean `request`?",
        ),
        ("limit: 5", "per"),
        ("limit: 5, per: 1m, brust: 2", "did you mean `burst`?"),
    ] {
        let found = messages(&with(&[&format!(
            "{{ id: fair, kind: rate_limit, {settings} }}"
        )]));
        assert!(found.contains(expected), "{settings}: {found}");
    }
}
