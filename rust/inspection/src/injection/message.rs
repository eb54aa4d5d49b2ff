//! Shows the parts of a request to a viewer, field by field.

use std::ops::ControlFlow;

use super::Viewer;
use super::field::{Field, Location};
use crate::json::{self, JsonViolation};
use crate::xml::{self, XmlViolation};

/// Shows names and values of a raw query string (without `?`).
pub fn show_query(viewer: &mut dyn Viewer, query: &[u8]) -> ControlFlow<()> {
    show_pairs(viewer, query, Location::QueryName, Location::QueryValue)
}

/// Shows names and values of a body of type `application/x-www-form-urlencoded`.
pub fn show_form(viewer: &mut dyn Viewer, body: &[u8]) -> ControlFlow<()> {
    show_pairs(viewer, body, Location::FormName, Location::FormValue)
}

fn show_pairs(
    viewer: &mut dyn Viewer,
    pairs: &[u8],
    name_at: Location,
    value_at: Location,
) -> ControlFlow<()> {
    for pair in pairs
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
    {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let (name, value) = (halves.next().unwrap_or_default(), halves.next());
        let shown = String::from_utf8_lossy(name);
        viewer.field(&Field::new(name_at, &shown, name))?;
        if let Some(value) = value {
            viewer.field(&Field::new(value_at, &shown, value))?;
        }
    }
    ControlFlow::Continue(())
}

/// Shows the values of a `Cookie` header (RFC 6265 §5.4).
pub fn show_cookies(viewer: &mut dyn Viewer, header: &[u8]) -> ControlFlow<()> {
    for pair in header.split(|byte| *byte == b';') {
        let mut halves = pair.trim_ascii().splitn(2, |byte| *byte == b'=');
        let (name, value) = (halves.next().unwrap_or_default(), halves.next());
        // A cookie without a name is its value to some servers.
        let (name, value) = value.map_or((&b""[..], name), |value| (name, value));
        viewer.field(&Field::new(
            Location::Cookie,
            &String::from_utf8_lossy(name),
            value,
        ))?;
    }
    ControlFlow::Continue(())
}

/// Shows keys and strings of a JSON body.
///
/// # Errors
/// The body is not JSON; what stands in front of the error has been shown.
pub fn show_json(viewer: &mut dyn Viewer, body: &[u8]) -> Result<(), JsonViolation> {
    json::walk_strings(body, |each| {
        let location = if each.is_key {
            Location::JsonKey
        } else {
            Location::JsonValue
        };
        viewer.field(&Field::new(location, each.pointer, each.text.as_bytes()))
    })
}

/// Shows texts and attribute values of an XML body.
///
/// # Errors
/// The body is not acceptable XML; what stands in front of the error has been shown.
pub fn show_xml(viewer: &mut dyn Viewer, body: &[u8]) -> Result<(), XmlViolation> {
    xml::walk_values(body, |each| {
        let location = if each.attribute.is_some() {
            Location::XmlAttribute
        } else {
            Location::XmlText
        };
        viewer.field(&Field::new(
            location,
            each.attribute.unwrap_or(each.path),
            each.text.as_bytes(),
        ))
    })
}
