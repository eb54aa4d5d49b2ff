use super::schema::*;

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
