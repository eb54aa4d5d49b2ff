//! Schemas of an OpenAPI document as one JSON Schema 2020-12 that refers to nothing outside itself.
//!
//! What a schema refers to is translated once and put under `$defs`. Keywords that judge nothing are left out.

use lockgate_config::{Problem, nearest};
use serde_json::{Map, Value, json};

use super::discriminator::Discriminator;
use super::keywords::{COUNTS, FORMATS, NAMED, ONE, OTHER, PLAIN, SEVERAL, known};
use super::pass::Pass;
use super::pointer::join;
use super::side::Side;
use super::source::{Dialect, Source};
use super::words::cut;

/// A translated schema.
pub struct Translated {
    /// It, as a document of its own.
    pub schema: Value,
    /// The pointers of what stands under `$defs`, by number.
    pub origins: Vec<String>,
}

/// Translates the schema at `pointer` with all it refers to.
///
/// # Errors
/// Every problem of the schemas.
pub fn translate(source: &Source, pointer: &str, side: Side) -> Result<Translated, Vec<Problem>> {
    let mut pass = Pass::new(source, side);
    let root = pass.reference(pointer.to_owned());
    let mut defs = Map::new();
    let mut next = 0;
    while let Some(origin) = pass.origins.get(next).cloned() {
        let value = source.at(&origin).unwrap_or(&Value::Null);
        let schema = pass.schema(value, &origin, &[]);
        defs.insert(next.to_string(), schema);
        next += 1;
    }
    if !pass.problems.is_empty() {
        return Err(pass.problems);
    }
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": root,
        "$defs": defs,
    });
    Ok(Translated {
        schema,
        origins: pass.origins,
    })
}

impl Pass<'_> {
    /// `optional` are names that a schema around this one excuses from `required`.
    fn schema(&mut self, value: &Value, pointer: &str, optional: &[String]) -> Value {
        let object = match value {
            Value::Bool(_) => return value.clone(),
            Value::Object(object) => object,
            _ => {
                let problem = self.source.problem(pointer, "expected a schema");
                self.note(problem);
                return Value::Bool(false);
            }
        };
        let mut out = Map::new();
        if let Some(reference) = object.get("$ref") {
            let reference = reference.as_str().unwrap_or_default();
            match self.source.target(reference, pointer) {
                Ok(target) => drop(out.insert("$ref".into(), self.reference(target).into())),
                Err(problem) => self.note(problem),
            }
            if self.source.dialect == Dialect::Own {
                return Value::Object(out);
            }
        }
        let mut optional = optional.to_vec();
        optional.extend(self.excused(object, 0));
        for (keyword, value) in object {
            self.keyword(keyword, value, &join(pointer, keyword), &optional, &mut out);
        }
        if self.source.dialect == Dialect::Own {
            own_bounds(object, &mut out);
        }
        if let Some(discriminator) = Discriminator::read(object) {
            discriminator.apply(self, pointer, &mut out);
        }
        self.format(object, &mut out);
        if self.source.dialect == Dialect::Own && object.get("nullable") == Some(&Value::Bool(true))
        {
            return nullable(out);
        }
        Value::Object(out)
    }

    fn keyword(
        &mut self,
        keyword: &str,
        value: &Value,
        pointer: &str,
        optional: &[String],
        out: &mut Map<String, Value>,
    ) {
        let translated =
            match keyword {
                _ if PLAIN.contains(&keyword) || COUNTS.contains(&keyword) => value.clone(),
                _ if ONE.contains(&keyword) => self.schema(value, pointer, &[]),
                _ if SEVERAL.contains(&keyword) => {
                    let excused = if keyword == "allOf" { optional } else { &[] };
                    self.several(value, pointer, excused)
                }
                _ if NAMED.contains(&keyword) => self.named(keyword, value, pointer),
                "required" => required(value, optional),
                "pattern" => {
                    self.pattern(value.as_str().unwrap_or_default(), pointer);
                    value.clone()
                }
                "nullable" | "readOnly" | "writeOnly" if !value.is_boolean() => {
                    let problem = self.source.problem(pointer, "expected `true` or `false`");
                    self.note(problem);
                    return;
                }
                "format" if !value.is_string() => {
                    let problem = self.source.problem(pointer, "expected text");
                    self.note(problem);
                    return;
                }
                "discriminator" if !super::discriminator::is_one(value) => {
                    let problem = self.source.problem(pointer, "this is not a discriminator");
                    self.note(problem.help(
                        "write `propertyName`, and `mapping` from values to names of schemas",
                    ));
                    return;
                }
                "$dynamicRef" | "$recursiveRef" => {
                    let problem = self
                        .source
                        .problem(pointer, format!("`{keyword}` is not read"));
                    self.note(problem.help("write `$ref: \"#/components/schemas/…\"`"));
                    return;
                }
                _ => {
                    self.unknown(keyword, pointer);
                    return;
                }
            };
        out.insert(keyword.to_owned(), translated);
    }

    fn several(&mut self, value: &Value, pointer: &str, excused: &[String]) -> Value {
        let Some(items) = value.as_array() else {
            let problem = self.source.problem(pointer, "expected a list of schemas");
            self.note(problem);
            return Value::Array(Vec::new());
        };
        let items = items.iter().enumerate();
        items
            .map(|(at, item)| self.schema(item, &join(pointer, &at.to_string()), excused))
            .collect()
    }

    fn named(&mut self, keyword: &str, value: &Value, pointer: &str) -> Value {
        let Some(members) = value.as_object() else {
            let problem = self.source.problem(pointer, "expected schemas by name");
            self.note(problem);
            return json!({});
        };
        let members = members.iter().map(|(name, schema)| {
            let pointer = join(pointer, name);
            if keyword == "patternProperties" {
                self.pattern(name, &pointer);
            }
            let refused = keyword == "properties" && self.refuses(schema);
            let schema = if refused {
                Value::Bool(false)
            } else {
                self.schema(schema, &pointer, &[])
            };
            (name.clone(), schema)
        });
        Value::Object(members.collect())
    }

    /// A pattern must be one that takes linear time (F1).
    fn pattern(&mut self, pattern: &str, pointer: &str) {
        if !self.source.compiled.rules.takes_pattern(pattern) {
            let message = format!("the pattern `{}` cannot be used", cut(pattern));
            let problem = self.source.problem(pointer, message).help(
                "write it without look-around, back references and large repetitions: patterns are matched in linear time",
            );
            self.note(problem);
        }
    }

    /// A misspelt keyword would judge nothing without a word.
    fn unknown(&mut self, keyword: &str, pointer: &str) {
        if keyword.starts_with("x-") || OTHER.contains(&keyword) {
            return;
        }
        if let Some(near) = nearest(keyword, &known()) {
            let message = format!("unknown keyword `{}`", cut(keyword));
            let problem = self.source.problem(pointer, message);
            self.note(problem.help(format!(
                "did you mean `{near}`? write a keyword of your own as `x-{keyword}`"
            )));
        }
    }

    fn format(&self, object: &Map<String, Value>, out: &mut Map<String, Value>) {
        let bounds = match object.get("format").and_then(Value::as_str) {
            Some("int32") => json!({ "minimum": i32::MIN, "maximum": i32::MAX }),
            Some("int64") => json!({ "minimum": i64::MIN, "maximum": i64::MAX }),
            Some(format) if FORMATS.contains(&format) => {
                out.insert("format".into(), format.into());
                return;
            }
            _ => return,
        };
        if let Some(all) = out
            .entry("allOf")
            .or_insert_with(|| json!([]))
            .as_array_mut()
        {
            all.push(bounds);
        }
    }

    const fn mark(&self) -> &'static str {
        match self.side {
            Side::Request { .. } => "readOnly",
            Side::Response => "writeOnly",
        }
    }

    /// Whether a property of this schema may not be there at all.
    fn refuses(&self, property: &Value) -> bool {
        let refuses = match self.side {
            Side::Request { refuse_read_only } => refuse_read_only,
            Side::Response => true,
        };
        refuses && self.is_marked(property, 0)
    }

    fn is_marked(&self, schema: &Value, hops: usize) -> bool {
        if schema.get(self.mark()) == Some(&Value::Bool(true)) {
            return true;
        }
        hops < 8
            && self
                .parts(schema)
                .any(|part| self.is_marked(part, hops + 1))
    }

    /// The names of properties that belong to the other side, so that nobody can ask for them (OpenAPI 3.0.4 §4.7.24.2).
    fn excused(&self, object: &Map<String, Value>, hops: usize) -> Vec<String> {
        let own = object
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter(|(_, schema)| self.is_marked(schema, 0))
            .map(|(name, _)| name.clone());
        let mut names: Vec<String> = own.collect();
        if hops < 8 {
            let all = object.get("allOf").and_then(Value::as_array);
            for part in all.into_iter().flatten() {
                let target = part
                    .get("$ref")
                    .and_then(Value::as_str)
                    .and_then(|reference| self.source.target(reference, "").ok())
                    .and_then(|target| self.source.at(&target));
                if let Some(part) = target.unwrap_or(part).as_object() {
                    names.extend(self.excused(part, hops + 1));
                }
            }
        }
        names
    }

    /// The schemas that hold of the same value: what it refers to, and the parts of `allOf`.
    fn parts<'v>(&'v self, schema: &'v Value) -> impl Iterator<Item = &'v Value> {
        let referred = schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|reference| self.source.target(reference, "").ok())
            .and_then(|target| self.source.at(&target));
        let all = schema.get("allOf").and_then(Value::as_array);
        referred.into_iter().chain(all.into_iter().flatten())
    }
}

fn required(value: &Value, optional: &[String]) -> Value {
    let Some(names) = value.as_array() else {
        return value.clone();
    };
    let excused = |name: &&Value| {
        name.as_str()
            .is_some_and(|name| optional.iter().any(|other| other == name))
    };
    names
        .iter()
        .filter(|name| !excused(name))
        .cloned()
        .collect()
}

/// In 3.0 `exclusiveMinimum: true` changes what `minimum` means.
fn own_bounds(object: &Map<String, Value>, out: &mut Map<String, Value>) {
    for (flag, bound) in [
        ("exclusiveMinimum", "minimum"),
        ("exclusiveMaximum", "maximum"),
    ] {
        let Some(Value::Bool(exclusive)) = object.get(flag) else {
            continue;
        };
        out.remove(flag);
        if *exclusive && let Some(value) = out.remove(bound) {
            out.insert(flag.into(), value);
        }
    }
}

/// In 3.0 `nullable: true` adds `null` to what a schema takes.
fn nullable(mut out: Map<String, Value>) -> Value {
    let composed = SEVERAL.iter().any(|keyword| out.contains_key(*keyword));
    if let (false, Some(Value::String(name))) = (composed, out.get("type")) {
        let types = json!([name, "null"]);
        out.insert("type".into(), types);
        if let Some(Value::Array(values)) = out.get_mut("enum")
            && !values.contains(&Value::Null)
        {
            values.push(Value::Null);
        }
        return Value::Object(out);
    }
    json!({ "anyOf": [out, { "type": "null" }] })
}
