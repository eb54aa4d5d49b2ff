//! JSON bodies: a streaming checker, and a walk over the strings of a text.
//!
//! Both run on one iterative reader, so nesting costs heap that is bounded by the body and never stack.
//! Work is linear in the length of the body.

mod check;
mod limits;
mod reader;
mod text;
mod violation;
mod walk;

pub use check::check;
pub use limits::JsonLimits;
pub use violation::{JsonProblem, JsonSyntax, JsonViolation};
pub use walk::{JsonString, WALK_DEPTH_MAX, walk_strings};

/// Whether a body must be treated as JSON whatever its `Content-Type` says.
///
/// True when the first significant bytes open an array or object the way JSON, or a lenient dialect of it that an
/// upstream may accept (comments, single quotes, a byte order mark, UTF-16), would. Prose that starts with a
/// bracket, such as `[draft] hello`, is not taken for JSON. Reads past leading white space only.
#[must_use]
pub fn looks_like_json(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if matches!(
        body,
        [0, b'{' | b'[', ..] | [b'{' | b'[', 0, ..] | [0xff, 0xfe, ..] | [0xfe, 0xff, ..]
    ) {
        return true;
    }
    let Some((open, rest)) = body.trim_ascii_start().split_first() else {
        return false;
    };
    let rest = rest.trim_ascii_start();
    match open {
        b'{' => matches!(rest.first(), Some(b'"' | b'\'' | b'}' | b'/')),
        b'[' => {
            matches!(
                rest.first(),
                Some(b'"' | b'\'' | b']' | b'[' | b'{' | b'/' | b'-' | b'0'..=b'9')
            ) || [&b"true"[..], b"false", b"null", b"NaN"]
                .iter()
                .any(|word| rest.starts_with(word))
        }
        _ => false,
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "json_fuzz.rs"]
mod fuzz;
