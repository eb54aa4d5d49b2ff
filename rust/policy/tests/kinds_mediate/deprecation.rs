use http::Method;
use lockgate_policy::{Form, Outcome, Progress, Step, Trace, problem_response, read_time};

use super::{judged, values};
use crate::support::*;

const TIMES: &str = "since: 2026-11-01, sunset: 2027-05-01, successor: v2";

fn gateway(settings: &str) -> String {
    let policy = format!("{{ id: retire, kind: deprecation, {settings} }}");
    let v2 = "      v2: { base: /orders/v2, upstream: orders }\n";
    with(&[&policy]) + v2
}

fn at(gateway: &str, time: &str) -> Trace {
    let mut request = call("GET", "/orders/7", &[]);
    request.at = Some(time.to_owned());
    trace(gateway, &request)
}

#[test]
fn every_answer_says_since_when_until_when_and_where_to_go() {
    let gateway = gateway(&format!(
        "{TIMES}, docs: \"https://example.com/v2\", sunset_docs: /docs/sunset"
    ));
    let answer = at(&gateway, "2026-10-01");
    assert_eq!(answer.decision, "forward");
    assert_eq!(values(&answer, "deprecation"), ["@1793491200"]);
    assert_eq!(values(&answer, "sunset"), ["Sat, 01 May 2027 00:00:00 GMT"]);
    assert_eq!(
        values(&answer, "link"),
        [
            "<https://example.com/v2>; rel=\"deprecation\"",
            "</docs/sunset>; rel=\"sunset\"",
            "</orders/v2>; rel=\"successor-version\"",
        ]
    );
    let least = at(
        &self::gateway("since: 2026-11-01T12:00:00+02:00"),
        "2026-10-01",
    );
    assert_eq!(values(&least, "deprecation"), ["@1793527200"]);
    assert!(values(&least, "sunset").is_empty() && values(&least, "link").is_empty());
}

#[test]
fn a_brown_out_refuses_for_a_while_and_names_the_successor() {
    let gateway = gateway(&format!(
        "{TIMES}, brownouts: [{{ from: 2027-01-15T08:00:00Z, until: 2027-01-15T09:00:00Z }}, {{ days: [fri], at: \"08:30\", for: 1h }}]"
    ));
    for (time, wait) in [
        ("2027-01-15T07:59:59Z", None),
        ("2027-01-15T08:00:00Z", Some("3600")),
        // Both hold: the later end counts.
        ("2027-01-15T08:45:00Z", Some("2700")),
        ("2027-01-15T09:29:59.5Z", Some("1")),
        ("2027-01-15T09:30:00Z", None),
        ("2027-01-16T08:30:00Z", None),
        ("2027-01-22T08:30:00Z", Some("3600")),
        // Before `since`, and past the sunset.
        ("2026-10-30T08:30:00Z", None),
        ("2027-05-07T08:30:00Z", None),
    ] {
        let answer = at(&gateway, time);
        match wait {
            None => assert_eq!(answer.decision, "forward", "{time}"),
            Some(wait) => {
                assert_eq!(
                    (answer.status, code(&answer)),
                    (Some(503), "deprecation.brownout"),
                    "{time}"
                );
                assert_eq!(values(&answer, "retry-after"), [wait], "{time}");
                assert_eq!(values(&answer, "sunset").len(), 1);
                assert_eq!(
                    answer.remedy.unwrap(),
                    "call version `v2` under `/orders/v2`; until then try again after `Retry-After`"
                );
            }
        }
    }
}

#[test]
fn the_status_of_a_brown_out_and_the_end_can_be_410() {
    let gone = gateway(&format!(
        "{TIMES}, brownout_status: 410, brownouts: [{{ at: \"00:00\", for: 24h }}], after_sunset: refuse"
    ));
    let brownout = at(&gone, "2027-01-15T08:00:00Z");
    assert_eq!(
        (brownout.status, code(&brownout)),
        (Some(410), "deprecation.brownout_gone")
    );
    let end = at(&gone, "2027-05-01");
    assert_eq!((end.status, code(&end)), (Some(410), "deprecation.sunset"));
    assert!(values(&end, "retry-after").is_empty());
    assert_eq!(end.remedy.unwrap(), "call version `v2` under `/orders/v2`");
    assert_eq!(at(&gateway(TIMES), "2027-05-01").decision, "forward");
}

#[test]
fn a_problem_carries_the_remedy_and_the_successor() {
    let revision = compile(&gateway(&format!(
        "{TIMES}, brownouts: [{{ at: \"08:00\", for: 1h }}]"
    )));
    let now = read_time("2027-01-15T08:00:00Z").unwrap();
    let step = judged(&revision, (&Method::GET, now), |route, view, env| {
        route.advance(view, &mut Progress::default(), env)
    });
    let Step::Decided(Outcome::Refuse(refusal)) = step else {
        panic!("{step:?}")
    };
    let answer = problem_response(&refusal, "1", Form::Json);
    let problem: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
    assert!(
        problem["remedy"]
            .as_str()
            .unwrap()
            .starts_with("call version `v2`")
    );
    assert_eq!(
        problem["successor"],
        serde_json::json!({ "version": "v2", "base": "/orders/v2" })
    );
}

#[test]
fn bad_settings_say_what_to_write() {
    for (settings, expected) in [
        ("since: soon", "`soon` is not a time; write a date"),
        (
            "since: 2027-01-01, sunset: 2026-01-01",
            "the sunset `2026-01-01` lies before `since`",
        ),
        (
            "since: 2027-01-01, successor: v3",
            "unknown version `v3` of `orders`; did you mean `v2`?",
        ),
        (
            "since: 2027-01-01, successor: v1",
            "the version `v1` cannot succeed itself",
        ),
        (
            "since: 2027-01-01, after_sunset: refuse",
            "refuses nobody; write `sunset`",
        ),
        (
            "since: 2027-01-01, brownout_status: 404",
            "`404` is not the status of a brown-out; write 503 or 410",
        ),
        (
            "since: 2027-01-01, docs: example.com",
            "`example.com` is not the address of a page; write a URL",
        ),
        (
            "since: 2027-01-01, docs: \"https://a.example/>; rel=x\"",
            "is not the address of a page",
        ),
        ("since: 2027-01-01, brownouts: []", "the list is empty"),
        (
            "since: 2027-01-01, brownouts: [{}]",
            "this says no time; write `from` and `until`, or `at: 10:00` and `for: 30m`",
        ),
        (
            "since: 2027-01-01, brownouts: [{ at: \"10:00\" }]",
            "this says no time",
        ),
        (
            "since: 2027-01-01, brownouts: [{ at: \"25:00\", for: 1h }]",
            "`25:00` is not a time of the day; write one such as `10:00`",
        ),
        (
            "since: 2027-01-01, brownouts: [{ at: \"10:00\", for: 25h }]",
            "`25h` is longer than a day",
        ),
        (
            "since: 2027-01-01, brownouts: [{ at: \"10:00\", for: 1h, time_zone: Mars }]",
            "`Mars` is not a time zone",
        ),
        (
            "since: 2027-01-01, brownouts: [{ at: \"10:00\", for: 1h, days: [someday] }]",
            "unknown value `someday`",
        ),
        (
            "since: 2027-01-01, brownouts: [{ from: 2027-02-02, until: 2027-02-01 }]",
            "`2027-02-01` is not after `2027-02-02`",
        ),
        (
            "since: 2027-01-01, brownouts: [{ from: 2027-02-01, until: 2027-02-02, days: [mon] }]",
            "`days` and `time_zone` belong to `at`",
        ),
        ("sunset: 2027-01-01", "the field `since` is missing"),
    ] {
        let found = messages(&gateway(settings));
        assert!(found.contains(expected), "{settings}: {found}");
    }
    let outside = with(&[])
        + "policies: [{ id: retire, kind: deprecation, since: 2026-01-01, successor: v2 }]\n";
    let found = messages(&outside);
    assert!(
        found.contains("write the policy at the version that is going away"),
        "{found}"
    );
}
