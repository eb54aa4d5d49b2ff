//! What a person sees when a document is right, and when it is wrong.

use lockgate_config::{Source, load, load_document};

fn first_problem(text: &str) -> String {
    let problems = load(&Source::text("gateway.yaml", text))
        .err()
        .unwrap_or_default();
    problems
        .first()
        .map(ToString::to_string)
        .unwrap_or_default()
}

#[test]
fn an_unknown_field_is_named_with_the_nearest_valid_one() {
    assert_eq!(
        first_problem("lockgate: 1\nlistners: {}\n"),
        "gateway.yaml:2:1: unknown field `listners`; did you mean `listeners`?"
    );
}

#[test]
fn a_document_without_its_version_is_refused() {
    assert!(first_problem("listeners: {}\n").contains("start the document with `lockgate: 1`"));
}

#[test]
fn a_time_without_a_unit_says_which_units_there_are() {
    let text = "lockgate: 1\nupstreams:\n  a:\n    targets: [http://127.0.0.1:1]\n    timeouts: { connect: 5 }\n";
    let problem = first_problem(text);
    assert!(problem.starts_with("gateway.yaml:5:"), "{problem}");
    assert!(problem.contains("`5` has no unit"), "{problem}");
}

#[test]
fn a_repeated_name_an_alias_and_an_empty_list_are_refused() {
    assert!(first_problem("lockgate: 1\napis: {}\napis: {}\n").contains("`apis` is written twice"));
    assert!(first_problem("lockgate: 1\napis: &a {}\n").contains("anchors are not supported"));
    let empty = first_problem("lockgate: 1\nupstreams:\n  a: { targets: [] }\n");
    assert!(empty.contains("the list is empty"), "{empty}");
}

#[test]
fn an_empty_text_list_or_mapping_is_neither_a_default_nor_all() {
    for (text, told) in [
        (
            "apis: {}",
            "2:7: the mapping is empty; write at least one entry, or leave the field out",
        ),
        (
            "applications: { a: { scopes: [] } }",
            "2:30: the list is empty; write at least one entry, or leave the field out",
        ),
        (
            "applications: { a: { plan: \"\" } }",
            "2:28: the text is empty; write a value, or leave the field out",
        ),
        (
            "policies: [{ id: a, kind: b, purpose: { why: ' ', owner: c } }]",
            "2:46: the text is empty; write a value, or leave the field out",
        ),
        (
            "apis: { a: { versions: { v1: { base: /, routes: [{ match: { headers: {} } }] } } } }",
            "2:70: the mapping is empty; write at least one entry, or leave the field out",
        ),
    ] {
        assert_eq!(
            first_problem(&format!("lockgate: 1\n{text}\n")),
            format!("gateway.yaml:{told}")
        );
    }
}

#[test]
fn an_emergency_policy_says_when_it_ends_and_who_answers_for_it() {
    let policy = |rest: &str| {
        first_problem(&format!(
            "lockgate: 1\npolicies: [{{ id: a, kind: b, emergency: true{rest} }}]\n"
        ))
    };
    let purpose = ", purpose: { why: a flood, owner: security }";
    let expires = ", expires: 2027-01-31";
    assert_eq!(
        policy(purpose),
        "gateway.yaml:2:18: the emergency policy `a` never ends; write `expires:` with a date or an RFC 3339 time"
    );
    assert_eq!(
        policy(expires),
        "gateway.yaml:2:18: nobody answers for the emergency policy `a`; write `purpose: { why: …, owner: … }`"
    );
    assert_eq!(policy(&format!("{expires}{purpose}")), "");
}

#[test]
fn a_secret_written_in_the_document_is_refused_without_being_repeated() {
    let text = "lockgate: 1\nlisteners:\n  a:\n    bind: 127.0.0.1:1\n    tls: { certificate: c.pem, key: hunter2 }\n";
    let problem = first_problem(text);
    assert!(
        problem.contains("write `${env:NAME}` or `${file:PATH}`") && !problem.contains("hunter2"),
        "{problem}"
    );
}

#[test]
fn what_a_collector_is_told_is_said_in_full_or_not_at_all() {
    let telemetry = |text: &str| first_problem(&format!("lockgate: 1\ntelemetry: {text}\n"));
    let otlp = |more: &str| {
        telemetry(&format!(
            "{{ otlp: {{ endpoint: 'http://127.0.0.1:4318'{more} }} }}"
        ))
    };
    for (said, told) in [
        (telemetry("{}"), "2:12: the field `otlp` is missing"),
        (
            telemetry("{ otlp: { sample: 5 } }"),
            "2:20: the field `endpoint` is missing",
        ),
        (
            telemetry("{ otlp: { endpoint: '' } }"),
            "2:32: the text is empty; write a value, or leave the field out",
        ),
        (
            otlp(", sampel: 5"),
            "2:57: unknown field `sampel`; did you mean `sample`?",
        ),
        (
            otlp(", sample: 101"),
            "2:65: `101` is not a share; write a number from 0 to 100",
        ),
        (
            otlp(", sample: 10%"),
            "2:65: expected a number from 0 to 100, found the text `10%`",
        ),
        (
            otlp(", headers: {}"),
            "2:66: the mapping is empty; write at least one entry, or leave the field out",
        ),
        (
            otlp(", headers: { api-key: '' }"),
            "2:77: the text is empty; write a value, or leave the field out",
        ),
        (
            otlp(", headers: { api-key: hunter2 }"),
            "2:77: a secret is never written in a document; write `${env:NAME}` or `${file:PATH}`",
        ),
        (
            otlp(", service_name: ''"),
            "2:71: the text is empty; write a value, or leave the field out",
        ),
    ] {
        assert_eq!(said, format!("gateway.yaml:{told}"));
    }
    assert_eq!(otlp(", sample: 0.5, service_name: shop"), "");
}

#[test]
fn the_order_of_names_does_not_change_the_revision_id() {
    let one = load_document(&Source::text("a", "lockgate: 1\npurposes: optional\n")).unwrap();
    let two = load_document(&Source::text("b", "purposes: optional\nlockgate: 1\n")).unwrap();
    assert_eq!(one.id, two.id);
}

#[test]
fn a_number_that_is_too_large_says_how_large_it_may_be() {
    let upstream = |rest: &str| {
        first_problem(&format!(
            "lockgate: 1\nupstreams: {{ a: {{ targets: ['http://127.0.0.1:1'], {rest} }} }}\n"
        ))
    };
    for (text, told) in [
        (
            "retries: { attempts: 5000000000 }",
            "expected a whole number above zero, at most 4294967295, found `5000000000`",
        ),
        (
            "circuit: { max_requests: 99999999999999999999999 }",
            "expected a whole number above zero, at most 18446744073709551615, found",
        ),
        (
            "retries: { attempts: -1 }",
            "expected a whole number above zero, found `-1`",
        ),
    ] {
        assert!(upstream(text).contains(told), "{}", upstream(text));
    }
}

#[test]
fn a_number_in_the_place_of_a_name_says_which_names_there_are() {
    let problem = first_problem(
        "lockgate: 1\nupstreams: { a: { targets: ['http://127.0.0.1:1'], retries: { attempts: 1, on: [503] } } }\n",
    );
    assert!(
        problem.contains("expected a name, found a whole number; write one of `connect_failure`")
            && problem.contains("`status_503`"),
        "{problem}"
    );
}
