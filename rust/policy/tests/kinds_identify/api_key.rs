use crate::support::*;

const API_KEY: &str = "{ id: key, kind: api_key }";

#[test]
fn a_live_key_passes_and_is_not_forwarded() {
    let trace = trace(
        &with(&[API_KEY]),
        &call("GET", "/orders/7", &[("X-Api-Key", KEY)]),
    );
    assert_eq!(trace.decision, "forward");
    let forwarded = trace.forwarded.unwrap();
    assert_eq!(forwarded.path, "/7");
    assert_eq!(forwarded.headers, [("x-api-key".to_owned(), None)]);
}

#[test]
fn a_missing_wrong_old_or_repeated_key_is_refused() {
    let gateway = with(&[API_KEY]);
    for (headers, expected) in [
        (vec![], "api_key.missing"),
        (vec![("X-Api-Key", "")], "api_key.missing"),
        (vec![("X-Api-Key", "guess")], "api_key.invalid"),
        (vec![("X-Api-Key", "' OR 1=1 --")], "api_key.invalid"),
        (vec![("X-Api-Key", "lg_old")], "api_key.expired"),
        (
            vec![("X-Api-Key", KEY), ("X-Api-Key", "guess")],
            "api_key.invalid",
        ),
    ] {
        let trace = trace(&gateway, &call("GET", "/orders/7", &headers));
        assert_eq!(
            (trace.decision, trace.status, code(&trace)),
            ("refuse", Some(401), expected),
            "{headers:?}"
        );
        assert!(
            trace
                .headers
                .iter()
                .any(|(name, _)| name == "www-authenticate")
        );
    }
}

#[test]
fn a_key_in_query_or_cookie_is_taken_out_of_there() {
    let query = with(&["{ id: key, kind: api_key, in: { query: api_key } }"]);
    assert_eq!(
        trace(&query, &call("GET", &format!("/orders?api_key={KEY}"), &[])).decision,
        "forward"
    );
    assert_eq!(
        code(&trace(
            &query,
            &call("GET", &format!("/orders?api_key={KEY}&api%5Fkey=x"), &[])
        )),
        "api_key.invalid"
    );
    let cookie = with(&["{ id: key, kind: api_key, in: { cookie: session } }"]);
    let header = format!("a=b; session={KEY}");
    assert_eq!(
        trace(&cookie, &call("GET", "/orders", &[("Cookie", &header)])).decision,
        "forward"
    );
}

#[test]
fn two_ways_to_identify_without_a_condition_are_ambiguous() {
    let found = messages(&with(&[
        API_KEY,
        "{ id: cookie, kind: api_key, in: { cookie: key } }",
    ]));
    assert!(found.contains("both identify callers"), "{found}");
    let gateway = with(&[
        "{ id: any, kind: any_of, of: [{ id: key, kind: api_key }, { id: cookie, kind: api_key, in: { cookie: key } }] }",
    ]);
    let cookie = format!("key={KEY}");
    assert_eq!(
        trace(&gateway, &call("GET", "/orders", &[("Cookie", &cookie)])).decision,
        "forward"
    );
    let nothing = trace(&gateway, &call("GET", "/orders", &[]));
    assert_eq!(
        nothing
            .headers
            .iter()
            .filter(|(name, _)| name == "www-authenticate")
            .count(),
        2
    );
    assert_eq!(
        code(&trace(
            &gateway,
            &call(
                "GET",
                "/orders",
                &[("Cookie", &cookie), ("X-Api-Key", "bad")]
            )
        )),
        "api_key.invalid"
    );
    let limit = "{ id: any, kind: any_of, of: [{ id: x, kind: rate_limit, limit: 1, per: 1s }] }";
    assert!(messages(&with(&[limit])).contains("`rate_limit` does not identify callers"));
}
