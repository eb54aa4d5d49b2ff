//! What detectors are shown.

/// One value of a request with where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    /// Where the value stands.
    pub location: Location,
    /// Name of the parameter, header, cookie or attribute; pointer or path in JSON and XML.
    pub name: &'a str,
    /// The value as its container gives it: JSON strings unescaped, XML references resolved, everything else raw.
    pub value: &'a [u8],
    /// The value before any decoding; the same for every view of it.
    pub raw: &'a [u8],
    /// Layers of encoding that were undone since the request; a `+` for a space is none.
    pub decodings: u8,
}

impl<'a> Field<'a> {
    /// A field as it stands in the request.
    #[must_use]
    pub fn new(location: Location, name: &'a str, value: &'a [u8]) -> Self {
        Self {
            location,
            name,
            value,
            raw: value,
            decodings: 0,
        }
    }
}

/// Where in a request a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Location {
    /// The path, or one segment or parameter of it.
    Path,
    /// A query parameter's value.
    QueryValue,
    /// A query parameter's name.
    QueryName,
    /// A header's value.
    Header,
    /// A cookie's value.
    Cookie,
    /// A form field's value.
    FormValue,
    /// A form field's name.
    FormName,
    /// A string in a JSON body.
    JsonValue,
    /// A key in a JSON body.
    JsonKey,
    /// Text in an XML body.
    XmlText,
    /// An attribute value in an XML body.
    XmlAttribute,
    /// The whole body, as it was sent.
    Body,
}

impl Location {
    /// Whether `+` stands for a space here.
    pub(super) fn plus_is_space(self) -> bool {
        matches!(
            self,
            Self::QueryValue | Self::QueryName | Self::FormValue | Self::FormName
        )
    }

    /// One bit of its own.
    pub(super) const fn bit(self) -> u16 {
        1 << self as u16
    }

    /// Whether a value of one layer of percent-encoding is how the location carries any value.
    pub(super) fn is_percent_encoded(self) -> bool {
        self == Self::Path || self.plus_is_space()
    }
}
