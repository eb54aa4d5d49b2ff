use lockgate_policy::{Revision, explain};

use super::post;
use super::schema::*;
use crate::support::NOW;

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
