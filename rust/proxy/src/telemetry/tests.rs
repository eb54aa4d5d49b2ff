use std::net::TcpListener;

use lockgate_config::{Source, load_document};
use lockgate_policy::Secrets;

use super::*;
use crate::trace::SpanIds;
use crate::upstream::Building;

fn revision(more: &str) -> Revision {
    let text = format!("lockgate: 1\npurposes: optional\n{more}");
    let loaded = load_document(&Source::text("gateway.yaml", text));
    let compiled = loaded.and_then(|loaded| Revision::compile(loaded, Secrets::Read));
    compiled.unwrap_or_else(|problems| panic!("{problems:?}")).0
}

fn plan(revision: &Revision) -> Result<Option<Plan>, Vec<Problem>> {
    Plan::of(&Building {
        document: &revision.document,
        base: &revision.base,
        secrets: Secrets::Read,
        previous: None,
    })
}

fn opened(more: &str, previous: Option<&Arc<Telemetry>>) -> Arc<Telemetry> {
    let revision = revision(more);
    let plan = plan(&revision).unwrap_or_else(|problems| panic!("{problems:?}"));
    Telemetry::open(plan, &revision, previous).unwrap().unwrap()
}

fn otlp(listener: &TcpListener, more: &str) -> String {
    let address = listener.local_addr().unwrap();
    format!("telemetry: {{ otlp: {{ endpoint: 'http://{address}'{more} }} }}\n")
}

fn traced() -> Box<Traced> {
    Box::new(Traced::of(SpanIds {
        trace: [1; 16],
        caller: None,
        request: [2; 8],
        call: [3; 8],
    }))
}

#[test]
fn a_collector_that_says_nothing_costs_spans_and_never_a_wait() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let telemetry = opened(&otlp(&silent, ""), None);
    // As many as wait, as go with one export, and some more.
    for _ in 0..WAITING + 1024 + 50 {
        telemetry.push(&Event::default(), traced());
    }
    let stats = telemetry.stats();
    assert!((50..=1024 + 50).contains(&stats.dropped), "{stats:?}");
    assert_eq!(stats.exported, 0);
}

#[test]
fn what_is_the_same_goes_on_and_counts_go_on_in_any_case() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let first = opened(&otlp(&silent, ""), None);
    first.counts.exported(7);
    let again = opened(&otlp(&silent, ""), Some(&first));
    assert!(Arc::ptr_eq(&first, &again));
    for other in [
        otlp(&silent, ", sample: 5"),
        otlp(&silent, ", headers: { api-key: '${env:PATH}' }"),
        format!("{}node: {{ name: other }}\n", otlp(&silent, "")),
    ] {
        let changed = opened(&other, Some(&first));
        assert!(!Arc::ptr_eq(&first, &changed), "{other}");
        assert_eq!(changed.stats().exported, 7);
    }
}

#[test]
fn texts_without_end_do_not_wait_for_the_collector() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let telemetry = opened(&otlp(&silent, ""), None);
    let long = |length| Text::from("a".repeat(length));
    let event = |length| Event {
        path: long(length),
        query: Some(long(length)),
        body: Some(long(1)),
        ..Event::default()
    };
    let told = telemetry.outline(&event(MOST_TEXT));
    assert_eq!((told.path.len(), told.query.is_some()), (MOST_TEXT, true));
    let told = telemetry.outline(&event(MOST_TEXT + 1));
    assert_eq!((told.path.len(), told.query), (0, None));
    assert_eq!(told.body, None);
}

#[test]
fn what_is_wrong_is_said_with_what_to_type() {
    let endpoint = "endpoint: 'http://127.0.0.1:4318'";
    for (otlp, told) in [
        (
            "endpoint: 'ftp://127.0.0.1:4318'".to_owned(),
            "3:32: `ftp://127.0.0.1:4318` is not an address; write `http://host:port` or `https://host:port`",
        ),
        (
            "endpoint: 'http://key@127.0.0.1:4318'".to_owned(),
            "3:32: `http://key@127.0.0.1:4318` is not an address; write `http://host:port` or `https://host:port`",
        ),
        (
            "endpoint: 'http://127.0.0.1:4318/v1/traces'".to_owned(),
            "3:32: `http://127.0.0.1:4318/v1/traces` ends with `/v1/traces`, which is added to it; write it without that",
        ),
        (
            "endpoint: 'http://169.254.169.254'".to_owned(),
            "3:32: `http://169.254.169.254` is a link-local address; credentials of the machine are served there; no route may lead to it",
        ),
        (
            format!("{endpoint}, headers: {{ Content-Type: '${{env:PATH}}' }}"),
            "3:68: the gateway writes the field `content-type` itself; take it out of `headers`",
        ),
        (
            format!(
                "{endpoint}, headers: {{ Api-Key: '${{env:PATH}}', api-key: '${{env:PATH}}' }}"
            ),
            "3:92: the field `api-key` is written twice; names of fields have no case; keep one",
        ),
        (
            format!("{endpoint}, headers: {{ api-key: '${{env:LOCKGATE_NOT_SET}}' }}"),
            "3:77: the field `api-key`: the environment variable `LOCKGATE_NOT_SET` is not set",
        ),
    ] {
        let revision = revision(&format!("telemetry: {{ otlp: {{ {otlp} }} }}\n"));
        let problems = plan(&revision).err().unwrap_or_default();
        let said: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(said, [format!("gateway.yaml:{told}")], "{otlp}");
    }
}

#[test]
fn the_port_of_another_protocol_is_a_warning() {
    let revision = revision("telemetry: { otlp: { endpoint: 'http://collector:4317' } }\n");
    let warning = plan(&revision).unwrap().unwrap().warning.unwrap();
    assert_eq!(
        warning.to_string(),
        "gateway.yaml:3:32: warning: 4317 is the port of OTLP over gRPC; OTLP over HTTP is spoken here; collectors take it on port 4318"
    );
}
