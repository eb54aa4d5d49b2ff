//! Attributes of spans.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};

/// Attributes, as they are added. A text that is empty says nothing and is left out.
#[derive(Debug, Default)]
pub struct Attributes(Vec<KeyValue>);

impl Attributes {
    /// Adds a text.
    pub fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.add(name, Value::StringValue(text.to_owned()));
        }
    }

    /// Adds a text, when there is one.
    pub fn maybe(&mut self, name: &str, text: Option<&str>) {
        self.text(name, text.unwrap_or_default());
    }

    /// Adds a number.
    pub fn number(&mut self, name: &str, number: impl Into<u64>) {
        let number = i64::try_from(number.into()).unwrap_or(i64::MAX);
        self.add(name, Value::IntValue(number));
    }

    /// Adds a number with a fraction.
    pub fn fraction(&mut self, name: &str, number: f64) {
        self.add(name, Value::DoubleValue(number));
    }

    /// Adds that something is so; that it is not is not said.
    pub fn when(&mut self, name: &str, is_so: bool) {
        if is_so {
            self.add(name, Value::BoolValue(true));
        }
    }

    /// Adds texts, when there are any.
    pub fn texts<'a>(&mut self, name: &str, texts: impl Iterator<Item = &'a str>) {
        let texts = texts.map(|text| any(Value::StringValue(text.to_owned())));
        let values: Vec<AnyValue> = texts.collect();
        if !values.is_empty() {
            self.add(name, Value::ArrayValue(ArrayValue { values }));
        }
    }

    /// All of them.
    pub fn done(self) -> Vec<KeyValue> {
        self.0
    }

    fn add(&mut self, name: &str, value: Value) {
        self.0.push(KeyValue {
            key: name.to_owned(),
            value: Some(any(value)),
            ..KeyValue::default()
        });
    }
}

const fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}
