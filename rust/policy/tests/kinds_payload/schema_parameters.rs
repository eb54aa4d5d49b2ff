use super::schema::*;
use crate::support::*;

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
