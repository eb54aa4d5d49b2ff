use lockgate_policy::{
    Body, Counters, Env, Facts, Outcome, Progress, RequestView, ResponseView, Revision, Step, Word,
};

use super::schema::revision;
use crate::support::*;

const DOCUMENT: &str = "openapi: 3.1.0
paths:
  /:
    get:
      responses:
        '200':
          description: a user
          headers: { X-Count: { required: true, schema: { type: integer } } }
          content:
            application/json: { schema: { $ref: '#/components/schemas/User' } }
            text/csv: {}
        '204': { description: nobody }
        4XX:
          description: no
          content: { application/problem+json: { schema: { type: object, required: [title] } } }
    post: { responses: { default: { description: any, content: { application/json: { schema: { type: object } } } } } }
components:
  schemas:
    User:
      type: object
      required: [name, password]
      additionalProperties: false
      properties: { name: { type: string }, id: { type: integer, readOnly: true }, password: { type: string, writeOnly: true } }
";

/// What became of an answer.
#[derive(Debug, PartialEq)]
enum Told {
    Passed,
    Needs(usize),
    Refused(String),
}

struct Answer<'a> {
    method: http::Method,
    path: &'a str,
    status: u16,
    fields: &'a [(&'static str, &'a str)],
    body: Option<&'a str>,
}

const JSON: &[(&str, &str)] = &[("content-type", "application/json"), ("x-count", "1")];

impl Answer<'_> {
    fn get(status: u16) -> Self {
        Self {
            method: http::Method::GET,
            path: "/orders",
            status,
            fields: JSON,
            body: None,
        }
    }
}

/// Sends a request and its answer through the policies; gives what became of it and what the policies said of the answer.
fn through(revision: &Revision, answer: &Answer<'_>, long: bool) -> (Told, Vec<Word>) {
    let (headers, facts) = (http::HeaderMap::new(), Facts::default());
    let route = revision.route("localhost", answer.path, &answer.method, &headers);
    let route = route.unwrap();
    let view = RequestView {
        method: &answer.method,
        scheme: "http",
        host: "localhost",
        path: answer.path,
        query: None,
        version: http::Version::HTTP_11,
        headers: &headers,
        client: [192, 0, 2, 1].into(),
        certificate: None,
        body: Body::Absent,
        variables: &[],
        identity: None,
        prompt: None,
    };
    let counters = std::sync::Arc::<Counters>::default();
    let mut env = Env {
        now: NOW,
        facts: &facts,
        directory: &revision.directory,
        counters: &counters,
    };
    let mut progress = Progress::default();
    let step = route.advance(&view, &mut progress, &mut env);
    assert!(matches!(step, Step::Decided(Outcome::Forward)), "{step:?}");
    let before = progress.verdicts.len();
    let fields = answer
        .fields
        .iter()
        .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
    let response = ResponseView {
        status: http::StatusCode::from_u16(answer.status).unwrap(),
        headers: &fields.collect(),
        body: None,
    };
    let chain = &route.chain;
    let told = match chain.judge_response(&view, &response, &mut progress, &mut env) {
        Ok(Some(_)) if long || answer.body.is_some() => {
            let body = answer.body.map(str::as_bytes);
            let judged = chain.judge_body(&view, (&response, body), &mut progress, &mut env);
            judged.map(|_| None)
        }
        told => told,
    };
    let words = progress.verdicts[before..]
        .iter()
        .map(|record| record.word)
        .collect();
    let told = match told {
        Ok(None) => Told::Passed,
        Ok(Some(limit)) => Told::Needs(limit),
        Err(refusal) => Told::Refused(format!("{}: {}", refusal.reason.code, refusal.detail)),
    };
    (told, words)
}

fn tell(settings: &str, answer: &Answer<'_>) -> Told {
    through(&revision(DOCUMENT, settings), answer, false).0
}

const ON: &str = ", response: true";

fn refused(detail: &str) -> Told {
    Told::Refused(format!("schema.answer: {detail}"))
}

#[test]
fn the_body_of_an_answer_is_asked_for_and_judged() {
    assert_eq!(tell(ON, &Answer::get(200)), Told::Needs(1024 * 1024));
    for (body, expected) in [
        (r#"{"name": "ada", "id": 7}"#, Told::Passed),
        (r#"{"id": 7}"#, refused("the body lacks `name`")),
        (
            r#"{"name": "ada", "salary": 1}"#,
            refused("the body holds `salary`, which the document does not list"),
        ),
        (
            r#"{"name": "ada", "password": "hunter2"}"#,
            refused("`/password` of the body must not be there, or must not be sent by this side"),
        ),
    ] {
        let answer = Answer {
            body: Some(body),
            ..Answer::get(200)
        };
        let told = tell(ON, &answer);
        assert_eq!(told, expected, "{body}");
    }
    let html = Answer {
        body: Some("<html>"),
        ..Answer::get(200)
    };
    let told = tell(ON, &html);
    assert!(
        matches!(&told, Told::Refused(why) if why.contains("the body is refused")),
        "{told:?}"
    );
}

#[test]
fn status_fields_and_type_of_an_answer_are_judged_before_its_body() {
    let html = &[("content-type", "text/html"), ("x-count", "1")];
    let csv = &[("content-type", "text/csv"), ("x-count", "1")];
    let no_count = &[("content-type", "application/json")];
    let problem = &[("content-type", "application/problem+json")];
    for (status, fields, expected) in [
        (201, JSON, refused("the status 201 is not listed")),
        (
            200,
            &no_count[..],
            refused("`X-Count` of the header is missing"),
        ),
        (
            200,
            html,
            refused("the answer has none of the types `application/json`, `text/csv`"),
        ),
        (200, csv, Told::Passed),
        (204, &[], Told::Passed),
        (304, &[], Told::Passed),
        (404, problem, Told::Needs(1024 * 1024)),
        (
            404,
            html,
            refused("the answer has none of the types `application/problem+json`"),
        ),
        // Failures that nobody described still reach callers.
        (503, html, Told::Passed),
    ] {
        let answer = Answer {
            fields,
            ..Answer::get(status)
        };
        assert_eq!(tell(ON, &answer), expected, "{status}");
    }
}

#[test]
fn head_has_no_body_and_default_stands_for_every_status() {
    let head = Answer {
        method: http::Method::HEAD,
        ..Answer::get(200)
    };
    assert_eq!(tell(ON, &head), Told::Passed);
    let post = Answer {
        method: http::Method::POST,
        body: Some("[]"),
        ..Answer::get(599)
    };
    assert_eq!(tell(ON, &post), refused("the body must be an object"));
}

#[test]
fn answers_are_not_judged_unless_the_policy_says_so_or_while_it_does_not_apply() {
    let wrong = Answer {
        body: Some("[]"),
        ..Answer::get(200)
    };
    assert_eq!(tell("", &wrong), Told::Passed);
    let elsewhere = ", response: true, when: \"request.method == 'POST'\"";
    assert_eq!(tell(elsewhere, &wrong), Told::Passed);
}

#[test]
fn an_answer_that_cannot_be_judged_is_for_on_error_to_decide() {
    let undecided = "policy.undecided: a policy could not decide about this request";
    let encoded = &[
        ("content-type", "application/json"),
        ("x-count", "1"),
        ("content-encoding", "gzip"),
    ];
    let compressed = Answer {
        fields: encoded,
        ..Answer::get(200)
    };
    for (settings, expected) in [
        (ON, Told::Refused(undecided.into())),
        (", response: true, on_error: allow", Told::Passed),
        (", response: true, mode: shadow", Told::Passed),
    ] {
        assert_eq!(tell(settings, &compressed), expected, "{settings}");
        let revision = revision(DOCUMENT, settings);
        let (told, words) = through(&revision, &Answer::get(200), true);
        assert_eq!(
            (told, words),
            (expected, vec![Word::Undecided]),
            "{settings}"
        );
    }
    let long = Answer {
        body: Some(r#"{"name": "ada"}"#),
        ..Answer::get(200)
    };
    let small = ", response: true, up_to: 10B";
    assert_eq!(tell(small, &long), Told::Refused(undecided.into()));
}

#[test]
fn in_shadow_a_wrong_answer_is_noted_once_and_passes() {
    let revision = revision(DOCUMENT, ", response: true, mode: shadow");
    let wrong = Answer {
        body: Some("[]"),
        ..Answer::get(200)
    };
    assert_eq!(
        through(&revision, &wrong, false),
        (Told::Passed, vec![Word::Deny])
    );
    assert_eq!(through(&revision, &Answer::get(200), false).1, []);
}
