//! Parameters: from path, query, fields and cookies to values that schemas can judge.

use std::borrow::Cow;
use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use lockgate_config::Problem;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::media::read_json;
use super::pointer::join;
use super::shape::Shape;
use super::side::Side;
use super::source::Source;
use super::validator::Validator;
use super::words::{Complaint, cut};

/// Where a parameter stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A variable of the path.
    Path,
    /// The query, under a name.
    Query,
    /// The whole query (OpenAPI 3.2).
    QueryString,
    /// A field.
    Header(HeaderName),
    /// A cookie.
    Cookie,
}

/// How lists and objects are written (OpenAPI 3.2.0 §4.12.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// `a,b`, or `name=a&name=b` when it explodes.
    Form,
    /// `a,b`.
    Simple,
    /// Parts between spaces.
    Space,
    /// Parts between `|`.
    Pipe,
    /// `name[key]=a`.
    Deep,
    /// JSON as text.
    Json,
    /// It is not looked at.
    Opaque,
}

/// One parameter.
#[derive(Debug)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    required: bool,
    may_be_empty: bool,
    style: Style,
    explode: bool,
    shape: Shape,
    side: Side,
    validator: Option<Arc<Validator>>,
}

/// A name and a text.
pub type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// What a request or an answer has where parameters stand.
#[derive(Debug)]
pub struct Given<'a> {
    /// The variables of the operation's path, as they were sent.
    pub path: &'a [(&'a str, &'a str)],
    /// The decoded query.
    pub query: &'a [Pair<'a>],
    /// All fields.
    pub headers: &'a HeaderMap,
    /// The cookies.
    pub cookies: &'a [(&'a [u8], &'a [u8])],
}

/// The fields of which OpenAPI says that parameters cannot describe them (OpenAPI 3.2.0 §4.12.2).
const RESERVED_FIELDS: [&str; 3] = ["accept", "content-type", "authorization"];

impl Parameter {
    /// Reads the parameter object at `pointer`; `None` when it describes nothing that is judged.
    ///
    /// # Errors
    /// Every problem of it.
    pub fn read(source: &Source, pointer: &str, side: Side) -> Result<Option<Self>, Vec<Problem>> {
        let (pointer, object) = source.follow(pointer).map_err(|problem| vec![problem])?;
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        let Some(name) = text("name") else {
            let problem = source.problem(&pointer, "the parameter has no `name`");
            return Err(vec![problem]);
        };
        let place = match text("in") {
            Some("path") => Place::Path,
            Some("query") => Place::Query,
            Some("querystring") => Place::QueryString,
            Some("cookie") => Place::Cookie,
            Some("header") if RESERVED_FIELDS.contains(&name.to_ascii_lowercase().as_str()) => {
                return Ok(None);
            }
            Some("header") => Place::Header(field(source, &pointer, name)?),
            _ => {
                let problem = source
                    .problem(
                        &join(&pointer, "in"),
                        format!("the parameter `{}` stands nowhere", cut(name)),
                    )
                    .help("write `in: path`, `query`, `header` or `cookie`");
                return Err(vec![problem]);
            }
        };
        Self::described(source, &pointer, name, place, side).map(Some)
    }

    /// Reads the header object at `pointer`, which describes a field of an answer.
    ///
    /// # Errors
    /// Every problem of it.
    pub fn of_answer(source: &Source, pointer: &str, name: &str) -> Result<Self, Vec<Problem>> {
        let (pointer, _) = source.follow(pointer).map_err(|problem| vec![problem])?;
        let place = Place::Header(field(source, &pointer, name)?);
        Self::described(source, &pointer, name, place, Side::Response)
    }

    fn described(
        source: &Source,
        pointer: &str,
        name: &str,
        place: Place,
        side: Side,
    ) -> Result<Self, Vec<Problem>> {
        let object = source.at(pointer).unwrap_or(&Value::Null);
        let is = |name: &str| object.get(name) == Some(&Value::Bool(true));
        let (mut style, mut schema) = (None, join(pointer, "schema"));
        if let Some(content) = object.get("content").and_then(Value::as_object) {
            let media = content.keys().next().map_or("", String::as_str);
            let (described, _) = source
                .follow(&join(&join(pointer, "content"), media))
                .map_err(|problem| vec![problem])?;
            schema = join(&described, "schema");
            let essence = media.split(';').next().unwrap_or_default().trim();
            style = Some(match essence {
                _ if essence.ends_with("/json") || essence.ends_with("+json") => Style::Json,
                "application/x-www-form-urlencoded" => Style::Form,
                _ => Style::Opaque,
            });
        }
        let style = match style {
            Some(style) => style,
            None => written_style(source, pointer, object, &place)?,
        };
        let explode = object
            .get("explode")
            .and_then(Value::as_bool)
            .unwrap_or(style == Style::Form);
        let judged = style != Style::Opaque && source.at(&schema).is_some();
        let validator = if judged {
            Some(Validator::compile(source, &schema, side)?)
        } else {
            None
        };
        Ok(Self {
            name: name.to_owned(),
            required: place == Place::Path || is("required"),
            may_be_empty: is("allowEmptyValue"),
            place,
            style,
            explode,
            shape: Shape::of(source, &schema),
            side,
            validator,
        })
    }

    /// Whether a query parameter of this name belongs to it.
    pub fn takes(&self, name: &str) -> bool {
        match (&self.place, self.style, &self.shape) {
            (Place::QueryString, ..) => true,
            (Place::Query, Style::Deep, _) => deep_key(&self.name, name).is_some(),
            (Place::Query, Style::Form, Shape::Object(_)) if self.explode => self.shape.has(name),
            (Place::Query, ..) => self.name == name,
            _ => false,
        }
    }

    /// Judges what was given.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, given: &Given<'_>) -> Result<(), Complaint> {
        let here = |what: String| Complaint {
            pointer: String::new(),
            what,
        };
        let texts = self.texts(given).map_err(here)?;
        if texts.is_empty() {
            return if self.required {
                Err(here("is missing".into()))
            } else {
                Ok(())
            };
        }
        if self.style == Style::Opaque {
            return Ok(());
        }
        let bytes = texts
            .iter()
            .map(|(name, text)| name.len() + text.len())
            .sum();
        if texts
            .iter()
            .any(|(_, text)| text.contains(char::REPLACEMENT_CHARACTER))
        {
            return Err(here("is not UTF-8".into()));
        }
        if self.may_be_empty && texts.iter().all(|(_, text)| text.is_empty()) {
            return Ok(());
        }
        let value = self.value(&texts).map_err(here)?;
        match &self.validator {
            Some(validator) => validator.check(&value, bytes),
            None => Ok(()),
        }
    }

    /// The texts that make up the parameter, each with the name it stands under.
    fn texts<'g>(&'g self, given: &'g Given<'_>) -> Result<Vec<Pair<'g>>, String> {
        let not_text = |_| "is not UTF-8".to_owned();
        match &self.place {
            Place::Path => {
                let found = given.path.iter().filter(|(name, _)| *name == self.name);
                found
                    .map(|(name, text)| {
                        let text = percent_decode_str(text).decode_utf8().map_err(not_text)?;
                        Ok((Cow::Borrowed(*name), text))
                    })
                    .collect()
            }
            Place::Cookie => {
                let own = |name: &[u8]| name == self.name.as_bytes();
                let found = given.cookies.iter().filter(|(name, _)| own(name));
                found
                    .map(|(_, text)| {
                        let text = str::from_utf8(text).map_err(not_text)?;
                        Ok((Cow::Borrowed(&*self.name), Cow::Borrowed(text)))
                    })
                    .collect()
            }
            Place::Query | Place::QueryString => {
                let found = given.query.iter().filter(|(name, _)| self.takes(name));
                Ok(found
                    .map(|(name, text)| (Cow::Borrowed(&**name), Cow::Borrowed(&**text)))
                    .collect())
            }
            Place::Header(name) => {
                let values = given.headers.get_all(name).iter();
                let lines: Result<Vec<&str>, _> = values.map(|value| value.to_str()).collect();
                let lines = lines.map_err(|_| "is not text".to_owned())?;
                Ok(match lines.as_slice() {
                    [] => Vec::new(),
                    lines => vec![(Cow::Borrowed(""), lines.join(", ").into())],
                })
            }
        }
    }

    fn value(&self, texts: &[Pair<'_>]) -> Result<Value, String> {
        let pairs = || texts.iter().map(|(name, text)| (&**name, &**text));
        let several = |name: String| format!("holds `{}` more than once", cut(&name));
        if self.place == Place::QueryString && self.style == Style::Form {
            return self.shape.object(pairs()).map_err(several);
        }
        if self.style == Style::Deep {
            let pairs =
                pairs().filter_map(|(name, text)| Some((deep_key(&self.name, name)?, text)));
            return self.shape.object(pairs).map_err(several);
        }
        if self.style == Style::Form && self.explode && self.place != Place::Cookie {
            match self.shape {
                Shape::List(_) => return Ok(self.shape.list(pairs().map(|(_, text)| text))),
                Shape::Object(_) => return self.shape.object(pairs()).map_err(several),
                Shape::One(_) => {}
            }
        }
        // Services differ in which of several they take.
        let [(_, text)] = texts else {
            return Err("is there more than once".into());
        };
        if self.style == Style::Json {
            return read_json(text.as_bytes(), self.side);
        }
        let separator = match self.style {
            Style::Space => ' ',
            Style::Pipe => '|',
            _ => ',',
        };
        let is_field = matches!(self.place, Place::Header(_));
        let parts = text
            .split(separator)
            .map(|part| if is_field { part.trim() } else { part });
        match self.shape {
            Shape::One(_) => Ok(self.shape.one(text)),
            Shape::List(_) => Ok(self.shape.list(parts)),
            Shape::Object(_) if self.explode => {
                let pairs: Option<Vec<_>> = parts.map(|part| part.split_once('=')).collect();
                let pairs = pairs.ok_or("must be written as `name=value`")?;
                self.shape.object(pairs.into_iter()).map_err(several)
            }
            Shape::Object(_) => {
                let parts: Vec<&str> = parts.collect();
                let pairs = parts.chunks(2).map(|pair| match pair {
                    [name, text] => Ok((*name, *text)),
                    _ => Err("must be written as `name,value`"),
                });
                let pairs: Result<Vec<_>, _> = pairs.collect();
                self.shape.object(pairs?.into_iter()).map_err(several)
            }
        }
    }
}

/// `key` when `text` is `name[key]`.
fn deep_key<'t>(name: &str, text: &'t str) -> Option<&'t str> {
    let key = text
        .strip_prefix(name)?
        .strip_prefix('[')?
        .strip_suffix(']')?;
    (!key.is_empty()).then_some(key)
}

fn field(source: &Source, pointer: &str, name: &str) -> Result<HeaderName, Vec<Problem>> {
    HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| vec![source.problem(pointer, format!("`{}` is not a field name", cut(name)))])
}

fn written_style(
    source: &Source,
    pointer: &str,
    object: &Value,
    place: &Place,
) -> Result<Style, Vec<Problem>> {
    let written = object.get("style").and_then(Value::as_str);
    match (place, written) {
        (Place::Query, None | Some("form")) | (Place::Cookie, None | Some("form" | "cookie")) => {
            Ok(Style::Form)
        }
        (Place::Path | Place::Header(_), None | Some("simple")) => Ok(Style::Simple),
        (Place::Query, Some("spaceDelimited")) => Ok(Style::Space),
        (Place::Query, Some("pipeDelimited")) => Ok(Style::Pipe),
        (Place::Query, Some("deepObject")) => Ok(Style::Deep),
        (Place::QueryString, _) => {
            let message = "a parameter `in: querystring` needs `content`";
            Err(vec![source.problem(pointer, message)])
        }
        (_, written) => {
            let message = format!(
                "the style `{}` is not read here",
                cut(written.unwrap_or_default())
            );
            let problem = source.problem(&join(pointer, "style"), message);
            Err(vec![problem.help(
                "write `simple` for paths and headers; `form`, `spaceDelimited`, `pipeDelimited` or `deepObject` for queries; `form` for cookies",
            )])
        }
    }
}
