//! A walk over the strings of a JSON text, for detectors.

use std::ops::ControlFlow;

use super::reader::{Event, Reader};
use super::violation::{JsonProblem, JsonViolation};

/// Deepest nesting that [`walk_strings`] follows.
pub const WALK_DEPTH_MAX: usize = 512;

/// One string of a JSON text, unescaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonString<'a> {
    /// Whether it is a key; otherwise it is a value.
    pub is_key: bool,
    /// Pointer (RFC 6901) of the value, or of the value under the key; cut to at most 512 bytes.
    pub pointer: &'a str,
    /// The unescaped string.
    pub text: &'a str,
}

/// Shows every key and every string value of a text to `visit`, once each, in the order of the text.
///
/// The visitor ends the walk with [`ControlFlow::Break`]. Strings in front of a syntax error have been visited when
/// the error is returned. Work is linear in the body.
///
/// # Errors
/// The text is not JSON, or is nested deeper than [`WALK_DEPTH_MAX`].
pub fn walk_strings(
    body: &[u8],
    mut visit: impl FnMut(JsonString<'_>) -> ControlFlow<()>,
) -> Result<(), JsonViolation> {
    let mut reader = Reader::new(body)?;
    while let Some(event) = reader.next()? {
        let (is_key, text) = match event {
            Event::Key(key) => (true, key),
            Event::Text(text) => (false, text),
            Event::Open if reader.depth() > WALK_DEPTH_MAX => {
                return Err(reader.violation(JsonProblem::Depth {
                    limit: WALK_DEPTH_MAX,
                    seen: reader.depth(),
                }));
            }
            _ => continue,
        };
        if visit(JsonString {
            is_key,
            pointer: reader.pointer(),
            text: &text,
        })
        .is_break()
        {
            break;
        }
    }
    Ok(())
}
