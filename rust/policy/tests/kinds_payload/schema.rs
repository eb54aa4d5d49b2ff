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
fn problems_of(openapi: &str, settings: &str) -> String {
    let problems = Revision::check(&source(openapi, settings, "")).err();
    let problems = problems.unwrap_or_default();
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// A document whose one operation `POST /` takes JSON of a schema.
fn takes(version: &str, schema: &str) -> String {
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
fn takes_parameter(parameter: &str) -> String {
    format!("openapi: 3.1.0\npaths: {{ /: {{ get: {{ parameters: [{parameter}] }} }} }}\n")
}

fn ask(revision: &Revision, request: &lockgate_policy::ExplainRequest) -> Trace {
    explain(revision, request, NOW).unwrap()
}

/// The detail with which a JSON body is refused; empty for one that is not.
fn with_body(revision: &Revision, body: &str) -> String {
    let trace = ask(revision, &post("/orders", "application/json", body));
    trace.detail.unwrap_or_default()
}

/// The same for a query.
fn with_query(revision: &Revision, query: &str) -> String {
    let trace = ask(revision, &call("GET", &format!("/orders?{query}"), &[]));
    trace.detail.unwrap_or_default()
}

#[test]
fn a_refusal_says_where_and_what_was_expected_and_never_the_value() {
    let schema = "{ type: object, required: [name], properties: { name: { type: string, maxLength: 5 }, age: { type: integer, minimum: 18 }, tags: { type: array, items: { enum: [a, b] } }, code: { type: string, pattern: '^[a-z]+$' }, day: { type: string, format: date }, inner: { type: object, additionalProperties: false } } }";
    let revision = revision(&takes("3.1.0", schema), "");
    for (body, expected) in [
        (
            r#"{"name": "x", "age": 18, "tags": ["a"], "day": "2027-01-31"}"#,
            "",
        ),
        ("[]", "the body must be an object"),
        ("{}", "the body lacks `name`"),
        (
            r#"{"name": "hunter2secret"}"#,
            "`/name` of the body must have at most 5 characters",
        ),
        (
            r#"{"name": "x", "age": 17}"#,
            "`/age` of the body must be at least 18",
        ),
        (
            r#"{"name": "x", "age": "old"}"#,
            "`/age` of the body must be a whole number",
        ),
        (
            r#"{"name": "x", "tags": ["a", "c"]}"#,
            r#"`/tags/1` of the body must be one of `"a"`, `"b"`"#,
        ),
        (
            r#"{"name": "x", "code": "A1"}"#,
            "`/code` of the body must match the pattern `^[a-z]+$`",
        ),
        (
            r#"{"name": "x", "day": "31.1."}"#,
            "`/day` of the body must be of the format `date`",
        ),
        (
            r#"{"name": "x", "inner": {"admin": true}}"#,
            "`/inner` of the body holds a property, where the document lists none",
        ),
    ] {
        assert_eq!(with_body(&revision, body), expected, "{body}");
    }
}

#[test]
fn names_from_a_body_are_cut() {
    let schema = "{ type: object, properties: { z: true }, additionalProperties: false }";
    let revision = revision(&takes("3.1.0", schema), "");
    let detail = with_body(&revision, &format!("{{\"{}\": 1}}", "a".repeat(5000)));
    assert!(
        detail.contains("aaa…`, which") && detail.len() < 200,
        "{detail}"
    );
}

#[test]
fn json_with_two_readings_is_refused() {
    let revision = revision(&takes("3.1.0", "{ type: object }"), "");
    for body in [
        r#"{"role": "user", "role": "admin"}"#,
        r#"{"role": "user", "Role": "admin"}"#,
        r#"{"__proto__": {}}"#,
        "{} {}",
        "{'a': 1}",
        "",
        "1e999",
    ] {
        let refused = with_body(&revision, body);
        // The body is not required, so that an empty one passes.
        assert_eq!(refused.is_empty(), body.is_empty(), "{body}: {refused}");
    }
}

#[test]
fn the_dialect_of_3_0_means_what_it_says() {
    for (schema, good, bad) in [
        ("{ type: integer, nullable: true }", "null", "\"x\""),
        (
            "{ type: string, nullable: true, enum: [a] }",
            "null",
            "\"b\"",
        ),
        ("{ nullable: true, allOf: [{ type: string }] }", "null", "1"),
        (
            "{ type: number, minimum: 5, exclusiveMinimum: true }",
            "5.1",
            "5",
        ),
        (
            "{ type: number, minimum: 5, exclusiveMinimum: false }",
            "5",
            "4.9",
        ),
        (
            "{ type: number, maximum: 5, exclusiveMaximum: true }",
            "4",
            "5",
        ),
        (
            "{ type: integer, format: int32 }",
            "2147483647",
            "2147483648",
        ),
        (
            "{ type: integer, format: int64 }",
            "9223372036854775807",
            "9223372036854775808",
        ),
        // What stands beside `$ref` does not count in 3.0.
        (
            "{ $ref: '#/paths/~1/x-shared', maxLength: 1 }",
            "\"ab\"",
            "1",
        ),
    ] {
        let openapi = takes("3.0.3", schema) + "    x-shared: { type: string }\n";
        let revision = revision(&openapi, "");
        assert_eq!(with_body(&revision, good), "", "{schema} {good}");
        assert_ne!(with_body(&revision, bad), "", "{schema} {bad}");
    }
}

#[test]
fn the_dialect_of_3_1_and_3_2_is_json_schema() {
    for (schema, good, bad) in [
        ("{ type: [integer, 'null'] }", "null", "\"x\""),
        ("{ exclusiveMinimum: 5 }", "6", "5"),
        ("{ const: a }", "\"a\"", "\"b\""),
        (
            "{ prefixItems: [{ type: string }], items: false }",
            "[\"a\"]",
            "[\"a\", 1]",
        ),
        (
            "{ $ref: '#/paths/~1/x-shared', maxLength: 1 }",
            "\"a\"",
            "\"ab\"",
        ),
        (
            "{ allOf: [{ properties: { a: true } }], unevaluatedProperties: false }",
            "{\"a\": 1}",
            "{\"b\": 1}",
        ),
        (
            "{ patternProperties: { '^x': { type: integer } } }",
            "{\"xa\": 1}",
            "{\"xa\": \"\"}",
        ),
        (
            "{ if: { required: [a] }, then: { required: [b] } }",
            "{\"a\": 1, \"b\": 1}",
            "{\"a\": 1}",
        ),
        (
            "{ type: array, contains: { const: 1 }, minContains: 2 }",
            "[1, 1]",
            "[1]",
        ),
        (
            "{ dependentRequired: { a: [b] } }",
            "{\"b\": 1}",
            "{\"a\": 1}",
        ),
    ] {
        for version in ["3.1.0", "3.2.0"] {
            let openapi = takes(version, schema) + "    x-shared: { type: string }\n";
            let revision = revision(&openapi, "");
            assert_eq!(with_body(&revision, good), "", "{schema} {good}");
            assert_ne!(with_body(&revision, bad), "", "{schema} {bad}");
        }
    }
}

#[test]
fn what_stands_beside_a_reference_counts_however_many_lead_to_it() {
    let openapi = takes("3.1.0", "{ $ref: '#/components/schemas/A' }")
        + "components: { schemas: { A: { $ref: '#/components/schemas/B' }, B: { $ref: '#/components/schemas/C', maxLength: 1 }, C: { type: string } } }\n";
    let revision = revision(&openapi, "");
    assert_eq!(with_body(&revision, "\"a\""), "");
    assert_ne!(with_body(&revision, "\"ab\""), "");
    assert_ne!(with_body(&revision, "1"), "");
}

#[test]
fn schemas_may_contain_themselves() {
    let openapi = takes("3.1.0", "{ $ref: '#/components/schemas/Node' }")
        + "components: { schemas: { Node: { type: object, properties: { next: { $ref: '#/components/schemas/Node' }, v: { type: integer } }, additionalProperties: false } } }\n";
    let revision = revision(&openapi, "");
    assert_eq!(with_body(&revision, r#"{"next": {"next": {"v": 1}}}"#), "");
    let detail = with_body(&revision, r#"{"next": {"next": {"v": "x"}}}"#);
    assert_eq!(detail, "`/next/next/v` of the body must be a whole number");
}

#[test]
fn a_body_made_to_multiply_errors_costs_little() {
    // Each level has two branches that fail at the leaf only: their errors would double with each level.
    let openapi = takes("3.1.0", "{ $ref: '#/components/schemas/N' }")
        + "components: { schemas: { N: { oneOf: [
             { type: object, required: [a], properties: { a: { $ref: '#/components/schemas/N' } } },
             { type: object, required: [a], properties: { a: { $ref: '#/components/schemas/N' }, b: { type: integer } } },
             { const: 1 } ] } } }\n";
    let revision = revision(&openapi, "");
    let body = format!("{}2{}", "{\"a\":".repeat(60), "}".repeat(60));
    assert_eq!(
        with_body(&revision, &body),
        "the body does not have the form that the document describes"
    );
}

/// `Node`, which is `count` schemas for one value, the last of which has a property `n` that is a `Node`.
fn chain_of(count: usize) -> String {
    let mut openapi = takes("3.1.0", "{ $ref: '#/components/schemas/S1' }");
    openapi += "components:\n  schemas:\n";
    for at in 1..count {
        openapi += &format!(
            "    S{at}: {{ allOf: [{{ $ref: '#/components/schemas/S{}' }}] }}\n",
            at + 1
        );
    }
    openapi
        + &format!(
            "    S{count}: {{ type: object, properties: {{ n: {{ $ref: '#/components/schemas/S1' }} }} }}\n"
        )
}

#[test]
fn the_deepest_body_and_the_longest_chain_of_schemas_fit_the_stack() {
    let revision = revision(&chain_of(16), "");
    let nested = |depth: usize, leaf: &str| {
        format!("{}{leaf}{}", "{\"n\":".repeat(depth), "}".repeat(depth))
    };
    assert_eq!(with_body(&revision, &nested(63, "{}")), "");
    let detail = with_body(&revision, &nested(64, "1"));
    assert!(detail.ends_with(" must be an object"), "{detail}");
    let detail = with_body(&revision, &nested(64, "{}"));
    assert!(detail.contains("nested 65 levels deep"), "{detail}");
    let found = problems_of(&chain_of(17), "");
    assert!(
        found.contains("more than 16 schemas refer to one another for the same value"),
        "{found}"
    );
}

#[test]
fn a_discriminator_picks_the_branch_that_is_judged() {
    let openapi = takes("3.0.3", "{ $ref: '#/components/schemas/Pet' }")
        + "components:
  schemas:
    Pet:
      oneOf: [{ $ref: '#/components/schemas/Cat' }, { $ref: '#/components/schemas/Dog' }]
      discriminator: { propertyName: kind, mapping: { hound: '#/components/schemas/Dog' } }
    Cat: { type: object, properties: { kind: { type: string }, lives: { type: integer } } }
    Dog: { type: object, properties: { kind: { type: string }, lives: { type: string } } }
";
    let revision = revision(&openapi, "");
    for (body, expected) in [
        (r#"{"kind": "Cat", "lives": 9}"#, ""),
        (r#"{"kind": "hound", "lives": "one"}"#, ""),
        // Both schemas are open, so that `oneOf` alone would refuse it.
        (r#"{"kind": "Dog"}"#, ""),
        (
            r#"{"kind": "Cat", "lives": "nine"}"#,
            "`/lives` of the body must be a whole number",
        ),
        (
            r#"{"kind": "Fish"}"#,
            r#"`/kind` of the body must be one of `"hound"`, `"Cat"`, `"Dog"`"#,
        ),
        (r#"{"lives": 9}"#, "the body lacks `kind`"),
    ] {
        assert_eq!(with_body(&revision, body), expected, "{body}");
    }
}

#[test]
fn read_only_properties_are_not_required_and_not_accepted() {
    let openapi = takes("3.0.3", "{ $ref: '#/components/schemas/User' }")
        + "components:
  schemas:
    Id: { type: integer, readOnly: true }
    Base: { type: object, required: [id], properties: { id: { $ref: '#/components/schemas/Id' } } }
    User:
      allOf:
        - { $ref: '#/components/schemas/Base' }
        - { type: object, required: [id, name, role], properties: { name: { type: string }, role: { type: string, readOnly: true } } }
";
    let strict = revision(&openapi, "");
    assert_eq!(with_body(&strict, r#"{"name": "ada"}"#), "");
    assert_eq!(with_body(&strict, "{}"), "the body lacks `name`");
    for body in [
        r#"{"name": "ada", "role": "admin"}"#,
        r#"{"name": "ada", "id": 1}"#,
    ] {
        assert!(
            with_body(&strict, body).contains("must not be there"),
            "{body}"
        );
    }
    let lenient = revision(&openapi, ", read_only: pass");
    assert_eq!(with_body(&lenient, r#"{"name": "ada", "id": 1}"#), "");
    assert_eq!(
        with_body(&lenient, r#"{"name": "ada", "id": "x"}"#),
        "`/id` of the body must be a whole number"
    );
}

#[test]
fn query_parameters_are_read_in_every_style() {
    for (parameter, good, bad) in [
        (
            "{ name: a, in: query, schema: { type: integer } }",
            "a=5",
            "a=5.5",
        ),
        (
            "{ name: a, in: query, schema: { type: integer } }",
            "b=5",
            "a=",
        ),
        (
            "{ name: a, in: query, allowEmptyValue: true, schema: { type: integer } }",
            "a=",
            "a=x",
        ),
        (
            "{ name: a, in: query, required: true, schema: { type: integer } }",
            "a=5",
            "b=5",
        ),
        (
            "{ name: a, in: query, schema: { type: integer } }",
            "a=5",
            "a=5&a=6",
        ),
        (
            "{ name: a, in: query, schema: { type: integer } }",
            "a=5",
            "a=%2B5",
        ),
        (
            "{ name: a, in: query, schema: { type: integer } }",
            "a=5",
            "a=%205",
        ),
        (
            "{ name: a, in: query, schema: { type: boolean } }",
            "a=true",
            "a=TRUE",
        ),
        (
            "{ name: a, in: query, schema: { type: string, maxLength: 2 } }",
            "a=12",
            "a=123",
        ),
        (
            "{ name: a, in: query, schema: { type: string } }",
            "a=%C3%A9",
            "a=%FF",
        ),
        (
            "{ name: a, in: query, schema: { type: array, items: { type: integer } } }",
            "a=1&a=2",
            "a=1&a=x",
        ),
        (
            "{ name: a, in: query, explode: false, schema: { type: array, maxItems: 2 } }",
            "a=1,2",
            "a=1,2,3",
        ),
        (
            "{ name: a, in: query, style: pipeDelimited, explode: false, schema: { type: array, maxItems: 2 } }",
            "a=1|2",
            "a=1|2|3",
        ),
        (
            "{ name: a, in: query, style: spaceDelimited, explode: false, schema: { type: array, maxItems: 2 } }",
            "a=1+2",
            "a=1+2+3",
        ),
        (
            "{ name: a, in: query, style: deepObject, schema: { type: object, properties: { x: { type: integer } }, additionalProperties: false } }",
            "a[x]=1",
            "a[x]=y",
        ),
        (
            "{ name: a, in: query, style: deepObject, schema: { type: object, properties: { x: { type: integer } }, additionalProperties: false } }",
            "b[y]=1",
            "a[y]=1",
        ),
        (
            "{ name: a, in: query, schema: { type: object, properties: { x: { type: integer } } } }",
            "x=1",
            "x=y",
        ),
        (
            "{ name: a, in: query, explode: false, schema: { type: object, properties: { x: { type: integer } } } }",
            "a=x,1",
            "a=x,y",
        ),
        (
            "{ name: a, in: query, content: { application/json: { schema: { type: object, required: [x] } } } }",
            "a={\"x\":1}",
            "a={}",
        ),
        (
            "{ name: a, in: query, content: { application/json: { schema: { type: object } } } }",
            "a={}",
            "a={\"x\":1,\"x\":2}",
        ),
        (
            "{ name: a, in: query, schema: { anyOf: [{ type: integer }, { enum: [all] }] } }",
            "a=all",
            "a=some",
        ),
        (
            "{ name: q, in: querystring, content: { application/x-www-form-urlencoded: { schema: { type: object, properties: { n: { type: integer } }, additionalProperties: false } } } }",
            "n=1",
            "n=1&m=2",
        ),
    ] {
        let revision = revision(&takes_parameter(parameter), "");
        assert_eq!(with_query(&revision, good), "", "{parameter} {good}");
        assert_ne!(with_query(&revision, bad), "", "{parameter} {bad}");
    }
}

#[test]
fn fields_and_cookies_are_judged_with_all_their_values() {
    let parameter = "{ name: X-Ids, in: header, schema: { type: array, items: { type: integer }, maxItems: 2 } }, { name: seen, in: cookie, required: true, schema: { type: boolean } },
        { name: Authorization, in: header, required: true, schema: { type: integer } }";
    let revision = revision(&takes_parameter(parameter), "");
    for (fields, expected) in [
        (&[("X-Ids", "1, 2"), ("Cookie", "a=b; seen=true")][..], ""),
        (
            &[("X-Ids", "1"), ("X-Ids", "2"), ("Cookie", "seen=true")],
            "",
        ),
        (
            &[("X-Ids", "1, 2"), ("X-Ids", "3"), ("Cookie", "seen=true")],
            "`X-Ids` of the header must have at most 2 items",
        ),
        (
            &[("X-Ids", "x"), ("Cookie", "seen=true")],
            "`/0` of `X-Ids` of the header must be a whole number",
        ),
        (
            &[("Cookie", "seen=maybe")],
            "`seen` of the cookie must be `true` or `false`",
        ),
        (
            &[("Cookie", "seen=true; seen=false")],
            "`seen` of the cookie is there more than once",
        ),
        (&[], "`seen` of the cookie is missing"),
    ] {
        let trace = ask(&revision, &call("GET", "/orders", fields));
        assert_eq!(trace.detail.unwrap_or_default(), expected, "{fields:?}");
    }
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
fn a_pattern_that_backtracks_elsewhere_is_linear_or_refused() {
    let catastrophic = [
        "^(a+)+$".to_owned(),
        "^(.*.*=.*)+$".to_owned(),
        "^(([a-z])+.)+[A-Z]([a-z])+$".to_owned(),
    ];
    let long = format!("\"{}!\"", "a".repeat(64 * 1024));
    for pattern in catastrophic {
        let schema = format!("{{ type: string, pattern: '{pattern}' }}");
        let revision = revision(&takes("3.1.0", &schema), "");
        // This ends before the tests do only when it takes linear time.
        let _ = with_body(&revision, &long);
    }
    for pattern in ["(?=a)b", "(?<!a)b", r"(a)\1", "(a{1000}){1000}", "("] {
        for schema in [
            format!("{{ pattern: '{pattern}' }}"),
            format!("{{ patternProperties: {{ '{pattern}': {{}} }} }}"),
        ] {
            let found = problems_of(&takes("3.1.0", &schema), "");
            assert!(
                found.contains("cannot be used; write it without look-around"),
                "{schema}: {found}"
            );
            assert!(found.starts_with("api.yaml:6:"), "{found}");
        }
    }
}

#[test]
fn what_is_wrong_with_a_shared_schema_is_told_once() {
    let openapi = "openapi: 3.1.0
paths:
  /a: { post: { requestBody: { content: { application/json: { schema: { $ref: '#/components/schemas/A' } } } } } }
  /b: { post: { requestBody: { content: { application/json: { schema: { $ref: '#/components/schemas/B' } } } } } }
components: { schemas: { A: { pattern: '(?=a)' }, B: { items: { $ref: '#/components/schemas/A' } } } }
";
    let found = problems_of(openapi, "");
    assert_eq!(found.lines().count(), 1, "{found}");
}

#[test]
fn nothing_outside_the_document_is_read() {
    for reference in [
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "other.yaml#/components/schemas/A",
        "../secrets/key",
        "",
    ] {
        let found = problems_of(&takes("3.1.0", &format!("{{ $ref: '{reference}' }}")), "");
        assert!(
            found.contains("leaves the document; move what it names under `components`"),
            "{reference}: {found}"
        );
    }
}

#[test]
fn bad_documents_are_refused_at_their_place() {
    let whole = |rest: &str| format!("openapi: 3.1.0\n{rest}\n");
    let schema = |schema: &str| takes("3.1.0", schema);
    for (openapi, expected) in [
        (
            "[]".to_owned(),
            "api.yaml:1:1: this is not an OpenAPI document",
        ),
        (
            "swagger: '2.0'".to_owned(),
            "the field `openapi` is missing; start it with `openapi: 3.0.3`",
        ),
        (
            "openapi: 4.0.0".to_owned(),
            "api.yaml:1:1: OpenAPI 4.0.0 is not read",
        ),
        ("a: [".to_owned(), "this is not YAML"),
        (
            whole("paths: {}"),
            "`api.yaml` has no operation; check the paths",
        ),
        (
            whole("jsonSchemaDialect: http://json-schema.org/draft-07/schema\npaths: {}"),
            "this dialect of JSON Schema is not read",
        ),
        (
            whole("paths: { orders: { get: {} } }"),
            "the path `orders` does not start with `/`",
        ),
        (
            whole("paths: { '/{a}{b}': { get: {} } }"),
            "need names, and text between them",
        ),
        (whole("paths: { '/{a': { get: {} } }"), "is not closed"),
        (
            whole("paths: { /: { get: { parameters: [{ in: query }] } } }"),
            "the parameter has no `name`",
        ),
        (
            whole("paths: { /: { get: { parameters: [{ name: a, in: body }] } } }"),
            "the parameter `a` stands nowhere; write `in: path`",
        ),
        (
            whole("paths: { /: { get: { parameters: [{ name: a, in: path }] } } }"),
            "the path `/` has no variable `a`",
        ),
        (
            whole("paths: { /: { get: { parameters: [{ name: a, in: query, style: matrix }] } } }"),
            "the style `matrix` is not read here; write `simple`",
        ),
        (
            schema("{ $ref: '#/components/schemas/Ordr' }")
                + "components: { schemas: { Order: {} } }\n",
            "there is no `#/components/schemas/Ordr`; did you mean `#/components/schemas/Order`?",
        ),
        (
            schema("{ $ref: '#name' }"),
            "is not a pointer; write a pointer such as",
        ),
        (
            schema("{ $ref: '#/components/schemas/A' }")
                + "components: { schemas: { A: { $ref: '#/components/schemas/B' }, B: { allOf: [{ $ref: '#/components/schemas/A' }] } } }\n",
            "refers to itself for the same value",
        ),
        (schema("{ type: strng }"), "api.yaml:6:"),
        (schema("{ type: strng }"), "this schema cannot be used"),
        (
            whole("paths: { /: { get: { paramters: [] } } }"),
            "api.yaml:2:22: unknown field `paramters`; check its spelling",
        ),
        (
            whole("paths: { /: { get: { parameters: { a: 1 } } } }"),
            "api.yaml:2:22: this must be a list",
        ),
        (
            whole("paths: { /: { get: { requestBody: { required: yes, content: {} } } } }"),
            "this must be `true` or `false`",
        ),
        (schema("{ readOnly: yes }"), "expected `true` or `false`"),
        (
            schema("{ oneOf: [{}], discriminator: { propertName: kind } }"),
            "this is not a discriminator; write `propertyName`",
        ),
        (
            schema("{ maxLength: -1 }"),
            "this schema cannot be used: must be at least 0",
        ),
        (
            schema("{ maxLenght: 5 }"),
            "unknown keyword `maxLenght`; did you mean `maxLength`?",
        ),
        (schema("{ requird: [a] }"), "did you mean `required`?"),
        (schema("{ properties: [a] }"), "expected schemas by name"),
        (schema("{ allOf: {} }"), "expected a list of schemas"),
        (schema("{ items: 5 }"), "expected a schema"),
        (schema("{ $dynamicRef: '#a' }"), "`$dynamicRef` is not read"),
        (
            schema(
                "{ oneOf: [{ $ref: '#/components/schemas/A' }], discriminator: { propertyName: k, mapping: { x: Missing } } }",
            ) + "components: { schemas: { A: {} } }\n",
            "`Missing` is not a schema of this document",
        ),
    ] {
        let found = problems_of(&openapi, "");
        assert!(found.contains(expected), "{openapi}\n→ {found}");
    }
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

#[test]
fn documents_may_be_json_with_escaped_pairs() {
    let openapi = r#"{"openapi": "3.0.0", "paths": {"/": {"post": {"requestBody": {"content": {"application/json":
        {"schema": {"enum": ["\ud83d\ude00"]}}}}}}}}"#;
    let revision = revision(openapi, "");
    assert_eq!(with_body(&revision, "\"😀\""), "");
    assert_ne!(with_body(&revision, "\"x\""), "");
}

/// A document with something of everything.
const RICH: &str = r##"{
  "openapi": "3.0.3",
  "paths": { "/{id}": {
    "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "integer", "minimum": 1, "exclusiveMinimum": true } }],
    "post": {
      "parameters": [{ "$ref": "#/components/parameters/Page" }, { "name": "f", "in": "query", "style": "deepObject", "explode": true, "schema": { "type": "object", "properties": { "a": { "type": "array", "items": { "type": "string" } } } } }],
      "requestBody": { "required": true, "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Pet" } }, "application/x-www-form-urlencoded": { "schema": { "type": "object" } } } },
      "responses": { "2XX": { "headers": { "X-A": { "schema": { "type": "string" } } }, "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Cat" } } } } }
    } } },
  "components": {
    "parameters": { "Page": { "name": "page", "in": "query", "content": { "application/json": { "schema": { "type": "object" } } } } },
    "securitySchemes": { "k": { "type": "apiKey", "in": "query", "name": "k" } },
    "schemas": {
      "Pet": { "oneOf": [{ "$ref": "#/components/schemas/Cat" }], "discriminator": { "propertyName": "kind", "mapping": { "cat": "Cat" } } },
      "Cat": { "type": "object", "nullable": true, "required": ["kind"], "additionalProperties": false, "allOf": [{ "minProperties": 1 }],
               "properties": { "kind": { "type": "string", "enum": ["cat", "Cat"], "pattern": "^.*$", "format": "date" }, "id": { "type": "integer", "format": "int64", "readOnly": true } } }
    } } }"##;

fn pointers(value: &serde_json::Value, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    let step = |name: &str| format!("{here}/{}", name.replace('~', "~0").replace('/', "~1"));
    match value {
        serde_json::Value::Object(members) => members
            .iter()
            .for_each(|(name, value)| pointers(value, &step(name), found)),
        serde_json::Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(at, value)| pointers(value, &step(&at.to_string()), found)),
        _ => {}
    }
}

#[test]
fn an_empty_or_odd_value_anywhere_in_a_document_is_refused_in_words_or_means_what_it_says() {
    let rich: serde_json::Value = serde_json::from_str(RICH).unwrap();
    assert_eq!(problems_of(RICH, ", response: true"), "");
    let mut found = Vec::new();
    pointers(&rich, "", &mut found);
    assert!(found.len() > 80, "{}", found.len());
    let odd = serde_json::json!([null, "", [], {}, -1, 1.5, true, "#", [null], { "$ref": "#" }]);
    let mut accepted = Vec::new();
    for pointer in &found {
        for odd in odd.as_array().unwrap() {
            let mut changed = rich.clone();
            *changed.pointer_mut(pointer).unwrap() = odd.clone();
            let source = source(&changed.to_string(), ", response: true", "");
            match Revision::check(&source) {
                Ok(_) => accepted.push(format!("{pointer} {odd}")),
                Err(problems) => assert!(
                    problems.iter().all(|problem| !problem.message.is_empty()),
                    "{pointer} {odd}"
                ),
            }
        }
    }
    // A value that may be anything, a text or number of another content, and an empty object where it is a whole schema or answer.
    let plain = |case: &&String| {
        let (pointer, odd) = case.split_once(' ').unwrap();
        !(pointer.contains("/enum/")
            || odd.starts_with(['"', '1', '-'])
            || odd == "true"
            || odd == "{}")
    };
    let doubtful: Vec<&String> = accepted.iter().filter(plain).collect();
    assert_eq!(
        doubtful,
        [
            // Nothing is described there, nothing is required, and no value is allowed.
            "/paths/~1{id}/parameters []",
            "/paths/~1{id}/post/parameters []",
            "/components/schemas/Cat/required []",
            "/components/schemas/Cat/properties/kind/enum []",
            "/components/schemas/Cat/properties/kind/enum [null]",
        ]
    );
}

proptest::proptest! {
    #[test]
    fn every_request_gets_a_decision(path in "/orders/[ -~]{0,20}", query in "[ -~]{0,60}", body in "\\PC{0,80}", content_type in "[ -~]{0,40}") {
        let revision = revision(RICH, ", response: true");
        for content_type in [content_type.as_str(), "application/json", "application/x-www-form-urlencoded"] {
            let url = format!("{path}?{query}");
            if let Ok(trace) = explain(&revision, &post(&url, content_type, &*body), NOW) {
                proptest::prop_assert!(["forward", "refuse"].contains(&trace.decision));
            }
        }
    }
}
