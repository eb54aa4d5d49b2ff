//! The two spellings of Gemini's fields, of which callers use either.

use serde_json::Value;

use crate::json::Fields;

/// A field by either of its names.
pub(super) fn either(fields: &mut Fields, camel: &str, snake: &str) -> Option<Value> {
    let first = fields.take(camel);
    let second = fields.take(snake);
    first.or(second)
}

/// A name as the documentation writes it.
pub(super) fn to_camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut up = false;
    for letter in name.chars() {
        if letter == '_' {
            up = true;
        } else if up {
            out.extend(letter.to_uppercase());
            up = false;
        } else {
            out.push(letter);
        }
    }
    out
}
