//! The keywords of schemas, by how they are treated.

/// Keywords that are taken as they are.
pub(super) const PLAIN: [&str; 16] = [
    "type",
    "enum",
    "const",
    "multipleOf",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "maxItems",
    "minItems",
    "uniqueItems",
    "maxProperties",
    "minProperties",
    "dependentRequired",
];
/// The same, which say something only beside `contains`.
pub(super) const COUNTS: [&str; 2] = ["maxContains", "minContains"];
/// Keywords that hold one schema.
pub(super) const ONE: [&str; 11] = [
    "not",
    "if",
    "then",
    "else",
    "items",
    "additionalProperties",
    "contains",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "additionalItems",
];
/// Keywords that hold a list of schemas.
pub(super) const SEVERAL: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
/// Keywords that hold schemas by name.
pub(super) const NAMED: [&str; 3] = ["properties", "patternProperties", "dependentSchemas"];
/// Keywords with a treatment of their own, and those that judge nothing.
pub(super) const OTHER: [&str; 27] = [
    "$ref",
    "pattern",
    "format",
    "required",
    "nullable",
    "discriminator",
    "readOnly",
    "writeOnly",
    "title",
    "description",
    "default",
    "example",
    "examples",
    "deprecated",
    "xml",
    "externalDocs",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "definitions",
    "$comment",
    "$id",
    "$schema",
    "$anchor",
    "$defs",
    "$vocabulary",
    "$dynamicAnchor",
];
/// Formats that are checked; all others say something to people only.
pub(super) const FORMATS: [&str; 13] = [
    "date",
    "date-time",
    "time",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "uri",
    "uri-reference",
    "uuid",
    "json-pointer",
    "relative-json-pointer",
];

/// What a misspelt keyword may have meant; short ones are like too much else.
pub(super) fn known() -> Vec<&'static str> {
    [&PLAIN[..], &COUNTS, &ONE, &SEVERAL, &NAMED, &OTHER]
        .concat()
        .into_iter()
        .filter(|known| known.len() > 4)
        .collect()
}
