use serde_json::{Value, json};

use super::{post, told};
use crate::support::*;

fn gateway(settings: &str) -> String {
    with(&[&format!(
        "{{ id: query-size, kind: graphql_limits{settings} }}"
    )])
}

fn by_post(settings: &str, content_type: &str, body: &str) -> (u16, String) {
    let trace = trace(
        &gateway(settings),
        &post("/orders/graphql", content_type, body),
    );
    (
        trace.status.unwrap_or_default(),
        trace.detail.unwrap_or_default(),
    )
}

fn by_json(settings: &str, request: &Value) -> (u16, String) {
    by_post(settings, "application/json", &request.to_string())
}

fn by_get(settings: &str, pairs: &[(&str, &str)]) -> u16 {
    let query: String = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    let url = format!("/orders/graphql?{query}");
    let trace = trace(&gateway(settings), &call("GET", &url, &[]));
    trace.status.unwrap_or_default()
}

#[test]
fn each_limit_refuses_what_is_one_over_it_and_says_which() {
    for (settings, within, over, why) in [
        (
            "",
            "{a{b{c{d{e{f}}}}}}",
            "{a{b{c{d{e{f{g}}}}}}}",
            "query depth",
        ),
        (", aliases: 1", "{x:a}", "{x:a y:a}", "number of aliases"),
        (
            ", directives: 1",
            "{a @b}",
            "{a @b @c}",
            "number of directives",
        ),
        (", tokens: 3", "{a}", "{a b}", "number of tokens"),
        (
            ", cost: 10",
            "{a(first:9){b} c}",
            "{a(first:10){b}}",
            "query cost",
        ),
        (
            ", operations: 1",
            "query A{a}",
            "query A{a} query B{a}",
            "number of operations",
        ),
        (", document: 4B", "{ab}", "{abc}", "length of the documents"),
    ] {
        // `a(first: 9) { b }` costs 9 × 2.
        let settings = if why == "query cost" {
            ", cost: 19"
        } else {
            settings
        };
        assert_eq!(
            by_json(settings, &json!({ "query": within })).0,
            0,
            "{within}"
        );
        let (status, detail) = by_json(settings, &json!({ "query": over }));
        assert_eq!(status, 400, "{over}");
        assert!(detail.contains(why), "{detail}");
    }
}

#[test]
fn a_batch_counts_together() {
    let one = json!({ "query": "{x:a}" });
    assert_eq!(by_json(", aliases: 2", &json!([one, one])).0, 0);
    assert_eq!(by_json(", aliases: 1", &json!([one, one])).0, 400);
    assert_eq!(by_json(", batch: 1", &json!([one, one])).0, 400);
    assert_eq!(by_json("", &json!([])).0, 400);
}

#[test]
fn every_form_of_a_request_is_measured() {
    let deep = "{a{b{c}}}";
    let settings = ", depth: 2";
    assert_eq!(by_get(settings, &[("query", "{a{b}}")]), 0);
    assert_eq!(by_get(settings, &[("query", deep)]), 400);
    let form = "query=%7Ba%7Bb%7Bc%7D%7D%7D";
    for (content_type, body) in [
        ("application/json", json!({ "query": deep }).to_string()),
        (
            "application/graphql-response+json",
            json!({ "query": deep }).to_string(),
        ),
        ("text/plain", json!({ "query": deep }).to_string()),
        ("application/graphql", deep.to_owned()),
        ("application/x-www-form-urlencoded", form.to_owned()),
    ] {
        assert_eq!(
            by_post(settings, content_type, &body).0,
            400,
            "{content_type}"
        );
    }
    assert_eq!(by_post(settings, "application/graphql", "{a{b}}").0, 0);
}

#[test]
fn variables_count_as_list_sizes() {
    let query = "query($n:Int){a(first:$n){b}}";
    for (n, expected) in [(9, 0), (10, 400)] {
        let request = json!({ "query": query, "variables": { "n": n } });
        assert_eq!(by_json(", cost: 19", &request).0, expected);
        let variables = format!("{{\"n\":{n}}}");
        let pairs = [("query", query), ("variables", variables.as_str())];
        assert_eq!(by_get(", cost: 19", &pairs), expected);
    }
}

#[test]
fn a_request_with_two_readings_is_refused() {
    assert_eq!(by_get("", &[("query", "{a}"), ("query", "{b}")]), 400);
    let body = json!({ "query": "{a}" }).to_string();
    for url in [
        "/orders/graphql?query=%7Ba%7D",
        "/orders/graphql?variables=%7B%7D",
    ] {
        let request = post(url, "application/json", &*body);
        assert_eq!(told(&trace(&gateway(""), &request)).0, 400, "{url}");
    }
    let twice = "{\"query\":\"{a}\",\"query\":\"{b}\"}";
    assert_eq!(by_post("", "application/json", twice).0, 400);
    let twice = "query=%7Ba%7D&query=%7Bb%7D";
    assert_eq!(
        by_post("", "application/x-www-form-urlencoded", twice).0,
        400
    );
}

#[test]
fn what_cannot_be_measured_is_refused() {
    for content_type in [
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/octet-stream",
    ] {
        let (status, _) = by_post("", content_type, "--x\r\n");
        assert_eq!(status, 415, "{content_type}");
    }
    let upgrade = call(
        "GET",
        "/orders/graphql",
        &[("Connection", "Upgrade"), ("Upgrade", "websocket")],
    );
    assert_eq!(told(&trace(&gateway(""), &upgrade)).0, 400);
    assert_eq!(
        told(&trace(&gateway(", allow_websocket: true"), &upgrade)).0,
        0
    );
}

#[test]
fn persisted_queries_are_refused_unless_allowed() {
    let named = json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": "ab" } } });
    let allowed = ", allow_persisted: true";
    assert_eq!(by_json("", &named).0, 400);
    assert_eq!(by_json(allowed, &named).0, 0);
    assert_eq!(by_get("", &[("extensions", "{}")]), 400);
    assert_eq!(by_get(allowed, &[("extensions", "{}")]), 0);
}

#[test]
fn requests_without_an_operation_pass() {
    assert_eq!(by_get("", &[]), 0);
    assert_eq!(by_get("", &[("debug", "1")]), 0);
}

#[test]
fn bad_settings_say_what_to_write() {
    for (settings, expected) in [
        (
            ", depth: 0",
            "expected a whole number above zero, found `0`",
        ),
        (", aliasses: 5", "did you mean `aliases`?"),
        (", up_to: 5", "`5` has no unit"),
    ] {
        let found = messages(&gateway(settings));
        assert!(found.contains(expected), "{settings}: {found}");
    }
}
