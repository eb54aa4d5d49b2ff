//! [`Node`]s to typed values, by serde, keeping positions: every error knows its line and column.
//!
//! Lists and mappings of independent things ([`Entries`]) go on after a bad entry, so that a person sees all problems at once.

mod lists;

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, forward_to_deserialize_any};

use crate::node::{Key, Node, Span, Value};
use crate::problem::Problem;

pub use lists::{Each, Entries, Entry};

/// The name by which [`Raw`] asks the decoder for the node itself.
const RAW: &str = "$lockgate::Raw";

thread_local! {
    static HANDED_OVER: RefCell<Option<Node>> = const { RefCell::new(None) };
    static COLLECTED: RefCell<Vec<Problem>> = const { RefCell::new(Vec::new()) };
    static EMPTY_IS_MEANT: Cell<bool> = const { Cell::new(false) };
}

/// Decodes a value.
///
/// # Errors
/// Every problem found, in the order of the document.
pub fn decode<T: for<'de> Deserialize<'de>>(node: &Node) -> Result<T, Vec<Problem>> {
    let outer = COLLECTED.take();
    let result = T::deserialize(Decoder { node });
    let mut problems = COLLECTED.replace(outer);
    match result {
        Ok(value) if problems.is_empty() => Ok(value),
        Ok(_) => Err(problems),
        Err(problem) => {
            problems.push(problem.at(&node.span));
            Err(problems)
        }
    }
}

/// Decodes what may hold empty texts, lists and mappings that are meant, as the requests of a case file do.
///
/// # Errors
/// Every problem found, in the order of the document.
pub fn decode_with_empty<T: for<'de> Deserialize<'de>>(node: &Node) -> Result<T, Vec<Problem>> {
    let outer = EMPTY_IS_MEANT.replace(true);
    let result = decode(node);
    EMPTY_IS_MEANT.set(outer);
    result
}

/// A node kept as it is, for a later reader.
#[derive(Debug, Clone, PartialEq)]
pub struct Raw(pub Node);

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Raw;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value of a document")
            }
            fn visit_unit<E: de::Error>(self) -> Result<Raw, E> {
                HANDED_OVER
                    .take()
                    .map(Raw)
                    .ok_or_else(|| E::custom("only a document can hold this value"))
            }
        }
        deserializer.deserialize_newtype_struct(RAW, Visitor)
    }
}

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl JsonSchema for Raw {
    fn schema_name() -> Cow<'static, str> {
        "Anything".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({})
    }
}

/// A text that may be empty where that says something, such as what a secret is replaced by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AnyText(pub String);

impl<'de> Deserialize<'de> for AnyText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = AnyText;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<AnyText, E> {
                Ok(AnyText(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Spanned<T> {
    /// Where the value stands.
    pub span: Span,
    /// The value.
    pub value: T,
}

impl<T> std::ops::Deref for Spanned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<'de, T: for<'a> Deserialize<'a>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Raw(node) = Raw::deserialize(deserializer)?;
        let value = nested(&node)?;
        Ok(Self {
            span: node.span,
            value,
        })
    }
}

impl<T: Serialize> Serialize for Spanned<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

/// Notes a problem and lets the decoding go on.
pub(crate) fn collect(problem: Problem) {
    COLLECTED.with_borrow_mut(|problems| problems.push(problem));
}

/// Decodes a part of a value inside that value's own `Deserialize`, keeping the positions of its problems.
pub(crate) fn nested<T: for<'a> Deserialize<'a>, E: de::Error>(node: &Node) -> Result<T, E> {
    T::deserialize(Decoder { node }).map_err(|error| hand(error.at(&node.span)))
}

/// Carries a problem through serde's generic errors without losing its position.
pub(crate) fn hand<E: de::Error>(problem: Problem) -> E {
    let message = problem.message.clone();
    CARRIED.set(Some(problem));
    let error = E::custom(message);
    CARRIED.take();
    error
}

thread_local! {
    static CARRIED: RefCell<Option<Problem>> = const { RefCell::new(None) };
}

/// An error of decoding; it learns its position from the innermost value that failed.
#[derive(Debug)]
pub struct DecodeError {
    problem: Problem,
    placed: bool,
    /// A name that is unknown: the error belongs at that name, not at the mapping.
    name: Option<String>,
}

impl DecodeError {
    pub(crate) fn at(mut self, span: &Span) -> Problem {
        self.place(span);
        self.problem
    }

    fn place(&mut self, span: &Span) {
        if !self.placed {
            self.problem.file = span.file.to_string();
            self.problem.line = span.line;
            self.problem.column = span.column;
            self.placed = true;
        }
    }

    fn loose(problem: Problem) -> Self {
        Self {
            problem,
            placed: false,
            name: None,
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl std::error::Error for DecodeError {}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        if let Some(problem) = CARRIED.take() {
            return Self {
                problem,
                placed: true,
                name: None,
            };
        }
        Self::loose(Problem::new(&Span::default(), message.to_string()))
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let expected = expected.to_string();
        let most =
            most(&expected, &found).map_or_else(String::new, |most| format!(", at most {most}"));
        Self::custom(format_args!(
            "expected {}{most}, found {}",
            in_words(&expected),
            found_in_words(&found)
        ))
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(found: &str, valid: &'static [&'static str]) -> Self {
        Self::loose(Problem::unknown(&Span::default(), "value", found, valid))
    }

    fn unknown_field(found: &str, valid: &'static [&'static str]) -> Self {
        let mut error = Self::loose(Problem::unknown(&Span::default(), "field", found, valid));
        if valid.is_empty() {
            error.problem = error.problem.help("no field is expected here");
        }
        error.name = Some(found.to_owned());
        error
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format_args!("the field `{field}` is missing"))
    }
}

/// The largest number of the type that is expected, when what was found is a number that is larger.
fn most(expected: &str, found: &de::Unexpected<'_>) -> Option<u64> {
    let most = match expected.strip_prefix("a nonzero ").unwrap_or(expected) {
        "u8" => u8::MAX.into(),
        "u16" => u16::MAX.into(),
        "u32" => u32::MAX.into(),
        "u64" | "usize" => u64::MAX,
        _ => return None,
    };
    match found {
        de::Unexpected::Unsigned(value) if *value > most => Some(most),
        de::Unexpected::Signed(value) if u64::try_from(*value).is_ok_and(|value| value > most) => {
            Some(most)
        }
        // A number that no integer holds was read as one with a fraction.
        de::Unexpected::Float(value) if *value > most as f64 => Some(most),
        _ => None,
    }
}

fn in_words(expected: &str) -> Cow<'_, str> {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not negative".into(),
        "i8" | "i16" | "i32" | "i64" => "a whole number".into(),
        "f32" | "f64" => "a number".into(),
        "a boolean" => "`true` or `false`".into(),
        "a string" | "string" => "text".into(),
        "a sequence" => "a list".into(),
        "a map" => "a mapping".into(),
        other if other.starts_with("struct ") || other.starts_with("internally tagged") => {
            "a mapping".into()
        }
        other if other.starts_with("enum ") => "one of its names".into(),
        other if other.starts_with("a nonzero") => "a whole number above zero".into(),
        other => other.to_owned().into(),
    }
}

fn found_in_words(found: &de::Unexpected<'_>) -> String {
    match found {
        de::Unexpected::Bool(value) => format!("`{value}`"),
        de::Unexpected::Unsigned(value) => format!("`{value}`"),
        de::Unexpected::Signed(value) => format!("`{value}`"),
        de::Unexpected::Float(value) => format!("`{value}`"),
        de::Unexpected::Str(value) => format!("the text `{value}`"),
        de::Unexpected::Unit | de::Unexpected::Option => "nothing".into(),
        de::Unexpected::Seq => "a list".into(),
        de::Unexpected::Map => "a mapping".into(),
        other => other.to_string(),
    }
}

/// Reads one node for serde.
#[derive(Clone, Copy)]
struct Decoder<'a> {
    node: &'a Node,
}

impl<'de> Deserializer<'de> for Decoder<'_> {
    type Error = DecodeError;

    fn deserialize_any<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let result = match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Integer(value) => visitor.visit_i64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(value) => visitor.visit_str(value),
            Value::List(items) => visitor.visit_seq(Items(items.iter())),
            Value::Map(entries) => visitor.visit_map(Fields {
                entries: entries.iter(),
                value: None,
            }),
        };
        result.map_err(|error| self.placed(error))
    }

    fn deserialize_option<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        // Empty is never "the default": a field that is written must have a value (F2).
        if self.node.value == Value::Null {
            let message = "the value is missing";
            let problem = Problem::new(&self.node.span, message)
                .help("write a value, or leave the field out");
            return Err(DecodeError {
                problem,
                placed: true,
                name: None,
            });
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: de::Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        if name == RAW {
            HANDED_OVER.set(Some(self.node.clone()));
            return visitor.visit_unit();
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let result = match &self.node.value {
            Value::Text(name) => visitor.visit_enum(StrDeserializer::<DecodeError>::new(name)),
            Value::Map(entries) if entries.len() == 1 => {
                visitor.visit_enum(de::value::MapAccessDeserializer::new(Fields {
                    entries: entries.iter(),
                    value: None,
                }))
            }
            _ => Err(DecodeError::loose(Problem::one_of(
                &self.node.span,
                format!("expected a name, found {}", self.node.describe()),
                names,
            ))),
        };
        result.map_err(|error| self.placed(error))
    }

    fn deserialize_struct<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        if let Value::List(_) = &self.node.value {
            let problem = Problem::new(&self.node.span, "expected a mapping, found a list");
            return Err(DecodeError {
                problem,
                placed: true,
                name: None,
            });
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_str<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.not_empty()?.deserialize_any(visitor)
    }

    fn deserialize_string<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_seq<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.not_empty()?.deserialize_any(visitor)
    }

    fn deserialize_map<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.not_empty()?.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct
        identifier ignored_any
    }
}

/// What is written says something: a blank text and an empty list or mapping are neither a default nor "all" (F2).
fn check_not_empty(node: &Node) -> Result<(), Problem> {
    let (what, entry) = match &node.value {
        Value::Text(text) if text.trim().is_empty() => ("text", "a value"),
        Value::List(items) if items.is_empty() => ("list", "at least one entry"),
        Value::Map(entries) if entries.is_empty() => ("mapping", "at least one entry"),
        _ => return Ok(()),
    };
    Err(Problem::new(&node.span, format!("the {what} is empty"))
        .help(format!("write {entry}, or leave the field out")))
}

/// The same, but for what [`decode_with_empty`] reads.
fn check_not_empty_unless_meant(node: &Node) -> Result<(), Problem> {
    if EMPTY_IS_MEANT.get() {
        Ok(())
    } else {
        check_not_empty(node)
    }
}

impl Decoder<'_> {
    fn not_empty(self) -> Result<Self, DecodeError> {
        check_not_empty_unless_meant(self.node)
            .map(|()| self)
            .map_err(|problem| DecodeError {
                problem,
                placed: true,
                name: None,
            })
    }

    fn placed(self, mut error: DecodeError) -> DecodeError {
        let at_name = error.name.take().and_then(|name| {
            let (key, _) = self
                .node
                .as_map()?
                .iter()
                .find(|(key, _)| key.name == name)?;
            Some(key.span.clone())
        });
        error.place(at_name.as_ref().unwrap_or(&self.node.span));
        error
    }
}

struct Items<'a>(std::slice::Iter<'a, Node>);

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = DecodeError;
    fn next_element_seed<T: de::DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        self.0
            .next()
            .map(|node| seed.deserialize(Decoder { node }))
            .transpose()
    }
    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Fields<'a> {
    entries: std::slice::Iter<'a, (Key, Node)>,
    value: Option<&'a Node>,
}

impl<'de> de::MapAccess<'de> for Fields<'_> {
    type Error = DecodeError;
    fn next_key_seed<K: de::DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DecodeError> {
        let Some((key, node)) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some(node);
        seed.deserialize(StrDeserializer::new(&key.name)).map(Some)
    }
    fn next_value_seed<V: de::DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, DecodeError> {
        let Some(node) = self.value.take() else {
            return Err(<DecodeError as de::Error>::custom("a value is missing"));
        };
        seed.deserialize(Decoder { node })
    }
}
