//! The text of an OpenAPI document: values by JSON pointer, with their positions, and references within it.

use std::sync::Arc;

use lockgate_config::{Node, Problem, Span, Spanned, Value as NodeValue, nearest};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::compiled::Compiled;
use super::pointer::{join, unescape};
use super::words::cut;

/// How many references may lead to one thing.
const MAX_HOPS: usize = 32;

/// Which JSON Schema a document's schemas are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// 3.0: an own dialect with `nullable` and boolean `exclusiveMinimum`.
    Own,
    /// 3.1 and 3.2: JSON Schema 2020-12.
    JsonSchema,
}

/// An OpenAPI document that was read.
pub struct Source {
    root: Node,
    json: Value,
    /// What its schemas are written in.
    pub dialect: Dialect,
    /// Its schemas that were compiled.
    pub(super) compiled: Compiled,
}

/// The dialects of JSON Schema that 3.1 and 3.2 documents may name.
const DIALECTS: [&str; 3] = [
    "https://json-schema.org/draft/2020-12/schema",
    "https://spec.openapis.org/oas/3.1/dialect/",
    "https://spec.openapis.org/oas/3.2/dialect/",
];

impl Source {
    /// Reads the text of the file `name`; its structure is not checked.
    ///
    /// # Errors
    /// That it is not YAML or JSON, or not an OpenAPI document of a version that is read.
    pub(super) fn parse(name: &Spanned<String>, bytes: Vec<u8>) -> Result<Self, Problem> {
        let text = String::from_utf8(bytes).map_err(|_| {
            Problem::new(
                &name.span,
                format!("the file `{}` is not UTF-8 text", name.value),
            )
        })?;
        let root = lockgate_config::parse(&name.value, &text).or_else(|problem| {
            // JSON escapes beyond the basic plane are pairs, which YAML has not (RFC 8259 §7).
            let value = serde_json::from_str::<Value>(&text);
            value
                .map(|value| node_of(&name.value, value))
                .map_err(|_| problem)
        })?;
        let json = root.to_json();
        let mut source = Self {
            root,
            json,
            dialect: Dialect::JsonSchema,
            compiled: Compiled::default(),
        };
        source.dialect = source.find_dialect()?;
        Ok(source)
    }

    fn find_dialect(&self) -> Result<Dialect, Problem> {
        const HELP: &str = "start it with `openapi: 3.0.3`, `3.1.1` or `3.2.0`";
        let version = match self.at("/openapi") {
            Some(Value::String(version)) => version.clone(),
            Some(Value::Number(version)) => version.to_string(),
            _ => {
                return Err(self
                    .problem(
                        "",
                        "this is not an OpenAPI document: the field `openapi` is missing",
                    )
                    .help(HELP));
            }
        };
        let minor = version.split('.').take(2).collect::<Vec<_>>().join(".");
        let dialect = match minor.as_str() {
            "3.0" => return Ok(Dialect::Own),
            "3.1" | "3.2" => Dialect::JsonSchema,
            _ => {
                let message = format!("OpenAPI {version} is not read");
                return Err(self.problem("/openapi", message).help(HELP));
            }
        };
        match self.at("/jsonSchemaDialect").map(|named| named.as_str()) {
            None => Ok(dialect),
            Some(Some(named)) if DIALECTS.iter().any(|known| named.starts_with(known)) => {
                Ok(dialect)
            }
            Some(_) => Err(self
                .problem(
                    "/jsonSchemaDialect",
                    "this dialect of JSON Schema is not read",
                )
                .help("leave it out, and write schemas in JSON Schema 2020-12")),
        }
    }

    /// The value at a pointer (RFC 6901).
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        self.json.pointer(pointer)
    }

    /// A problem at the value that `pointer` names, or at what is nearest to it.
    pub fn problem(&self, pointer: &str, message: impl Into<String>) -> Problem {
        let mut node = &self.root;
        let mut span: &Span = &node.span;
        for step in pointer.split('/').skip(1) {
            let step = unescape(step);
            let next = match &node.value {
                NodeValue::Map(entries) => entries
                    .iter()
                    .find(|(key, _)| key.name == step)
                    .map(|(key, child)| (&key.span, child)),
                NodeValue::List(items) => step
                    .parse::<usize>()
                    .ok()
                    .and_then(|at| items.get(at))
                    .map(|child| (&child.span, child)),
                _ => None,
            };
            let Some((at, child)) = next else { break };
            (span, node) = (at, child);
        }
        Problem::new(span, message)
    }

    /// Follows the reference objects that stand at `pointer`; gives the pointer and the value that they lead to.
    ///
    /// # Errors
    /// A reference that leads nowhere, in a circle, or out of the document.
    pub fn follow(&self, pointer: &str) -> Result<(String, &Value), Problem> {
        let mut pointer = pointer.to_owned();
        for _ in 0..MAX_HOPS {
            let value = self
                .at(&pointer)
                .ok_or_else(|| self.problem(&pointer, "nothing is written here"))?;
            let Some(reference) = value.get("$ref").and_then(Value::as_str) else {
                return Ok((pointer, value));
            };
            pointer = self.target(reference, &pointer)?;
        }
        Err(self.problem(&pointer, "the references lead in a circle"))
    }

    /// The pointer that a reference standing at `place` names.
    ///
    /// # Errors
    /// It leads nowhere, or out of the document: nothing else is read while a document is checked (F23).
    pub fn target(&self, reference: &str, place: &str) -> Result<String, Problem> {
        let at = join(place, "$ref");
        let Some(pointer) = reference.strip_prefix('#') else {
            return Err(self
                .problem(&at, format!("the reference `{}` leaves the document", cut(reference)))
                .help("move what it names under `components` of this file, and write `#/components/…`"));
        };
        let pointer = percent_decode_str(pointer).decode_utf8_lossy().into_owned();
        if !pointer.starts_with('/') {
            return Err(self
                .problem(
                    &at,
                    format!("the reference `{}` is not a pointer", cut(reference)),
                )
                .help("write a pointer such as `#/components/schemas/Order`"));
        }
        if self.at(&pointer).is_some() {
            return Ok(pointer);
        }
        let problem = self.problem(&at, format!("there is no `#{}`", cut(&pointer)));
        let (parent, name) = pointer.rsplit_once('/').unwrap_or_default();
        let known: Vec<&str> = self
            .at(parent)
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(|siblings| siblings.keys().map(String::as_str))
            .collect();
        Err(match nearest(name, &known) {
            Some(near) => problem.help(format!("did you mean `#{}`?", join(parent, near))),
            None => problem,
        })
    }
}

fn node_of(file: &str, value: Value) -> Node {
    let span = Span {
        file: file.into(),
        line: 0,
        column: 0,
    };
    let value = match value {
        Value::Null => NodeValue::Null,
        Value::Bool(value) => NodeValue::Bool(value),
        Value::Number(number) => match number.as_i64() {
            Some(number) => NodeValue::Integer(number),
            None => NodeValue::Float(number.as_f64().unwrap_or(f64::MAX)),
        },
        Value::String(text) => NodeValue::Text(text),
        Value::Array(items) => {
            let items = items.into_iter().map(|item| node_of(file, item));
            NodeValue::List(Arc::new(items.collect()))
        }
        Value::Object(members) => NodeValue::Map(Arc::new(
            members
                .into_iter()
                .map(|(name, value)| {
                    let span = span.clone();
                    (lockgate_config::Key { name, span }, node_of(file, value))
                })
                .collect(),
        )),
    };
    Node { span, value }
}
