//! How the definitions of a translated schema lead to one another.

use serde_json::Value;

/// The most definitions that lead from one to the next, or `Err` with one that leads back to itself. Definitions that lead to nothing
/// are taken away again and again; those of a circle are left.
pub(super) fn longest(
    definitions: &Value,
    count: usize,
    named_in: &dyn Fn(&Value, &mut Vec<usize>),
) -> Result<usize, usize> {
    let named: Vec<Vec<usize>> = (0..count)
        .map(|number| {
            let mut named = Vec::new();
            if let Some(schema) = definitions.get(number.to_string()) {
                named_in(schema, &mut named);
            }
            named
        })
        .collect();
    let mut lengths: Vec<Option<usize>> = vec![None; count];
    loop {
        let mut changed = false;
        for (number, named) in named.iter().enumerate() {
            if lengths.get(number).is_some_and(Option::is_some) {
                continue;
            }
            let below: Option<Vec<usize>> = named
                .iter()
                .map(|other| lengths.get(*other).copied().flatten())
                .collect();
            if let (Some(below), Some(length)) = (below, lengths.get_mut(number)) {
                *length = Some(1 + below.into_iter().max().unwrap_or(0));
                changed = true;
            }
        }
        if !changed {
            let circle = lengths.iter().position(Option::is_none);
            let longest = lengths.iter().flatten().max();
            return circle.map_or_else(|| Ok(longest.copied().unwrap_or(0)), Err);
        }
    }
}

fn number_of(schema: &Value) -> Option<usize> {
    let reference = schema.get("$ref")?.as_str()?;
    reference.strip_prefix("#/$defs/")?.parse().ok()
}

/// The definitions that a schema applies to the same value.
pub(super) fn in_place(schema: &Value, found: &mut Vec<usize>) {
    found.extend(number_of(schema));
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let parts = schema.get(keyword).and_then(Value::as_array);
        parts
            .into_iter()
            .flatten()
            .for_each(|part| in_place(part, found));
    }
    for keyword in ["not", "if", "then", "else"] {
        schema
            .get(keyword)
            .into_iter()
            .for_each(|part| in_place(part, found));
    }
    let dependent = schema.get("dependentSchemas").and_then(Value::as_object);
    let dependent = dependent.into_iter().flat_map(|parts| parts.values());
    dependent.for_each(|part| in_place(part, found));
}

/// All definitions that a schema names.
pub(super) fn references(schema: &Value, found: &mut Vec<usize>) {
    found.extend(number_of(schema));
    match schema {
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Object(members) => members.values().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// Whether a schema holds alternatives.
pub(super) fn holds_alternatives(schema: &Value) -> bool {
    match schema {
        Value::Array(items) => items.iter().any(holds_alternatives),
        Value::Object(members) => members.iter().any(|(name, value)| {
            matches!(name.as_str(), "anyOf" | "oneOf") || holds_alternatives(value)
        }),
        _ => false,
    }
}
