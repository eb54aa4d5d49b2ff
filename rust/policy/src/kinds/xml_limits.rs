//! # What it does
//! Refuses XML bodies that are made to break parsers: too deep, too many elements or attributes, values too long, document types,
//! entities and processing instructions.
//!
//! # When to use
//! Everywhere that XML or SOAP arrives. Whatever `Content-Type` claims, a body that starts like XML is checked.
//!
//! # Example
//! ```yaml
//! - { id: xml-shape, kind: xml_limits, depth: 20, attributes: 10 }
//! ```
//!
//! # On failure
//! 400 with the place in the body; 413 for a body larger than `up_to`; 415 for a compressed one, which cannot be checked. Document
//! type declarations, processing instructions, entities beyond the five of XML 1.0 §4.6 and encodings other than UTF-8 are refused
//! whatever the settings say: nothing expands and nothing external is named.

use std::num::NonZeroUsize;

use lockgate_config::{ByteSize, OnError, PolicyEntry, decode};
use lockgate_inspection::xml::{self, XmlLimits};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::env::Env;
use crate::payload::{self, ENCODED};
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::{BODY_TOO_LARGE, Reason};
use crate::request::RequestView;
use crate::verdict::Verdict;

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "xml_limits",
    phase: Phase::Payload,
    about: "Refuses XML bodies that are too deep, too large, or declare document types and entities.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: false,
    reasons: &[&REFUSED, &ENCODED, &BODY_TOO_LARGE],
    schema: Settings::json_schema,
    compile,
};

static REFUSED: Reason = Reason::new(
    "xml_limits.refused",
    400,
    "XML not accepted",
    "change the body as `detail` says and send it again",
);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// Open elements at one point.
    depth: NonZeroUsize,
    /// Elements of the whole body.
    elements: NonZeroUsize,
    /// Attributes of one element, namespace declarations included.
    attributes: NonZeroUsize,
    /// Bytes of one element or attribute name, prefix included.
    name: ByteSize,
    /// Bytes of one attribute value.
    attribute: ByteSize,
    /// Bytes of the text between two tags, CDATA included.
    text: ByteSize,
    /// Bytes of one comment.
    comment: ByteSize,
    /// The largest body.
    up_to: ByteSize,
}

impl Default for Settings {
    fn default() -> Self {
        let limits = XmlLimits::default();
        let count = |number| NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN);
        Self {
            depth: count(limits.depth),
            elements: count(limits.elements),
            attributes: count(limits.attributes),
            name: ByteSize::new(limits.name_bytes as u64),
            attribute: ByteSize::new(limits.attribute_bytes as u64),
            text: ByteSize::new(limits.text_bytes as u64),
            comment: ByteSize::new(limits.comment_bytes as u64),
            up_to: ByteSize::new(1024 * 1024),
        }
    }
}

#[derive(Debug)]
struct Limits {
    limits: XmlLimits,
    up_to: usize,
}

fn compile(entry: &PolicyEntry, _: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let limits = XmlLimits {
        depth: settings.depth.get(),
        elements: settings.elements.get(),
        attributes: settings.attributes.get(),
        name_bytes: settings.name.as_usize(),
        attribute_bytes: settings.attribute.as_usize(),
        text_bytes: settings.text.as_usize(),
        comment_bytes: settings.comment.as_usize(),
    };
    Ok(Box::new(Limits {
        limits,
        up_to: settings.up_to.as_usize(),
    }))
}

impl Policy for Limits {
    fn evaluate(&self, request: &RequestView<'_>, _: &mut Env<'_>) -> Verdict {
        let body = match payload::readable_body(request, self.up_to) {
            Ok(body) => body,
            Err(verdict) => return verdict,
        };
        if body.is_empty() || !(payload::claims(request, "xml") || xml::looks_like_xml(body)) {
            return Verdict::Pass;
        }
        match xml::check(body, &self.limits) {
            Ok(()) => Verdict::allow(),
            Err(violation) => {
                Verdict::deny(&REFUSED, format!("the XML body is refused: {violation}"))
            }
        }
    }
}
