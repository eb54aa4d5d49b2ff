//! Limits, quotas and requests in flight, counted through a recording.

use super::*;

#[test]
fn limits_count_through_the_recording_and_say_while_they_warm_up() {
    let limit = |most: u64| {
        keyed(&[&format!(
            "{{ id: fair, kind: rate_limit, limit: {most}, per: 10s }}"
        )])
    };
    // Answers take long and end in another order than their requests came in; what counts is when those came.
    let calls: Vec<Call<'_>> = (0..40)
        .map(|number| Call {
            latency: number % 3 * 4 * SECOND,
            ..call("/orders/7", &[("x-api-key", KEY)])
        })
        .collect();
    let recorded = record(&limit(20), &calls);
    nothing_differs(&recorded, &limit(20));
    let report = recorded.replay(&limit(20), &limit(5));
    // One a second, five in ten seconds: every second five pass and five do not.
    assert_eq!(
        groups(&report),
        [(
            "newly_refused",
            "shop".into(),
            "- rate_limit.exceeded".into(),
            20
        )]
    );
    let warming: Vec<_> = report
        .warming_up
        .iter()
        .map(|row| (row.by, row.until - START, row.requests))
        .collect();
    assert_eq!(
        warming,
        [("base", 11 * SECOND, 10), ("candidate", 11 * SECOND, 10)]
    );
}

#[test]
fn quotas_go_on_from_what_was_used_when_the_recording_began() {
    let quota = |most: u64| {
        keyed(&[&format!(
            "{{ id: day, kind: quota, limit: {most}, per: day }}"
        )])
    };
    let (base, candidate) = (quota(100), quota(15));
    let counters = Arc::new(Counters::default());
    let by_shop = call("/orders/7", &[("x-api-key", KEY)]);
    for number in 0..10 {
        decide(&compile(&base), &counters, START + number, &by_shop);
    }
    let recorded = record(&base, &vec![by_shop; 10]);
    let unknown = recorded.replay(&base, &candidate);
    assert_eq!(
        (unknown.totals.newly_refused, unknown.warming_up.len()),
        (0, 2)
    );
    let usage = serde_json::to_value(counters.snapshot_quotas()).unwrap();
    let again = Recorded::begun(recorded.events, usage);
    let report = again.replay(&base, &candidate);
    assert!(report.recording.usage_known);
    // Ten were used before, five more fit, five do not.
    assert_eq!(
        (report.totals.newly_refused, report.warming_up.len()),
        (5, 0)
    );
}

#[test]
fn requests_in_flight_are_held_as_long_as_they_took() {
    let most = |most: u64| keyed(&[&format!("{{ id: busy, kind: concurrency, limit: {most} }}")]);
    let slow = Call {
        latency: 5 * SECOND / 2,
        ..call("/orders/7", &[("x-api-key", KEY)])
    };
    let recorded = record(&most(9), &vec![slow; 6]);
    nothing_differs(&recorded, &most(9));
    let report = recorded.replay(&most(9), &most(2));
    assert_eq!(
        groups(&report),
        [(
            "newly_refused",
            "shop".into(),
            "- concurrency.exceeded".into(),
            2
        )]
    );
}
