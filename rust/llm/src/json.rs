//! JSON from outside: bounded, read once, and never with two values under one name.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::failure::{Failure, FailureKind};

/// An object.
pub(crate) type Object = Map<String, Value>;

/// Reads the body of a request. Nesting is bounded at 128 by the parser. A name that stands twice in one object is refused: policies
/// and the provider might each take another of the two.
pub(crate) fn read_request(body: &[u8], most_bytes: usize) -> Result<Object, Failure> {
    if body.len() > most_bytes {
        return Err(Failure::new(
            FailureKind::TooLarge,
            format!(
                "the body has {} bytes; send at most {most_bytes}",
                body.len()
            ),
        ));
    }
    match serde_json::from_slice::<Once>(body) {
        Ok(Once(Value::Object(object))) => Ok(object),
        Ok(_) => Err(Failure::new(
            FailureKind::InvalidRequest,
            "the body is no JSON object",
        )),
        Err(error) => Err(Failure::new(
            FailureKind::InvalidRequest,
            format!("the body is no JSON: {error}"),
        )),
    }
}

/// Reads what a provider sent.
pub(crate) fn read_answer(text: &[u8]) -> Result<Object, Failure> {
    match serde_json::from_slice(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Failure::bad_answer(
            "the provider's answer is no JSON object",
        )),
        Err(error) => Err(Failure::bad_answer(format!(
            "the provider's answer is no JSON: {error}"
        ))),
    }
}

/// A value in which every name stands once.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Value;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("JSON")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(Value::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(Value::from(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
                Ok(Value::from(value))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
                Ok(Value::from(value))
            }
            fn visit_str<E>(self, value: &str) -> Result<Value, E> {
                Ok(Value::String(value.to_owned()))
            }
            fn visit_string<E>(self, value: String) -> Result<Value, E> {
                Ok(Value::String(value))
            }
            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
                let mut items = Vec::new();
                while let Some(Once(item)) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Value::Array(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                let mut object = Object::new();
                while let Some(name) = map.next_key::<String>()? {
                    let Once(value) = map.next_value()?;
                    if object.contains_key(&name) {
                        return Err(de::Error::custom(format_args!(
                            "`{}` stands twice in one object",
                            short(&name)
                        )));
                    }
                    object.insert(name, value);
                }
                Ok(Value::Object(object))
            }
        }
        deserializer.deserialize_any(Reader).map(Self)
    }
}

/// The start of a text, for a message.
pub(crate) fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

/// Takes fields out of an object; what is left is what nobody knew. `null` is as good as absent.
pub(crate) struct Fields {
    object: Object,
    path: String,
}

impl Fields {
    pub(crate) fn new(object: Object, path: impl Into<String>) -> Self {
        Self {
            object,
            path: path.into(),
        }
    }

    /// The fields of a value that must be an object.
    pub(crate) fn of(value: Value, path: impl Into<String>) -> Result<Self, Failure> {
        let path = path.into();
        match value {
            Value::Object(object) => Ok(Self { object, path }),
            _ => Err(Failure::invalid(
                path.clone(),
                format!("`{path}` is no object"),
            )),
        }
    }

    /// The place of a field.
    pub(crate) fn at(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    fn wrong(&self, name: &str, wanted: &str) -> Failure {
        let place = self.at(name);
        Failure::invalid(place.clone(), format!("`{place}` is no {wanted}"))
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        match self.object.shift_remove(name) {
            Some(Value::Null) | None => None,
            some => some,
        }
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, Failure> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(name, "text")),
        }
    }

    pub(crate) fn needed_text(&mut self, name: &str) -> Result<String, Failure> {
        self.text(name)?.ok_or_else(|| {
            let place = self.at(name);
            Failure::invalid(place.clone(), format!("`{place}` is missing"))
        })
    }

    pub(crate) fn number(&mut self, name: &str) -> Result<Option<Number>, Failure> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(Some(number)),
            Some(_) => Err(self.wrong(name, "number")),
        }
    }

    pub(crate) fn count(&mut self, name: &str) -> Result<Option<u64>, Failure> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => count(&value)
                .map(Some)
                .ok_or_else(|| self.wrong(name, "whole number from 0")),
        }
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>, Failure> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.wrong(name, "`true` or `false`")),
        }
    }

    pub(crate) fn list(&mut self, name: &str) -> Result<Option<Vec<Value>>, Failure> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(_) => Err(self.wrong(name, "list")),
        }
    }

    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Object>, Failure> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(self.wrong(name, "object")),
        }
    }

    pub(crate) fn fields(&mut self, name: &str) -> Result<Option<Self>, Failure> {
        let place = self.at(name);
        Ok(self.object(name)?.map(|object| Self::new(object, place)))
    }

    pub(crate) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, Failure> {
        let Some(list) = self.list(name)? else {
            return Ok(None);
        };
        list.into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(text),
                _ => Err(self.wrong(name, "list of texts")),
            })
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// What nobody took.
    pub(crate) fn rest(self) -> Object {
        self.object
    }
}

/// A whole number from 0, also when it is written as a float.
pub(crate) fn count(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        (number >= 0.0 && number.fract() == 0.0 && number < 9e15).then_some(number as u64)
    })
}

/// The text at a name.
pub(crate) fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str()
}

/// Whether an object says anything under other names than these.
pub(crate) fn holds_more(object: &Object, known: &[&str]) -> bool {
    let says = |value: &Value| match value {
        Value::Null => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    };
    let mut members = object.iter();
    members.any(|(name, value)| !known.contains(&name.as_str()) && says(value))
}

/// Puts a value under a name when there is one.
pub(crate) fn put<V: Into<Value>>(object: &mut Object, name: &str, value: Option<V>) {
    if let Some(value) = value {
        object.insert(name.to_owned(), value.into());
    }
}

/// Arguments of a tool call as an object. No arguments at all are an empty object.
pub(crate) fn arguments(text: &str) -> Option<Object> {
    if text.trim().is_empty() {
        return Some(Object::new());
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// An object of these members.
macro_rules! object {
    ($($name:literal : $value:expr),* $(,)?) => {{
        #[allow(unused_mut)]
        let mut object = $crate::json::Object::new();
        $(object.insert($name.to_owned(), ::serde_json::Value::from($value));)*
        object
    }};
}
pub(crate) use object;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_stands_twice_is_refused() {
        let failure =
            read_request(br#"{"model":"a","x":[{"model":1,"model":2}]}"#, 100).unwrap_err();
        assert!(
            failure.message.contains("`model` stands twice"),
            "{failure}"
        );
        assert_eq!(failure.status, 400);
    }

    #[test]
    fn size_and_nesting_are_bounded() {
        assert_eq!(read_request(b"{}    ", 5).unwrap_err().status, 413);
        let deep = format!("{{\"a\":{}", "[".repeat(100_000));
        assert_eq!(
            read_request(deep.as_bytes(), 1 << 20).unwrap_err().status,
            400
        );
    }

    #[test]
    fn numbers_stay_as_they_were_written() {
        let object =
            read_request(br#"{"a":0,"b":0.0,"c":1e2,"d":18446744073709551615}"#, 100).unwrap();
        assert_eq!(
            serde_json::to_string(&object).unwrap(),
            r#"{"a":0,"b":0.0,"c":100.0,"d":18446744073709551615}"#
        );
        assert_eq!(count(&object["c"]), Some(100));
    }
}
