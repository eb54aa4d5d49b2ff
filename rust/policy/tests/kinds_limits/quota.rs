use std::sync::Arc;

use lockgate_policy::{Counters, Revision, Timestamp};

use crate::support::*;

const HOUR: u64 = 3_600_000_000;
const API_KEY: &str = "{ id: key, kind: api_key }";

/// `NOW` is 2027-01-15T08:00:00Z, a Friday.
fn at(hours: u64) -> Timestamp {
    Timestamp(NOW.0 + hours * HOUR)
}

fn quota(settings: &str) -> Revision {
    compile(&with(&[&format!(
        "{{ id: calls, kind: quota, {settings} }}"
    )]))
}

/// The codes of calls that come so many hours after `NOW`.
fn codes(revision: &Revision, counters: &Arc<Counters>, hours: &[u64]) -> Vec<String> {
    let request = call("GET", "/orders/7", &[]);
    hours
        .iter()
        .map(|hours| answer(revision, counters, at(*hours), &request).0)
        .collect()
}

const OVER: &str = "quota.exceeded";

#[test]
fn a_quota_ends_with_its_window_of_the_calendar() {
    for (settings, hours, expected) in [
        ("limit: 1, per: hour", [0, 0, 1, 1], ["", OVER, "", OVER]),
        ("limit: 1, per: day", [0, 15, 16, 39], ["", OVER, "", OVER]),
        // Berlin's midnight is an hour before that of UTC.
        (
            "limit: 1, per: day, time_zone: Europe/Berlin",
            [0, 14, 15, 38],
            ["", OVER, "", OVER],
        ),
        // Sunday midnight is 64 hours away.
        (
            "limit: 1, per: week",
            [0, 63, 64, 231],
            ["", OVER, "", OVER],
        ),
        // February starts in 16 days and 16 hours.
        (
            "limit: 1, per: month",
            [0, 399, 400, 1071],
            ["", OVER, "", OVER],
        ),
        ("limit: 1, per: 24h", [0, 23, 24, 47], ["", OVER, "", OVER]),
    ] {
        assert_eq!(
            codes(&quota(settings), &Arc::default(), &hours),
            expected,
            "{settings}"
        );
    }
}

#[test]
fn answers_say_what_is_left_and_when_there_is_more() {
    let revision = quota("limit: 2, per: day, legacy_headers: true");
    let counters = Arc::default();
    let request = call("GET", "/orders/7", &[]);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let (code, fields) = answer(&revision, &counters, at(0), &request);
    assert_eq!(code, "");
    assert_eq!(
        fields,
        [
            pair("ratelimit-policy", "\"calls\";q=2;w=86400"),
            pair("ratelimit", "\"calls\";r=1;t=57600"),
            pair("x-ratelimit-limit", "2"),
            pair("x-ratelimit-remaining", "1"),
            pair("x-ratelimit-reset", "57600"),
        ]
    );
    answer(&revision, &counters, at(0), &request);
    let (code, fields) = answer(&revision, &counters, at(1), &request);
    assert_eq!(code, OVER);
    assert_eq!(fields[0], pair("retry-after", "54000"));
    assert_eq!(fields[2], pair("ratelimit", "\"calls\";r=0;t=54000"));
}

#[test]
fn a_month_is_as_long_as_it_is() {
    let revision = quota("limit: 2, per: month");
    let (_, fields) = answer(
        &revision,
        &Arc::default(),
        at(0),
        &call("GET", "/orders", &[]),
    );
    assert_eq!(fields[0].1, "\"calls\";q=2;w=2678400");
}

#[test]
fn a_plan_has_its_own_limit_and_others_have_the_rest() {
    let shop = call("GET", "/orders/7", &[("X-Api-Key", KEY)]);
    for (settings, plan, expected) in [
        ("by_plan: { gold: 2, free: 1 }", "gold", ["", "", OVER]),
        ("by_plan: { gold: 2, free: 1 }", "free", ["", OVER, OVER]),
        ("by_plan: { gold: 2, free: 1 }", "old", ["quota.no_plan"; 3]),
        ("by_plan: { gold: 2 }, limit: 1", "old", ["", OVER, OVER]),
    ] {
        let policy = format!("{{ id: calls, kind: quota, {settings}, per: day }}");
        let text = with(&[API_KEY, &policy]).replace("plan: gold", &format!("plan: {plan}"));
        let (revision, counters) = (compile(&text), Arc::default());
        let codes = [0, 1, 2].map(|hours| answer(&revision, &counters, at(hours), &shop).0);
        assert_eq!(codes, expected, "{settings} {plan}");
    }
}

#[test]
fn another_plan_or_limit_keeps_what_was_counted() {
    let shop = call("GET", "/orders/7", &[("X-Api-Key", KEY)]);
    let policy = "{ id: calls, kind: quota, by_plan: { gold: 2, free: 1 }, per: day }";
    let gold = with(&[API_KEY, policy]);
    let free = compile(&gold.replace("plan: gold", "plan: free"));
    let (gold, counters) = (compile(&gold), Arc::default());
    assert_eq!(answer(&free, &counters, at(0), &shop).0, "");
    assert_eq!(answer(&free, &counters, at(0), &shop).0, OVER);
    assert_eq!(answer(&gold, &counters, at(0), &shop).0, "");
    assert_eq!(answer(&gold, &counters, at(0), &shop).0, OVER);
}

#[test]
fn a_node_that_is_started_again_goes_on_counting() {
    let shared = "{ id: calls, kind: quota, limit: 2, per: day }";
    let revision = compile(&with(&[shared]));
    let before = Arc::new(Counters::default());
    assert_eq!(codes(&revision, &before, &[0]), [""]);
    let saved = serde_json::to_vec(&before.snapshot_quotas()).unwrap();
    let after = Arc::new(Counters::default());
    after.restore_quotas(
        serde_json::from_slice::<Vec<lockgate_policy::SavedQuota>>(&saved).unwrap(),
        at(1),
    );
    assert_eq!(
        codes(&compile(&with(&[shared])), &after, &[1, 2]),
        ["", OVER]
    );
}

#[test]
fn callers_are_counted_one_by_one_or_together() {
    let shop = call("GET", "/orders/7", &[("X-Api-Key", KEY)]);
    let other = call("GET", "/orders/7", &[("X-Api-Key", "lg_other")]);
    let second = format!(
        "applications:\n  other: {{ keys: [{{ sha256: {} }}] }}\n",
        lockgate_config::sha256_hex(b"lg_other")
    );
    for (by, expected) in [("application", ""), ("address", OVER), ("route", OVER)] {
        let policy = format!("{{ id: calls, kind: quota, limit: 1, per: day, by: {by} }}");
        let text = with(&[API_KEY, &policy]).replace("applications:\n", &second);
        let (revision, counters) = (compile(&text), Arc::default());
        assert_eq!(answer(&revision, &counters, at(0), &shop).0, "");
        assert_eq!(
            answer(&revision, &counters, at(0), &other).0,
            expected,
            "{by}"
        );
    }
}

#[test]
fn bad_quotas_say_what_to_write() {
    for (settings, expected) in [
        ("per: day", "the quota has no limit; write `limit: 1000` or"),
        (
            "limit: 0, per: day",
            "a limit of 0 refuses every call; write `deny_all: true` beside it if that is meant",
        ),
        (
            "by_plan: {}, per: day",
            "the mapping is empty; write at least one entry",
        ),
        (
            "by_plan: { gold: 0 }, per: day",
            "a limit of 0 refuses every call",
        ),
        (
            "limit: 1, per: day, deny_all: true",
            "`deny_all` stands beside limits that let calls pass; write `limit: 0` beside it",
        ),
        (
            "limit: -1, per: day",
            "expected a whole number, not negative, found `-1`",
        ),
        ("limit: 1", "the field `per` is missing"),
        (
            "limit: 1, per: fortnight",
            "`fortnight` is not a period; write `hour`, `day`, `week`, `month` or a time such as `24h`",
        ),
        ("limit: 1, per: 0s", "`0s` is not a period"),
        (
            "limit: 1, per: 10ms",
            "shorter than one second; write `per: 1s`",
        ),
        (
            "limit: 1, per: day, time_zone: Europe/Bärlin",
            "`Europe/Bärlin` is not a time zone; write a name of the IANA database",
        ),
        (
            "limit: 1, per: 24h, time_zone: UTC",
            "a rolling time has no time zone; take `time_zone` out",
        ),
        ("limit: 1, per: day, by: adress", "did you mean `address`?"),
        (
            "limit: 1, per: day, timezone: UTC",
            "did you mean `time_zone`?",
        ),
    ] {
        let found = messages(&with(&[&format!(
            "{{ id: calls, kind: quota, {settings} }}"
        )]));
        assert!(found.contains(expected), "{settings}: {found}");
    }
}
