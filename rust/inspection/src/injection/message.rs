//! Shows the parts of a request to an inspection, field by field.

use std::ops::ControlFlow;

use super::Inspection;
use super::field::{Field, Location};
use crate::json::{self, JsonViolation};
use crate::xml::{self, XmlViolation};

/// Shows names and values of a raw query string (without `?`).
pub fn show_query(inspection: &mut dyn Inspection, query: &[u8]) -> ControlFlow<()> {
    show_pairs(inspection, query, Location::QueryName, Location::QueryValue)
}

/// Shows names and values of a body of type `application/x-www-form-urlencoded`.
pub fn show_form(inspection: &mut dyn Inspection, body: &[u8]) -> ControlFlow<()> {
    show_pairs(inspection, body, Location::FormName, Location::FormValue)
}

fn show_pairs(
    inspection: &mut dyn Inspection,
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
        inspection.field(&Field::new(name_at, &shown, name))?;
        if let Some(value) = value {
            inspection.field(&Field::new(value_at, &shown, value))?;
        }
    }
    ControlFlow::Continue(())
}

/// Shows the values of a `Cookie` header (RFC 6265 §5.4).
pub fn show_cookies(inspection: &mut dyn Inspection, header: &[u8]) -> ControlFlow<()> {
    for pair in header.split(|byte| *byte == b';') {
        let mut halves = pair.trim_ascii().splitn(2, |byte| *byte == b'=');
        let (name, value) = (halves.next().unwrap_or_default(), halves.next());
        // A cookie without a name is its value to some servers.
        let (name, value) = value.map_or((&b""[..], name), |value| (name, value));
        inspection.field(&Field::new(
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
pub fn show_json(inspection: &mut dyn Inspection, body: &[u8]) -> Result<(), JsonViolation> {
    json::walk_strings(body, |each| {
        let location = if each.is_key {
            Location::JsonKey
        } else {
            Location::JsonValue
        };
        inspection.field(&Field::new(location, each.pointer, each.text.as_bytes()))
    })
}

/// Shows texts and attribute values of an XML body.
///
/// # Errors
/// The body is not acceptable XML; what stands in front of the error has been shown.
pub fn show_xml(inspection: &mut dyn Inspection, body: &[u8]) -> Result<(), XmlViolation> {
    xml::walk_values(body, |each| {
        let location = if each.attribute.is_some() {
            Location::XmlAttribute
        } else {
            Location::XmlText
        };
        inspection.field(&Field::new(
            location,
            each.attribute.unwrap_or(each.path),
            each.text.as_bytes(),
        ))
    })
}
