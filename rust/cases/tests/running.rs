//! Cases fail when the gateway does something else than they expect, and say what.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use lockgate_cases::{Bench, CaseReport, Report, Suite};
use lockgate_policy::{ExplainRequest, Timestamp};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

const DOCUMENT: &str = "lockgate: 1
purposes: optional
upstreams: { orders: { targets: [\"http://127.0.0.1:9001\"] } }
applications: { shop: { plan: gold }, kiosk: {} }
apis:
  orders:
    versions:
      v1:
        base: /orders
        upstream: orders
        policies:
          - { id: key, kind: api_key, in: { query: key } }
          - { id: fair, kind: rate_limit, limit: 2, per: 1m }
          - { id: one, kind: concurrency, limit: 1 }
          - { id: tidy, kind: headers, request: { set: { X-Tenant: shop } }, response: { set: { X-By: gateway } } }
        routes:
          - { id: remove, match: { methods: [DELETE], path: /all }, policies: [{ id: may, kind: require, plans: [gold] }] }
";

fn suite(cases: &str) -> Suite {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cases.yaml");
    std::fs::write(folder.path().join("gateway.yaml"), DOCUMENT).unwrap();
    std::fs::write(&path, format!("gateway: gateway.yaml\ncases:\n{cases}")).unwrap();
    Suite::read(&path, None).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn only(cases: &str) -> CaseReport {
    let mut reports = suite(cases).run(NOW);
    assert_eq!(reports.len(), 1);
    reports.remove(0)
}

/// What failed, as `what: expected, came`.
fn failures(expect: &str) -> Vec<String> {
    let report = only(&format!(
        "  - {{ name: a, request: {{ url: /orders/7, application: shop }}, expect: {{ {expect} }} }}"
    ));
    let failures = report
        .failures
        .into_iter()
        .map(|failure| failure.difference);
    failures
        .map(|differs| format!("{}: {}, {}", differs.what, differs.expected, differs.came))
        .collect()
}

#[test]
fn everything_that_is_expected_is_compared() {
    for (expect, failure) in [
        ("decision: refuse", "decision: refuse, forward"),
        ("decision: forward, code: a", "code: a, nothing"),
        ("decision: forward, status: 404", "status: 404, 200"),
        (
            "decision: forward, application: kiosk",
            "application: kiosk, shop",
        ),
        ("decision: forward, route: remove", "route: remove, *"),
        (
            "decision: forward, headers: { X-By: me }",
            "header X-By: me, gateway",
        ),
        (
            "decision: forward, headers: { X-None: me }",
            "header X-None: me, nothing",
        ),
        (
            "decision: forward, without: [x-by]",
            "header x-by: nothing, gateway",
        ),
        ("decision: forward, body: a", "body: a, "),
        (
            "decision: forward, policies: { fair: deny }",
            "policy fair: deny, allow",
        ),
        (
            "decision: forward, policies: { fairr: allow }",
            "policy fairr: a policy of the route, no such policy",
        ),
        (
            "decision: forward, forwarded: { path: / }",
            "forwarded path: /, /7",
        ),
        (
            "decision: forward, forwarded: { query: a }",
            "forwarded query: a, nothing",
        ),
        (
            "decision: forward, forwarded: { headers: { X-Tenant: me } }",
            "forwarded header X-Tenant: me, shop",
        ),
        (
            "decision: forward, forwarded: { without: [X-Tenant] }",
            "forwarded header X-Tenant: nothing, shop",
        ),
        (
            "decision: forward, forwarded: { cache: true }",
            "cache: used, not used",
        ),
    ] {
        assert_eq!(failures(expect), [failure], "{expect}");
    }
    let all = "decision: forward, status: 200, application: shop, route: '*', headers: { x-by: gateway }, without: [X-None], \
               body: '', policies: { key: allow, fair: allow }, forwarded: { path: /7, query: '', headers: { x-tenant: shop }, cache: false }";
    assert_eq!(failures(all), [""; 0]);
}

#[test]
fn a_fact_that_nobody_asks_for_fails_the_case() {
    let said = |url: &str| {
        let report = only(&format!(
            "  - {{ name: a, request: {{ url: {url} }}, facts: [unavailable, unavailable], expect: {{ decision: refuse }} }}"
        ));
        let [failure] = report.failures.as_slice() else {
            panic!("{:?}", report.failures)
        };
        (
            failure.difference.what.clone(),
            failure.difference.came.clone(),
        )
    };
    let expected = ("facts".to_owned(), "2 that nobody asked for".to_owned());
    assert_eq!(said("/orders/7"), expected);
    assert_eq!(said("/nowhere"), expected);
}

#[test]
fn a_bench_keeps_counters_and_knows_every_application() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.yaml");
    std::fs::write(&path, DOCUMENT).unwrap();
    let bench = Bench::open(&path).unwrap();
    let call = |application, seconds: u64| {
        let request = ExplainRequest {
            method: "GET".into(),
            url: "/orders/7".into(),
            ..ExplainRequest::default()
        };
        let now = Timestamp::from_seconds(1_800_000_000 + seconds);
        bench
            .call(request, application, now)
            .map(|trace| trace.code.unwrap_or_default())
    };
    let codes: Vec<String> = (0..3).map(|at| call(Some("shop"), at).unwrap()).collect();
    assert_eq!(codes, ["", "", "rate_limit.exceeded"]);
    assert_eq!(call(Some("kiosk"), 3).unwrap(), "");
    assert_eq!(call(None, 3).unwrap(), "api_key.missing");
    assert_eq!(call(Some("shop"), 61).unwrap(), "");
    assert_eq!(
        call(Some("shpo"), 61).unwrap_err(),
        "unknown application `shpo`; did you mean `shop`?"
    );
    std::fs::write(&path, DOCUMENT.replace("limit: 2", "limit: 0")).unwrap();
    let problems = Bench::open(&path).unwrap_err();
    let problem = problems.first().unwrap();
    assert!(
        problem.file.ends_with("gateway.yaml") && problem.line > 1,
        "{problem}"
    );
}

#[test]
fn steps_share_counters_and_a_clock_and_cases_do_not() {
    let call = "request: { url: /orders/7, application: shop }";
    let forward = "expect: { decision: forward }";
    let refuse =
        "expect: { decision: refuse, code: rate_limit.exceeded, headers: { Retry-After: \"10\" } }";
    let case = |name: &str| {
        format!(
            "  - name: {name}\n    steps:\n      - {{ times: 2, {call}, {forward} }}\n      - {{ after: 50s, {call}, {refuse} }}\n      - {{ after: 10s, {call}, {forward} }}\n"
        )
    };
    for report in suite(&(case("a") + &case("b"))).run(NOW) {
        assert_eq!((report.failures.len(), report.steps), (0, 4), "{report:?}");
    }
    let report = only(&format!(
        "  - {{ name: a, steps: [{{ times: 3, {call}, {forward} }}] }}"
    ));
    assert_eq!(report.failures.first().map(|failure| failure.step), Some(3));
}

#[test]
fn a_request_in_flight_holds_its_place_for_as_many_steps_as_it_says() {
    let step = |url: &str, more: &str, decision: &str| {
        format!(
            "{{ {more} request: {{ url: '{url}', application: shop }}, expect: {{ decision: {decision} }} }}"
        )
    };
    let steps = [
        step("/orders/1", "in_flight: 1,", "forward"),
        step("/orders/2", "", "refuse"),
        step("/orders/3", "after: 1h,", "forward"),
    ];
    let report = only(&format!("  - {{ name: a, steps: [{}] }}", steps.join(", ")));
    assert!(report.failures.is_empty(), "{report:?}");
}

#[test]
fn the_key_of_an_application_goes_where_the_route_looks_and_is_not_forwarded() {
    let report = only(
        "  - { name: a, request: { url: '/orders/7?a=1', application: kiosk }, expect: { decision: forward, application: kiosk, forwarded: { query: a=1 } } }",
    );
    assert!(report.failures.is_empty(), "{report:?}");
}

#[test]
fn coverage_counts_what_each_route_and_policy_has_done() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("gateway.yaml"), DOCUMENT).unwrap();
    let write = |name: &str, case: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("gateway: gateway.yaml\ncases:\n{case}")).unwrap();
        path
    };
    let files = [
        write(
            "a.yaml",
            "  - { name: a, request: { url: /orders/7, application: shop }, expect: { decision: forward } }\n",
        ),
        write(
            "b.yaml",
            "  - { name: b, request: { method: DELETE, url: /orders/all, application: kiosk }, expect: { decision: refuse } }\n",
        ),
    ];
    // Both files are of one gateway, although they call as different applications.
    let report = Report::run(&files, None, NOW).unwrap();
    let [coverage] = report.coverage.as_slice() else {
        panic!("{report:?}")
    };
    let routes: Vec<_> = coverage
        .routes
        .iter()
        .map(|route| (&*route.id, route.allowed, route.refused, route.can_refuse))
        .collect();
    assert_eq!(routes, [("remove", 0, 1, true), ("*", 1, 0, true)]);
    let policies: Vec<_> = coverage
        .policies
        .iter()
        .map(|policy| {
            (
                &*policy.id,
                policy.allowed,
                policy.denied,
                policy.can_refuse,
            )
        })
        .collect();
    assert_eq!(
        policies,
        [
            ("key", 2, 0, true),
            ("may", 0, 1, true),
            ("fair", 1, 0, true),
            ("one", 1, 0, true),
            ("tidy", 1, 0, false)
        ]
    );
}
