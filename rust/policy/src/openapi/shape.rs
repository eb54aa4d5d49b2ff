//! What a text from a URL, a field or a form stands for, as far as its schema tells.

use std::collections::HashMap;

use serde_json::{Map, Number, Value};

use super::source::Source;

/// How far schemas are followed.
const MAX_HOPS: usize = 16;

/// The JSON types that a schema takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Types(u8);

impl Types {
    const NULL: u8 = 1;
    const BOOLEAN: u8 = 2;
    const NUMBER: u8 = 4;
    const STRING: u8 = 8;
    const ARRAY: u8 = 16;
    const OBJECT: u8 = 32;

    const fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    fn named(name: &str) -> Self {
        Self(match name {
            "null" => Self::NULL,
            "boolean" => Self::BOOLEAN,
            "integer" | "number" => Self::NUMBER,
            "string" => Self::STRING,
            "array" => Self::ARRAY,
            "object" => Self::OBJECT,
            _ => 0,
        })
    }

    const fn of(value: &Value) -> Self {
        Self(match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOLEAN,
            Value::Number(_) => Self::NUMBER,
            Value::String(_) => Self::STRING,
            Value::Array(_) => Self::ARRAY,
            Value::Object(_) => Self::OBJECT,
        })
    }

    fn all(types: impl Iterator<Item = Self>) -> Self {
        Self(types.fold(0, |all, one| all | one.0))
    }

    /// The value that a text stands for. A text is text unless its schema takes nothing but another type, or takes it first.
    fn value(self, text: &str) -> Value {
        if self.has(Self::NUMBER)
            && let Some(number) = number(text)
        {
            return Value::Number(number);
        }
        match text {
            "true" | "false" if self.has(Self::BOOLEAN) => Value::Bool(text == "true"),
            "null" if self.has(Self::NULL) && !self.has(Self::STRING) => Value::Null,
            _ => Value::String(text.to_owned()),
        }
    }
}

/// A number as JSON writes it (RFC 8259 §6), so that services cannot read another one.
fn number(text: &str) -> Option<Number> {
    let written = |byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    if text.is_empty() || !text.bytes().all(written) {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// What the texts of a parameter are put together to.
#[derive(Debug, Clone)]
pub enum Shape {
    /// One value.
    One(Types),
    /// A list of values.
    List(Types),
    /// Values by name. Those of other names are text.
    Object(HashMap<String, Member>),
}

/// One member of an object.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    list: bool,
    types: Types,
}

impl Shape {
    /// The shape of the schema at `pointer`.
    pub fn of(source: &Source, pointer: &str) -> Self {
        let schema = source.at(pointer).unwrap_or(&Value::Null);
        let types = types(source, schema, 0);
        if types.has(Types::ARRAY) {
            return Self::List(item_types(source, schema));
        }
        if types.has(Types::OBJECT) {
            let mut members = HashMap::new();
            gather(source, schema, 0, &mut members);
            return Self::Object(members);
        }
        Self::One(types)
    }

    /// A value of one text.
    pub fn one(&self, text: &str) -> Value {
        match self {
            Self::One(types) => types.value(text),
            Self::List(_) | Self::Object(_) => Value::String(text.to_owned()),
        }
    }

    /// A list of texts.
    pub fn list<'t>(&self, texts: impl Iterator<Item = &'t str>) -> Value {
        let types = match self {
            Self::List(types) => *types,
            _ => Types::default(),
        };
        texts.map(|text| types.value(text)).collect()
    }

    /// An object of names and texts, in their order. A name that is there more than once gives a list when the schema takes one.
    ///
    /// # Errors
    /// The name of another member that is there more than once.
    pub fn object<'t>(
        &self,
        pairs: impl Iterator<Item = (&'t str, &'t str)>,
    ) -> Result<Value, String> {
        let mut object = Map::new();
        for (name, text) in pairs {
            let member = self.member(name);
            let value = member.map_or_else(
                || Value::String(text.to_owned()),
                |known| known.types.value(text),
            );
            let list = member.is_some_and(|known| known.list);
            match object.get_mut(name) {
                Some(Value::Array(items)) if list => items.push(value),
                Some(_) => return Err(name.to_owned()),
                None if list => drop(object.insert(name.to_owned(), Value::Array(vec![value]))),
                None => drop(object.insert(name.to_owned(), value)),
            }
        }
        Ok(Value::Object(object))
    }

    /// Whether an object has a member of this name.
    pub fn has(&self, name: &str) -> bool {
        self.member(name).is_some()
    }

    fn member(&self, name: &str) -> Option<Member> {
        match self {
            Self::Object(members) => members.get(name).copied(),
            _ => None,
        }
    }
}

fn resolved<'v>(source: &'v Source, schema: &'v Value) -> Option<&'v Value> {
    let reference = schema.get("$ref")?.as_str()?;
    source.at(&source.target(reference, "").ok()?)
}

fn parts<'v>(schema: &'v Value, keyword: &str) -> impl Iterator<Item = &'v Value> {
    schema
        .get(keyword)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn types(source: &Source, schema: &Value, hops: usize) -> Types {
    if hops > MAX_HOPS {
        return Types::default();
    }
    let nullable = schema.get("nullable") == Some(&Value::Bool(true));
    let null = Types(if nullable { Types::NULL } else { 0 });
    let own = match schema.get("type") {
        Some(Value::String(name)) => Types::named(name),
        Some(Value::Array(names)) => {
            Types::all(names.iter().filter_map(Value::as_str).map(Types::named))
        }
        _ => match (schema.get("enum"), schema.get("const")) {
            (Some(Value::Array(values)), _) => Types::all(values.iter().map(Types::of)),
            (_, Some(value)) => Types::of(value),
            _ => Types::default(),
        },
    };
    if own != Types::default() {
        return Types::all([own, null].into_iter());
    }
    let below = |schema| types(source, schema, hops + 1);
    let composed = ["allOf", "anyOf", "oneOf"]
        .into_iter()
        .flat_map(|keyword| parts(schema, keyword))
        .chain(resolved(source, schema))
        .map(below);
    let composed = Types::all(composed);
    if composed != Types::default() {
        return Types::all([composed, null].into_iter());
    }
    Types(if schema.get("properties").is_some() {
        Types::OBJECT
    } else if schema.get("items").is_some() {
        Types::ARRAY
    } else {
        0
    })
}

fn item_types(source: &Source, schema: &Value) -> Types {
    find_items(source, schema, 0).map_or_else(Types::default, |items| types(source, items, 0))
}

fn find_items<'v>(source: &'v Source, schema: &'v Value, hops: usize) -> Option<&'v Value> {
    if hops > MAX_HOPS {
        return None;
    }
    schema.get("items").or_else(|| {
        let parts = ["allOf", "anyOf", "oneOf"]
            .into_iter()
            .flat_map(|keyword| parts(schema, keyword));
        parts
            .chain(resolved(source, schema))
            .find_map(|part| find_items(source, part, hops + 1))
    })
}

fn gather(source: &Source, schema: &Value, hops: usize, members: &mut HashMap<String, Member>) {
    if hops > MAX_HOPS {
        return;
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        let own = types(source, property, 0);
        let list = own.has(Types::ARRAY);
        let types = if list {
            item_types(source, property)
        } else {
            own
        };
        members
            .entry(name.clone())
            .or_insert(Member { list, types });
    }
    for part in ["allOf", "anyOf", "oneOf"]
        .into_iter()
        .flat_map(|keyword| parts(schema, keyword))
        .chain(resolved(source, schema))
    {
        gather(source, part, hops + 1, members);
    }
}
