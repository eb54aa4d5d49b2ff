//! Lists and mappings of independent things: decoding goes on after a bad one, so that a person sees all problems at once.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::collected::collect;
use super::decoder::{Decoder, check_not_empty, check_not_empty_unless_meant};
use super::error::hand;
use super::values::Raw;
use crate::node::{Key, Span, Value};
use crate::problem::Problem;

/// Named things of one sort, in the order of the document; never empty: leave the field out instead. Names are letters, digits, `-`, `_` and `.`.
#[derive(Debug, Clone, PartialEq)]
pub struct Entries<T>(Vec<Entry<T>>);

/// One named thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry<T> {
    /// Its name.
    pub id: String,
    /// Where the name stands.
    pub span: Span,
    /// The thing.
    pub value: T,
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Entries<T> {
    /// The entries in the order of the document.
    pub fn iter(&self) -> std::slice::Iter<'_, Entry<T>> {
        self.0.iter()
    }

    /// The thing called `id`.
    pub fn get(&self, id: &str) -> Option<&T> {
        self.0
            .iter()
            .find(|entry| entry.id == id)
            .map(|entry| &entry.value)
    }

    /// All names.
    pub fn ids(&self) -> Vec<&str> {
        self.0.iter().map(|entry| entry.id.as_str()).collect()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl<'a, T> IntoIterator for &'a Entries<T> {
    type Item = &'a Entry<T>;
    type IntoIter = std::slice::Iter<'a, Entry<T>>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'de, T: for<'a> Deserialize<'a>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Raw(node) = Raw::deserialize(deserializer)?;
        let Some(map) = node.as_map() else {
            let message = format!("expected a mapping of names, found {}", node.describe());
            return Err(hand(Problem::new(&node.span, message)));
        };
        check_not_empty_unless_meant(&node).map_err(hand)?;
        let mut entries = Vec::with_capacity(map.len());
        for (key, value) in map {
            if let Err(problem) = check_name(key) {
                collect(problem);
            }
            match T::deserialize(Decoder { node: value }) {
                Ok(decoded) => entries.push(Entry {
                    id: key.name.clone(),
                    span: key.span.clone(),
                    value: decoded,
                }),
                Err(error) => collect(error.at(&value.span)),
            }
        }
        Ok(Self(entries))
    }
}

impl<T: Serialize> Serialize for Entries<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|entry| (&entry.id, &entry.value)))
    }
}

impl<T: JsonSchema> JsonSchema for Entries<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("{}Entries", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        json_schema!({
            "type": "object",
            "propertyNames": { "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$" },
            "additionalProperties": value
        })
    }
}

fn check_name(key: &Key) -> Result<(), Problem> {
    crate::id::check_id(&key.name).map_err(|message| Problem::new(&key.span, message))
}

/// A list of independent things that goes on after a bad one. Never empty: leave the field out instead.
#[derive(Debug, Clone, PartialEq)]
pub struct Each<T>(Vec<T>);

impl<T> Default for Each<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> From<Vec<T>> for Each<T> {
    fn from(items: Vec<T>) -> Self {
        Self(items)
    }
}

impl<T> std::ops::Deref for Each<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> IntoIterator for Each<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'de, T: for<'a> Deserialize<'a>> Deserialize<'de> for Each<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Raw(node) = Raw::deserialize(deserializer)?;
        let Value::List(items) = &node.value else {
            let message = format!("expected a list, found {}", node.describe());
            return Err(hand(Problem::new(&node.span, message)));
        };
        check_not_empty(&node).map_err(hand)?;
        let mut decoded = Vec::with_capacity(items.len());
        for item in items.iter() {
            match T::deserialize(Decoder { node: item }) {
                Ok(value) => decoded.push(value),
                Err(error) => collect(error.at(&item.span)),
            }
        }
        Ok(Self(decoded))
    }
}

impl<T: Serialize> Serialize for Each<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<T: JsonSchema> JsonSchema for Each<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("{}List", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let item = generator.subschema_for::<T>();
        json_schema!({ "type": "array", "minItems": 1, "items": item })
    }
}
