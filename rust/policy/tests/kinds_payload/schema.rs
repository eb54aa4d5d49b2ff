use std::path::PathBuf;

use lockgate_config::Source;
use lockgate_policy::{Revision, Trace, explain};

use super::post;
use crate::support::*;

/// The folder of one test, with its OpenAPI document.
fn folder(openapi: &str) -> PathBuf {
    let name = lockgate_config::sha256_hex(openapi.as_bytes());
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(&name[..16]);
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("api.yaml");
    if !file.exists() {
        // Tests run side by side: the file is there whole or not at all.
        let own = folder.join(format!("{:?}.part", std::thread::current().id()));
        std::fs::write(&own, openapi).unwrap();
        std::fs::rename(own, file).unwrap();
    }
    folder
}

pub fn source(openapi: &str, settings: &str, routes: &str) -> Source {
    let policy = format!("{{ id: contract, kind: schema{settings} }}");
    let text = document(&section("policies", &[&policy]), routes);
    Source::Text {
        name: "gateway.yaml".into(),
        text: text.replace("base: /orders", "openapi: api.yaml\n        base: /orders"),
        base: folder(openapi),
    }
}

pub fn revision(openapi: &str, settings: &str) -> Revision {
    Revision::check(&source(openapi, settings, ""))
        .unwrap_or_else(|problems| panic!("{problems:#?}"))
        .0
}

/// What the check says of a document.
pub fn problems_of(openapi: &str, settings: &str) -> String {
    let problems = Revision::check(&source(openapi, settings, "")).err();
    let problems = problems.unwrap_or_default();
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// A document whose one operation `POST /` takes JSON of a schema.
pub fn takes(version: &str, schema: &str) -> String {
    format!(
        "openapi: {version}
paths:
  /:
    post:
      requestBody:
        content: {{ application/json: {{ schema: {schema} }} }}
"
    )
}

/// A document whose operation `GET /` takes a parameter.
pub fn takes_parameter(parameter: &str) -> String {
    format!("openapi: 3.1.0\npaths: {{ /: {{ get: {{ parameters: [{parameter}] }} }} }}\n")
}

pub fn ask(revision: &Revision, request: &lockgate_policy::ExplainRequest) -> Trace {
    explain(revision, request, NOW).unwrap()
}

/// The detail with which a JSON body is refused; empty for one that is not.
pub fn with_body(revision: &Revision, body: &str) -> String {
    let trace = ask(revision, &post("/orders", "application/json", body));
    trace.detail.unwrap_or_default()
}

/// The same for a query.
pub fn with_query(revision: &Revision, query: &str) -> String {
    let trace = ask(revision, &call("GET", &format!("/orders?{query}"), &[]));
    trace.detail.unwrap_or_default()
}

#[test]
fn an_operation_is_found_by_the_most_specific_path() {
    let openapi = "openapi: 3.1.0
paths:
  /{id}: { get: { parameters: [{ name: id, in: path, required: true, schema: { type: integer } }] } }
  /latest: { get: {} }
  /{name}.csv: { get: { parameters: [{ name: name, in: path, required: true, schema: { enum: [all] } }] } }
  /days/{year}-{month}: { parameters: [{ name: month, in: path, required: true, schema: { type: integer, maximum: 12 } }], get: {} }
";
    let revision = revision(openapi, "");
    for (path, expected) in [
        ("/orders/7", ""),
        ("/orders/%37", ""),
        ("/orders/latest", ""),
        ("/orders/all.csv", ""),
        ("/orders/days/2027-12", ""),
        ("/orders/x", "schema.refused"),
        ("/orders/other.csv", "schema.refused"),
        ("/orders/days/2027-13", "schema.refused"),
        ("/orders/days/2027", "schema.unlisted"),
        ("/orders", "schema.unlisted"),
    ] {
        assert_eq!(
            code(&ask(&revision, &call("GET", path, &[]))),
            expected,
            "{path}"
        );
    }
}

#[test]
fn what_is_not_listed_is_refused_unless_it_may_pass() {
    let openapi = "openapi: 3.1.0
paths: { /a: { get: { parameters: [{ name: n, in: query, schema: {} }] } } }
components: { securitySchemes: { key: { type: apiKey, in: query, name: api_key } } }
";
    let (strict, open) = (
        revision(openapi, ", unlisted_parameters: refuse"),
        revision(openapi, ", unlisted: pass"),
    );
    for (method, url, expected) in [
        ("GET", "/orders/b", "schema.unlisted"),
        ("POST", "/orders/a", "schema.other_method"),
        ("OPTIONS", "/orders/a", "schema.other_method"),
        ("GET", "/orders/a?m=1", "schema.refused"),
        ("GET", "/orders/a?n=1&api_key=x", ""),
    ] {
        assert_eq!(
            code(&ask(&strict, &call(method, url, &[]))),
            expected,
            "{method} {url}"
        );
        assert_eq!(
            code(&ask(&open, &call(method, url, &[]))),
            "",
            "{method} {url}"
        );
    }
}

#[test]
fn media_types_are_negotiated_the_narrower_first() {
    let openapi = "openapi: 3.1.0
paths:
  /:
    post:
      requestBody:
        required: true
        content:
          '*/*': {}
          text/*: {}
          application/vnd.a+json: { schema: { type: integer } }
          application/json: { schema: { type: string } }
          application/x-www-form-urlencoded: { schema: { type: object, properties: { n: { type: integer }, l: { type: array, items: { type: integer } } }, additionalProperties: false } }
";
    let with_any = revision(openapi, "");
    let closed = revision(&openapi.replace("          '*/*': {}\n", ""), "");
    for (content_type, body, expected) in [
        ("application/json", "\"a\"", ""),
        ("Application/JSON; charset=utf-8", "\"a\"", ""),
        ("application/json", "1", "schema.refused"),
        ("application/vnd.a+json", "1", ""),
        ("application/x-www-form-urlencoded", "n=1&l=1&l=2", ""),
        ("application/x-www-form-urlencoded", "n=x", "schema.refused"),
        (
            "application/x-www-form-urlencoded",
            "n=1&n=2",
            "schema.refused",
        ),
        ("application/x-www-form-urlencoded", "m=1", "schema.refused"),
        ("text/csv", "a,b", ""),
        // It looks like JSON, and the operation takes JSON.
        ("text/plain", "[1]", "schema.refused"),
        ("application/json, text/plain", "\"a\"", "schema.media_type"),
        ("*/*", "\"a\"", "schema.media_type"),
        ("json", "\"a\"", "schema.media_type"),
        ("application/json", "", "schema.refused"),
        (
            "application/json; charset=utf-16",
            "\"a\"",
            "schema.media_type",
        ),
        (
            "application/json;CHARSET=\"UTF-7\"",
            "\"a\"",
            "schema.media_type",
        ),
        (
            "application/x-www-form-urlencoded",
            "n=%FF",
            "schema.refused",
        ),
        ("text/plain; charset=latin-1", "a", ""),
    ] {
        let trace = ask(&closed, &post("/orders", content_type, body));
        assert_eq!(code(&trace), expected, "{content_type} {body}");
    }
    let any = revision(
        &openapi.replace("'*/*': {}", "'*/*': { schema: { type: boolean } }"),
        "",
    );
    for (content_type, body, expected) in [
        ("application/problem+json", "true", ""),
        ("application/problem+json", "1", "schema.refused"),
        ("image/png", "x", ""),
    ] {
        let trace = ask(&any, &post("/orders", content_type, body));
        assert_eq!(code(&trace), expected, "{content_type} {body}");
    }
    let image = post("/orders", "image/png", "x");
    assert_eq!(code(&ask(&closed, &image)), "schema.media_type");
    assert_eq!(code(&ask(&with_any, &image)), "");
    let mut twice = post("/orders", "application/json", "\"a\"");
    twice
        .headers
        .push(("Content-Type".into(), "text/plain".into()));
    assert_eq!(code(&ask(&closed, &twice)), "schema.media_type");
    let mut encoded = post("/orders", "application/json", "\"a\"");
    encoded
        .headers
        .push(("Content-Encoding".into(), "gzip".into()));
    assert_eq!(code(&ask(&closed, &encoded)), "payload.encoded");
}

#[test]
fn a_body_is_read_up_to_the_limit_only() {
    let revision = revision(&takes("3.1.0", "{ type: string }"), ", up_to: 10B");
    assert_eq!(with_body(&revision, "\"12345678\""), "");
    let trace = ask(
        &revision,
        &post("/orders", "application/json", "\"123456789\""),
    );
    assert_eq!(code(&trace), "request.body_too_large");
}

#[test]
fn bad_settings_say_what_to_write() {
    let openapi = takes("3.1.0", "{}");
    for (settings, expected) in [
        (
            ", unlisted: allow",
            "unknown value `allow`; expected one of `pass`, `refuse`",
        ),
        (
            ", prefix: orders",
            "`orders` is not a path; write a path such as `/orders/v1`",
        ),
        (
            ", prefix: /elsewhere, respons: true",
            "did you mean `response`?",
        ),
        (", up_to: 0B", "no size at all"),
    ] {
        let found = problems_of(&openapi, settings);
        assert!(found.contains(expected), "{settings}: {found}");
    }
    let bare = messages(&with(&["{ id: contract, kind: schema }"]));
    assert!(
        bare.contains("the version names no OpenAPI document; write `openapi: file.yaml`"),
        "{bare}"
    );
    let outside = with(&[]).replace(
        "purposes: optional",
        "purposes: optional\npolicies: [{ id: contract, kind: schema }]",
    );
    assert!(
        messages(&outside).contains("stands outside of one; move it into"),
        "{}",
        messages(&outside)
    );
    let missing = with(&["{ id: contract, kind: schema }"]).replace(
        "base: /orders",
        "openapi: missing.yaml\n        base: /orders",
    );
    assert!(messages(&missing).contains("the file `missing.yaml` cannot be read"));
}

#[test]
fn a_route_without_an_operation_is_refused_at_check() {
    let openapi = "openapi: 3.1.0\npaths: { '/{id}/lines': { get: {} } }\n";
    let on_route = |path: &str| {
        let route =
            format!("{{ match: {{ path: '{path}' }}, policies: [{{ id: own, kind: schema }}] }}");
        let source = source(openapi, "", &section("routes", &[&route]));
        let problems = Revision::check(&source).err().unwrap_or_default();
        problems.iter().map(ToString::to_string).collect::<String>()
    };
    for path in ["/{order}/lines", "/7/{part}", "/{*rest}", "/7/{*rest}"] {
        assert_eq!(on_route(path), "", "{path}");
    }
    let found = on_route("/{id}/parts");
    assert!(
        found.contains("`api.yaml` has no operation for `/orders/{id}/parts`"),
        "{found}"
    );
}

#[test]
fn the_prefix_is_the_base_unless_another_is_written() {
    let openapi = "openapi: 3.1.0\npaths: { /orders/7: { get: {} }, /7: { get: {} } }\n";
    for (settings, path, expected) in [
        ("", "/orders/7", ""),
        ("", "/orders/orders/7", ""),
        (", prefix: /", "/orders/7", ""),
        (", prefix: /", "/orders/orders/7", "schema.unlisted"),
    ] {
        let revision = revision(openapi, settings);
        assert_eq!(
            code(&ask(&revision, &call("GET", path, &[]))),
            expected,
            "{settings} {path}"
        );
    }
}
