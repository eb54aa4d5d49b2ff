//! XML bodies: a streaming checker without document types, and a walk over texts and attribute values.
//!
//! Iterative, on a reader over the borrowed body; work is linear in the length of the body.

mod limits;
mod reader;

use std::ops::ControlFlow;

pub use limits::{XmlBound, XmlLimits, XmlProblem, XmlSyntax, XmlViolation};

/// One text or attribute value with references resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XmlText<'a> {
    /// Name of the attribute; `None` for text between tags.
    pub attribute: Option<&'a str>,
    /// Names of the open elements joined by `/`, cut to at most 512 bytes.
    pub path: &'a str,
    /// The value. Adjacent text, references and CDATA sections are one value, without outer white space.
    pub text: &'a str,
}

/// Bounds of [`walk_values`]: wide enough for any document a checker with raised limits admits.
const WALK_LIMITS: XmlLimits = XmlLimits {
    depth: 4_096,
    elements: usize::MAX,
    attributes: 4_096,
    name_bytes: usize::MAX,
    attribute_bytes: usize::MAX,
    text_bytes: usize::MAX,
    comment_bytes: usize::MAX,
};

/// Checks one XML document for well-formedness and against `limits`; stops at the first violation.
///
/// Document type declarations, processing instructions and entities beyond the five predefined ones are refused
/// always, so nothing expands and nothing external is ever named.
///
/// # Errors
/// The first violation, with the limit, the value seen, the byte offset and the element path.
pub fn check(body: &[u8], limits: &XmlLimits) -> Result<(), XmlViolation> {
    reader::read(body, limits, &mut |_| ControlFlow::Continue(()))
}

/// Shows every non-empty text and every attribute value to `visit`, once each, in the order of the document.
///
/// The visitor ends the walk with [`ControlFlow::Break`]. Values in front of a violation have been visited when the
/// error is returned.
///
/// # Errors
/// The document is not well-formed, or uses what [`check`] always refuses.
pub fn walk_values(
    body: &[u8],
    mut visit: impl FnMut(XmlText<'_>) -> ControlFlow<()>,
) -> Result<(), XmlViolation> {
    reader::read(body, &WALK_LIMITS, &mut visit)
}

/// Whether a body must be treated as XML whatever its `Content-Type` says: its first significant bytes open a
/// declaration, a comment, a document type or an element, also in UTF-16.
#[must_use]
pub fn looks_like_xml(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if matches!(
        body,
        [0, b'<', ..] | [b'<', 0, ..] | [0xff, 0xfe, b'<', ..] | [0xfe, 0xff, 0, b'<', ..]
    ) {
        return true;
    }
    match body.trim_ascii_start() {
        [b'<', b'?' | b'!', ..] => true,
        [b'<', first, ..] => first.is_ascii_alphabetic() || matches!(first, b'_' | b':' | 0x80..),
        _ => false,
    }
}

#[cfg(test)]
#[path = "xml_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "xml_fuzz.rs"]
mod fuzz;
