//! Schemas of a document on their way to what judges values.

use std::sync::Arc;

use jsonschema::ValidationError;
use lockgate_config::Problem;
use serde_json::Value;

use super::definitions::{holds_alternatives, in_place, longest, references};
use super::side::Side;
use super::source::Source;
use super::translate::{Translated, translate};
use super::validator::Validator;
use super::words::words;

/// How many schemas may refer to one another for the same value. Judging one level of a value takes stack for each.
const IN_PLACE_MAX: usize = 16;

impl Validator {
    /// Compiles the schema at `pointer`.
    ///
    /// # Errors
    /// Every problem of it and of what it refers to.
    pub fn compile(source: &Source, pointer: &str, side: Side) -> Result<Arc<Self>, Vec<Problem>> {
        let mut pointer = pointer.to_owned();
        // What does nothing but refer is what it refers to. One step is enough to find what operations share.
        if let Some(object) = source.at(&pointer).and_then(Value::as_object)
            && object.len() == 1
            && let Some(reference) = object.get("$ref").and_then(Value::as_str)
        {
            let target = source.target(reference, &pointer);
            pointer = target.map_err(|problem| vec![problem])?;
        }
        let key = (pointer, side);
        if let Some(known) = source.compiled.validators.borrow().get(&key) {
            return Ok(known.clone());
        }
        let compiled = Arc::new(Self::new(source, &key.0, side)?);
        let mut validators = source.compiled.validators.borrow_mut();
        Ok(validators.entry(key).or_insert(compiled).clone())
    }

    fn new(source: &Source, pointer: &str, side: Side) -> Result<Self, Vec<Problem>> {
        let translated = translate(source, pointer, side)?;
        let definitions = translated.schema.get("$defs").unwrap_or(&Value::Null);
        let count = translated.origins.len();
        let refuse = |number: usize, message: String| {
            let origin = translated.origins.get(number);
            vec![source.problem(origin.map_or("", String::as_str), message)]
        };
        let length = longest(definitions, count, &in_place).map_err(|number| {
            let message =
                "this schema refers to itself for the same value, so that it says nothing";
            refuse(number, message.into())
        })?;
        if length > IN_PLACE_MAX {
            let message =
                format!("more than {IN_PLACE_MAX} schemas refer to one another for the same value");
            return Err(refuse(0, message));
        }
        let inner = source
            .compiled
            .rules
            .options()
            .build(&translated.schema)
            .map_err(|error| vec![problem(source, &translated, &error)])?;
        Ok(Self {
            inner,
            alternatives: holds_alternatives(definitions),
            recursive: longest(definitions, count, &references).is_err(),
        })
    }
}

/// A schema that is none, at its place in the document.
fn problem(source: &Source, translated: &Translated, error: &ValidationError<'_>) -> Problem {
    let place = match error.instance_path().as_str() {
        "" => error.schema_path().as_str(),
        place => place,
    };
    let origin = place.strip_prefix("/$defs/").and_then(|rest| {
        let (number, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let origin = translated.origins.get(number.parse::<usize>().ok()?)?;
        Some(if rest.is_empty() {
            origin.clone()
        } else {
            format!("{origin}/{rest}")
        })
    });
    let message = format!("this schema cannot be used: {}", words(error.kind()));
    source.problem(&origin.unwrap_or_default(), message)
}
