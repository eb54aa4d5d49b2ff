//! What a person reads about a case file that is wrong.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::PathBuf;

use lockgate_cases::{Report, Suite};
use lockgate_policy::Timestamp;

const GATEWAY: &str = "gateway: |
  lockgate: 1
  purposes: optional
  upstreams: { orders: { targets: [\"http://127.0.0.1:9001\"] } }
  applications: { shop: {} }
  apis:
    orders: { versions: { v1: { base: /orders, upstream: orders, policies: [{ id: key, kind: api_key }] } } }
    open: { versions: { v1: { base: /open, upstream: orders } } }
cases:
";

/// The problems of a file with this text, without its folder.
fn problems(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cases.yaml");
    std::fs::write(&path, text).unwrap();
    let found = Suite::read(&path, None).err().unwrap_or_default();
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    let folder = format!("{}/", folder.path().display());
    lines.join("\n").replace(&folder, "")
}

/// The problems of a file with these cases and a gateway of eight lines.
fn of_cases(cases: &str) -> String {
    problems(&format!("{GATEWAY}{cases}"))
}

#[test]
fn what_is_misspelt_is_named_with_the_nearest_name() {
    for (cases, message) in [
        (
            "  - { name: a, requst: { url: /open }, expect: { decision: forward } }",
            "cases.yaml:10:16: unknown field `requst`; did you mean `request`?",
        ),
        (
            "  - { name: a, request: { url: /open }, expect: { decison: forward } }",
            "cases.yaml:10:51: unknown field `decison`; did you mean `decision`?",
        ),
        (
            "  - { name: a, request: { url: /open }, expect: { decision: refused } }",
            "cases.yaml:10:61: unknown value `refused`; did you mean `refuse`?",
        ),
        (
            "  - { name: a, request: { url: /open }, expect: { decision: refuse, code: api_key.mising } }",
            "cases.yaml:10:75: unknown reason code `api_key.mising`; did you mean `api_key.missing`?",
        ),
        (
            "  - { name: a, request: { url: /open }, expect: { decision: refuse, code: no } }",
            "cases.yaml:10:75: unknown reason code `no`; `lockgate policies KIND` lists the codes of a kind",
        ),
        (
            "  - { name: a, request: { url: /orders, application: shp }, expect: { decision: forward } }",
            "cases.yaml:10:54: unknown application `shp`; did you mean `shop`?",
        ),
    ] {
        assert_eq!(of_cases(cases), message, "{cases}");
    }
}

#[test]
fn a_case_says_what_it_sends_and_what_it_expects() {
    for (cases, message) in [
        (
            "  - name: a\n    expect: { decision: forward }",
            "cases.yaml:10:11: the case `a` sends nothing; write `request` and `expect`, or `steps` that have them",
        ),
        (
            "  - name: a\n    request: { url: /open }",
            "cases.yaml:10:11: the case `a` expects nothing; write `expect: { decision: … }`",
        ),
        (
            "  - name: a\n    request: { url: /open }\n    steps: [{ request: { url: /open }, expect: { decision: forward } }]",
            "cases.yaml:10:11: the case `a` has `steps` and fields of a step; move `request`, `expect` and the rest into `steps`",
        ),
        (
            "  - { name: a, request: { url: /open }, expect: { decision: forward } }\n  - { name: a, request: { url: /open }, expect: { decision: forward } }",
            "cases.yaml:11:13: the case `a` exists twice; the first stands at line 10",
        ),
        (
            "  []",
            "cases.yaml:10:3: the list is empty; write at least one entry, or leave the field out",
        ),
    ] {
        assert_eq!(of_cases(cases), message, "{cases}");
    }
}

#[test]
fn a_request_that_cannot_be_sent_is_said_before_anything_runs() {
    let of_request = |request: &str| {
        of_cases(&format!(
            "  - {{ name: a, request: {{ {request} }}, expect: {{ decision: forward }} }}"
        ))
    };
    for (request, message) in [
        ("method: G T, url: /open", "`G T` is not a method"),
        (
            "url: /open, headers: { a b: c }",
            "`a b` is not a field name",
        ),
        (
            "url: /open, headers: { Age: 5 }",
            "expected text in quotes, or a list of texts, found `5`",
        ),
        (
            "url: /open, body: a, json: {}",
            "the request has both `body` and `json`",
        ),
        ("url: /open, client: localhost", "invalid IP address syntax"),
        (
            "url: /open, application: shop",
            "no `api_key` policy identifies the callers of this route; leave `application` out, and write the credential into `headers`",
        ),
        (
            "url: /nowhere, application: shop",
            "no route takes this request, so the key of an application has no place; leave `application` out, and write the credential into `headers`",
        ),
    ] {
        let found = of_request(request);
        assert!(
            found.ends_with(&format!(": {message}")),
            "{request}: {found}"
        );
        assert!(found.starts_with("cases.yaml:10:"), "{found}");
    }
}

#[test]
fn times_certificates_and_answers_are_checked() {
    let step = |field: &str| {
        of_cases(&format!(
            "  - name: a\n    steps: [{{ {field}, request: {{ url: /open }}, expect: {{ decision: forward }} }}]"
        ))
    };
    for (field, message) in [
        (
            "after: 5",
            "`5` has no unit; write a time such as `300ms`, `30s`, `5m`, `1h` or `7d`",
        ),
        (
            "times: 100001",
            "the file sends more than 100000 requests; lower `times`, or move cases into another file",
        ),
        ("times: 0", "expected a whole number above zero, found `0`"),
        (
            "certificate: { sha256: abc }",
            "`abc` is not the SHA-256 of a certificate; write 64 hexadecimal digits",
        ),
        (
            "answer: { status: 99 }",
            "`99` is not the status of an answer; write one from 200 to 599",
        ),
        (
            "answer: { body: a, json: {} }",
            "the answer has both `body` and `json`",
        ),
    ] {
        let found = step(field);
        assert!(found.ends_with(&format!(": {message}")), "{field}: {found}");
    }
    assert_eq!(
        of_cases(
            "  - { name: a, at: noon, request: { url: /open }, expect: { decision: forward } }"
        ),
        "cases.yaml:10:20: `noon` is not a time; write one such as `2027-01-31T12:00:00Z`"
    );
}

#[test]
fn the_gateway_is_there_and_sound() {
    let case = "cases: [{ name: a, request: { url: /open }, expect: { decision: forward } }]\n";
    assert_eq!(
        problems(case),
        "cases.yaml: the field `gateway` is missing; write the path of a gateway document, or give it with `--gateway`"
    );
    let found = problems(&format!("gateway: nowhere.yaml\n{case}"));
    assert!(
        found.starts_with("nowhere.yaml: the file cannot be read: "),
        "{found}"
    );
    let inline = format!("gateway: |\n  lockgate: 1\n  listners: {{}}\n{case}");
    assert_eq!(
        problems(&inline),
        "cases.yaml:3:1: unknown field `listners`; did you mean `listeners`?"
    );
}

#[test]
fn a_folder_gives_its_case_files_and_says_when_it_has_none() {
    let folder = tempfile::tempdir().unwrap();
    let run = || {
        Report::run(
            &[folder.path().to_owned()],
            None,
            Timestamp::from_seconds(1),
        )
    };
    std::fs::write(folder.path().join("gateway.yaml"), "lockgate: 1\n").unwrap();
    let none: Vec<String> = run()
        .err()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        none,
        [format!(
            "{}: the folder holds no case file; a case file is a YAML file with `cases`",
            folder.path().display()
        )]
    );
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let case = "  - { name: a, request: { url: /open }, expect: { decision: forward } }\n";
    std::fs::write(inner.join("b.yaml"), format!("{GATEWAY}{case}")).unwrap();
    std::fs::write(folder.path().join("a.yml"), format!("{GATEWAY}{case}")).unwrap();
    let files: Vec<String> = run()
        .unwrap()
        .files
        .into_iter()
        .map(|file| file.file)
        .collect();
    let expected: Vec<PathBuf> = vec![folder.path().join("a.yml"), inner.join("b.yaml")];
    assert_eq!(
        files,
        expected
            .iter()
            .map(|path| path.display().to_string())
            .collect::<Vec<_>>()
    );
    // One bad file, and nothing counts as run: a test that nobody ran must not look like one that passed.
    std::fs::write(inner.join("c.yaml"), "cases: [\n").unwrap();
    assert!(run().is_err());
}
