//! One node, as serde reads it.

use std::cell::{Cell, RefCell};

use serde::de::value::StrDeserializer;
use serde::{Deserialize, Deserializer, de, forward_to_deserialize_any};

use super::error::{DecodeError, hand};
use crate::node::{Key, Node, Value};
use crate::problem::Problem;

/// The name by which [`Raw`](super::Raw) asks the decoder for the node itself.
pub(super) const RAW: &str = "$lockgate::Raw";

thread_local! {
    static HANDED_OVER: RefCell<Option<Node>> = const { RefCell::new(None) };
    static EMPTY_IS_MEANT: Cell<bool> = const { Cell::new(false) };
}

/// The node that the decoder was asked for by [`RAW`].
pub(super) fn handed_over() -> Option<Node> {
    HANDED_OVER.take()
}

/// Reads with empty texts, lists and mappings that are meant.
pub(super) fn with_empty<T>(read: impl FnOnce() -> T) -> T {
    let outer = EMPTY_IS_MEANT.replace(true);
    let result = read();
    EMPTY_IS_MEANT.set(outer);
    result
}

/// Decodes a part of a value inside that value's own `Deserialize`, keeping the positions of its problems.
pub(crate) fn nested<T: for<'a> Deserialize<'a>, E: de::Error>(node: &Node) -> Result<T, E> {
    T::deserialize(Decoder { node }).map_err(|error| hand(error.at(&node.span)))
}

/// Reads one node for serde.
#[derive(Clone, Copy)]
pub(super) struct Decoder<'a> {
    pub(super) node: &'a Node,
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
        result.map_err(|error| self.at_place(error))
    }

    fn deserialize_option<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        // Empty is never "the default": a field that is written must have a value (F2).
        if self.node.value == Value::Null {
            let message = "the value is missing";
            let problem = Problem::new(&self.node.span, message)
                .help("write a value, or leave the field out");
            return Err(DecodeError::placed(problem));
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
        result.map_err(|error| self.at_place(error))
    }

    fn deserialize_struct<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        if let Value::List(_) = &self.node.value {
            let problem = Problem::new(&self.node.span, "expected a mapping, found a list");
            return Err(DecodeError::placed(problem));
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
pub(super) fn check_not_empty(node: &Node) -> Result<(), Problem> {
    let (what, entry) = match &node.value {
        Value::Text(text) if text.trim().is_empty() => ("text", "a value"),
        Value::List(items) if items.is_empty() => ("list", "at least one entry"),
        Value::Map(entries) if entries.is_empty() => ("mapping", "at least one entry"),
        _ => return Ok(()),
    };
    Err(Problem::new(&node.span, format!("the {what} is empty"))
        .help(format!("write {entry}, or leave the field out")))
}

/// The same, but for what [`decode_with_empty`](super::decode_with_empty) reads.
pub(super) fn check_not_empty_unless_meant(node: &Node) -> Result<(), Problem> {
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
            .map_err(DecodeError::placed)
    }

    fn at_place(self, mut error: DecodeError) -> DecodeError {
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
