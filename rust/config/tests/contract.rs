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
fn a_secret_written_in_the_document_is_refused_without_being_repeated() {
    let text = "lockgate: 1\nlisteners:\n  a:\n    bind: 127.0.0.1:1\n    tls: { certificate: c.pem, key: hunter2 }\n";
    let problem = first_problem(text);
    assert!(
        problem.contains("write `${env:NAME}` or `${file:PATH}`") && !problem.contains("hunter2"),
        "{problem}"
    );
}

#[test]
fn the_order_of_names_does_not_change_the_revision_id() {
    let one = load_document(&Source::text("a", "lockgate: 1\npurposes: optional\n")).unwrap();
    let two = load_document(&Source::text("b", "purposes: optional\nlockgate: 1\n")).unwrap();
    assert_eq!(one.id, two.id);
}
