//! `content`: media types and what their bodies must be.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use lockgate_config::Problem;
use lockgate_inspection::json::{self, JsonLimits};
use serde_json::Value;

use super::pointer::join;
use super::shape::Shape;
use super::side::Side;
use super::source::Source;
use super::validator::Validator;
use super::words::Complaint;

/// How deep bodies may nest. Judging takes stack for each level.
const DEPTH_MAX: usize = 64;

/// What a body of one media type must be.
#[derive(Debug)]
pub enum Form {
    /// JSON, and what its schema says.
    Json(Side, Option<Arc<Validator>>),
    /// Names and values of a form, and what their schema says.
    Pairs(Shape, Option<Arc<Validator>>),
    /// It is not looked at.
    Opaque,
}

/// Media ranges (RFC 9110 §12.5.1), the narrower first.
#[derive(Debug, Default)]
pub struct Content(Vec<(String, Form)>);

/// Why a body has no form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmatched {
    /// It says nothing of its type.
    Absent,
    /// It says several types, or something that is not one.
    Unreadable,
    /// It says a type that is not listed.
    NotListed,
    /// It says another character set than UTF-8.
    Charset,
}

impl Content {
    /// Reads the `content` at `pointer`.
    ///
    /// # Errors
    /// Every problem of its schemas.
    pub fn read(source: &Source, pointer: &str, side: Side) -> Result<Self, Vec<Problem>> {
        let mut ranges = Vec::new();
        let mut problems = Vec::new();
        let listed = source.at(pointer).and_then(Value::as_object);
        for name in listed.into_iter().flat_map(|listed| listed.keys()) {
            match Form::read(source, name, &join(pointer, name), side) {
                Ok(form) => ranges.push((essence(name), form)),
                Err(mut found) => problems.append(&mut found),
            }
        }
        // A star is the wider the earlier it stands.
        ranges.sort_by_key(|(range, _)| match range.as_str() {
            "*/*" => 2,
            range if range.ends_with("/*") => 1,
            _ => 0,
        });
        if problems.is_empty() {
            Ok(Self(ranges))
        } else {
            Err(problems)
        }
    }

    /// Whether nothing is listed.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The media types as a message lists them.
    pub fn listed(&self) -> String {
        let names: Vec<String> = self
            .0
            .iter()
            .map(|(range, _)| format!("`{range}`"))
            .collect();
        names.join(", ")
    }

    /// The form of a message with these fields.
    ///
    /// # Errors
    /// Why there is none.
    pub fn form(&self, headers: &HeaderMap) -> Result<&Form, Unmatched> {
        let mut values = headers.get_all(CONTENT_TYPE).iter();
        let named = match (values.next(), values.next()) {
            (None, _) => return Err(Unmatched::Absent),
            (Some(value), None) => essence(value.to_str().map_err(|_| Unmatched::Unreadable)?),
            (Some(_), Some(_)) => return Err(Unmatched::Unreadable),
        };
        let (main, _) = named.split_once('/').ok_or(Unmatched::Unreadable)?;
        // A comma would be a second value of a field that has one (RFC 9110 §5.3).
        if named.contains([',', '*']) {
            return Err(Unmatched::Unreadable);
        }
        let fits = |range: &str| {
            range == named
                || range == "*/*"
                || range.strip_suffix("/*").is_some_and(|wide| wide == main)
        };
        let found = self.0.iter().find(|(range, _)| fits(range));
        let (range, form) = found.ok_or(Unmatched::NotListed)?;
        let form = if is_wide(range) && !is_json(&named) {
            &OPAQUE
        } else {
            form
        };
        // In another character set the same bytes would be another text for the service.
        let is_read =
            matches!(form, Form::Opaque) || headers.get_all(CONTENT_TYPE).iter().all(is_utf8);
        is_read.then_some(form).ok_or(Unmatched::Charset)
    }

    /// The form for JSON, when one is listed; a range that says nothing of JSON does not count.
    pub fn json(&self) -> Option<&Form> {
        let found = self.0.iter().find(|(range, form)| match form {
            Form::Json(_, validator) => !is_wide(range) || validator.is_some(),
            _ => false,
        });
        found.map(|(_, form)| form)
    }
}

/// What a wide range says of a body that is not JSON.
static OPAQUE: Form = Form::Opaque;

fn is_wide(range: &str) -> bool {
    range.ends_with("/*")
}

/// A media type without its parameters, in lower case.
fn essence(value: &str) -> String {
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// Whether a media type has no `charset`, or one that is UTF-8.
fn is_utf8(value: &HeaderValue) -> bool {
    let text = value.to_str().unwrap_or_default();
    text.split(';').skip(1).all(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = value.trim().trim_matches('"').to_ascii_lowercase();
        !name.trim().eq_ignore_ascii_case("charset")
            || matches!(value.as_str(), "utf-8" | "us-ascii")
    })
}

fn is_json(essence: &str) -> bool {
    let subtype = essence.split_once('/').map_or("", |(_, subtype)| subtype);
    subtype == "json" || subtype.ends_with("+json")
}

impl Form {
    fn read(source: &Source, name: &str, pointer: &str, side: Side) -> Result<Self, Vec<Problem>> {
        let (pointer, media) = source.follow(pointer).map_err(|problem| vec![problem])?;
        let name = essence(name);
        let pairs = name == "application/x-www-form-urlencoded";
        let takes_json = is_json(&name) || matches!(name.as_str(), "*/*" | "application/*");
        if !pairs && !takes_json {
            return Ok(Self::Opaque);
        }
        let at = join(&pointer, "schema");
        let validator = match media.get("schema") {
            None => None,
            Some(_) => Some(Validator::compile(source, &at, side)?),
        };
        Ok(if pairs {
            Self::Pairs(Shape::of(source, &at), validator)
        } else {
            Self::Json(side, validator)
        })
    }

    /// Judges a body.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, body: &[u8]) -> Result<(), Complaint> {
        let here = |what: String| Complaint {
            pointer: String::new(),
            what,
        };
        let (value, validator) = match self {
            Self::Opaque => return Ok(()),
            Self::Json(side, validator) => (read_json(body, *side).map_err(here)?, validator),
            Self::Pairs(shape, validator) => {
                let pairs: Vec<_> = form_urlencoded::parse(body).collect();
                if pairs.iter().any(|(name, text)| {
                    name.contains(char::REPLACEMENT_CHARACTER)
                        || text.contains(char::REPLACEMENT_CHARACTER)
                }) {
                    return Err(here("is not UTF-8".into()));
                }
                let pairs = pairs.iter().map(|(name, text)| (&**name, &**text));
                let object = shape.object(pairs);
                let object = object.map_err(|name| {
                    here(format!("holds `{}` more than once", super::cut(&name)))
                })?;
                (object, validator)
            }
        };
        match validator {
            Some(validator) => validator.check(&value, body.len()),
            None => Ok(()),
        }
    }
}

/// JSON that every service reads alike: no key twice or in two cases (H14). In an answer, two cases are two keys.
pub(super) fn read_json(body: &[u8], side: Side) -> Result<Value, String> {
    let limits = JsonLimits {
        depth: DEPTH_MAX,
        array_items: usize::MAX,
        object_keys: usize::MAX,
        key_bytes: usize::MAX,
        string_bytes: usize::MAX,
        tokens: usize::MAX,
        allow_case_variant_keys: side == Side::Response,
        ..JsonLimits::default()
    };
    json::check(body, &limits).map_err(|violation| format!("is refused: {violation}"))?;
    serde_json::from_slice(body).map_err(|_| "holds a number that is out of range".to_owned())
}
