//! Values against schemas, and what is wrong with them in words that hold nothing of the value itself.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{
    Draft, JsonType, PatternCache, PatternOptions, ValidationError, ValidationOptions,
};
use lockgate_config::Problem;
use serde_json::{Value, json};

use super::source::{Source, cut, join};
use super::translate::{Side, Translated, translate};

/// The most memory of one compiled pattern, in bytes. Matching takes time in proportion to it and to the text.
const PATTERN_BYTES_MAX: usize = 1 << 18;
/// How many schemas may refer to one another for the same value. Judging one level of a value takes stack for each.
const IN_PLACE_MAX: usize = 16;
/// The largest value, in bytes, for which the errors of alternatives are gathered.
const ALTERNATIVES_BYTES_MAX: usize = 64 * 1024;
/// The deepest value for which they are gathered when a schema contains itself: their number doubles with each level.
const ALTERNATIVES_DEPTH_MAX: usize = 6;
/// How many names a message holds.
const NAMES_MAX: usize = 3;

/// What is wrong with a value.
#[derive(Debug)]
pub struct Complaint {
    /// Where, as a JSON pointer.
    pub pointer: String,
    /// What, behind the name of the place.
    pub what: String,
}

/// A compiled schema.
#[derive(Debug)]
pub struct Validator {
    inner: jsonschema::Validator,
    alternatives: bool,
    recursive: bool,
}

/// What was compiled of one document: operations share schemas.
#[derive(Default)]
pub(super) struct Compiled {
    validators: RefCell<HashMap<(String, Side), Arc<Validator>>>,
    patterns: RefCell<HashMap<String, bool>>,
    regexes: PatternCache,
}

impl Compiled {
    /// The rules under which all schemas are compiled: nothing is fetched (F23), and patterns take linear time (F1).
    fn options(&self) -> ValidationOptions<'static> {
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .offline()
            .should_validate_formats(true)
            .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES_MAX))
            .with_pattern_cache(self.regexes.clone())
    }

    /// Whether a pattern can be matched under these rules.
    pub(super) fn takes_pattern(&self, pattern: &str) -> bool {
        let known = self.patterns.borrow().get(pattern).copied();
        known.unwrap_or_else(|| {
            let takes = self.options().build(&json!({ "pattern": pattern })).is_ok();
            self.patterns.borrow_mut().insert(pattern.to_owned(), takes);
            takes
        })
    }
}

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
            .options()
            .build(&translated.schema)
            .map_err(|error| vec![problem(source, &translated, &error)])?;
        Ok(Self {
            inner,
            alternatives: holds_alternatives(definitions),
            recursive: longest(definitions, count, &references).is_err(),
        })
    }

    /// Judges a value that was written in so many bytes.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, value: &Value, bytes: usize) -> Result<(), Complaint> {
        if self.inner.is_valid(value) {
            return Ok(());
        }
        // To say which of several forms was meant costs more than to judge; a caller must not be able to make it cost too much.
        let explains = !self.alternatives
            || bytes <= ALTERNATIVES_BYTES_MAX
                && (!self.recursive || depth(value) <= ALTERNATIVES_DEPTH_MAX);
        let error = explains.then(|| self.inner.validate(value).err()).flatten();
        Err(match &error {
            Some(error) => complaint(error),
            None => Complaint {
                pointer: String::new(),
                what: "does not have the form that the document describes".into(),
            },
        })
    }
}

/// How many problems of one document are told at a time.
const PROBLEMS_MAX: usize = 20;

/// Checks everything of a document but its schemas: a field that is misspelt or of another type would judge nothing.
///
/// # Errors
/// Every problem found.
pub(super) fn check_structure(source: &Source) -> Result<(), Vec<Problem>> {
    let unusable = |error: String| vec![source.problem("", error)];
    let structure: Value = serde_json::from_str(include_str!("structure.json"))
        .map_err(|error| unusable(error.to_string()))?;
    let structure = source
        .compiled
        .options()
        .build(&structure)
        .map_err(|error| unusable(words(error.kind())))?;
    let document = source.at("").unwrap_or(&Value::Null);
    let problems: Vec<Problem> = structure
        .iter_errors(document)
        .take(PROBLEMS_MAX)
        .map(|error| {
            let place = error.instance_path().as_str();
            match error.kind() {
                ValidationErrorKind::AdditionalProperties { unexpected } => {
                    let name = unexpected.first().map_or("", String::as_str);
                    source
                        .problem(&join(place, name), format!("unknown field `{}`", cut(name)))
                        .help("check its spelling; a field of your own starts with `x-`")
                }
                kind => source.problem(place, format!("this {}", words(kind))),
            }
        })
        .collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn holds_alternatives(schema: &Value) -> bool {
    match schema {
        Value::Array(items) => items.iter().any(holds_alternatives),
        Value::Object(members) => members.iter().any(|(name, value)| {
            matches!(name.as_str(), "anyOf" | "oneOf") || holds_alternatives(value)
        }),
        _ => false,
    }
}

/// The most definitions that lead from one to the next, or `Err` with one that leads back to itself. Definitions that lead to nothing
/// are taken away again and again; those of a circle are left.
fn longest(
    definitions: &Value,
    count: usize,
    named_in: &dyn Fn(&Value, &mut Vec<usize>),
) -> Result<usize, usize> {
    let named: Vec<Vec<usize>> = (0..count)
        .map(|number| {
            let mut named = Vec::new();
            if let Some(schema) = definitions.get(number.to_string()) {
                named_in(schema, &mut named);
            }
            named
        })
        .collect();
    let mut lengths: Vec<Option<usize>> = vec![None; count];
    loop {
        let mut changed = false;
        for (number, named) in named.iter().enumerate() {
            if lengths.get(number).is_some_and(Option::is_some) {
                continue;
            }
            let below: Option<Vec<usize>> = named
                .iter()
                .map(|other| lengths.get(*other).copied().flatten())
                .collect();
            if let (Some(below), Some(length)) = (below, lengths.get_mut(number)) {
                *length = Some(1 + below.into_iter().max().unwrap_or(0));
                changed = true;
            }
        }
        if !changed {
            let circle = lengths.iter().position(Option::is_none);
            let longest = lengths.iter().flatten().max();
            return circle.map_or_else(|| Ok(longest.copied().unwrap_or(0)), Err);
        }
    }
}

fn number_of(schema: &Value) -> Option<usize> {
    let reference = schema.get("$ref")?.as_str()?;
    reference.strip_prefix("#/$defs/")?.parse().ok()
}

/// The definitions that a schema applies to the same value.
fn in_place(schema: &Value, found: &mut Vec<usize>) {
    found.extend(number_of(schema));
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let parts = schema.get(keyword).and_then(Value::as_array);
        parts
            .into_iter()
            .flatten()
            .for_each(|part| in_place(part, found));
    }
    for keyword in ["not", "if", "then", "else"] {
        schema
            .get(keyword)
            .into_iter()
            .for_each(|part| in_place(part, found));
    }
    let dependent = schema.get("dependentSchemas").and_then(Value::as_object);
    let dependent = dependent.into_iter().flat_map(|parts| parts.values());
    dependent.for_each(|part| in_place(part, found));
}

/// All definitions that a schema names.
fn references(schema: &Value, found: &mut Vec<usize>) {
    found.extend(number_of(schema));
    match schema {
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Object(members) => members.values().for_each(|value| references(value, found)),
        _ => {}
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

fn complaint(error: &ValidationError<'_>) -> Complaint {
    if let ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } =
        error.kind()
        && let Some(inner) = nearest_branch(error, context)
    {
        return complaint(inner);
    }
    let closed = error
        .schema_path()
        .as_str()
        .ends_with("/additionalProperties");
    let what = match error.kind() {
        ValidationErrorKind::FalseSchema if closed => {
            "holds a property, where the document lists none".into()
        }
        kind => words(kind),
    };
    Complaint {
        pointer: cut(error.instance_path().as_str()),
        what,
    }
}

/// The error of the branch that the value came closest to: the one that fails deepest within it, alone.
fn nearest_branch<'e>(
    error: &ValidationError<'_>,
    context: &'e [Vec<ValidationError<'static>>],
) -> Option<&'e ValidationError<'static>> {
    let steps = |error: &ValidationError<'_>| error.instance_path().as_str().matches('/').count();
    let own = steps(error);
    let firsts = || context.iter().filter_map(|branch| branch.first());
    let deepest = firsts().map(&steps).max()?;
    let mut candidates = firsts().filter(|first| steps(first) == deepest);
    let best = candidates.next()?;
    (context.len() == 1 || deepest > own || candidates.next().is_none()).then_some(best)
}

fn words(kind: &ValidationErrorKind) -> String {
    use ValidationErrorKind as Kind;
    match kind {
        Kind::Type { kind } => format!("must be {}", types(kind)),
        Kind::Required { property } => {
            format!("lacks `{}`", cut(property.as_str().unwrap_or_default()))
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            format!(
                "holds {}, which the document does not list",
                names(unexpected)
            )
        }
        Kind::FalseSchema => "must not be there, or must not be sent by this side".into(),
        Kind::Enum { options } => format!("must be one of {}", cut(&listed(options))),
        Kind::Constant { expected_value } => {
            format!("must be `{}`", cut(&expected_value.to_string()))
        }
        Kind::Minimum { limit } => format!("must be at least {limit}"),
        Kind::Maximum { limit } => format!("must be at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("must be a multiple of {multiple_of}"),
        Kind::MinLength { limit } => format!("must have at least {limit} characters"),
        Kind::MaxLength { limit } => format!("must have at most {limit} characters"),
        Kind::MinItems { limit } => format!("must have at least {limit} items"),
        Kind::MaxItems { limit } => format!("must have at most {limit} items"),
        Kind::AdditionalItems { limit } => format!("must have at most {limit} items"),
        Kind::MinProperties { limit } => format!("must have at least {limit} properties"),
        Kind::MaxProperties { limit } => format!("must have at most {limit} properties"),
        Kind::UniqueItems => "must not hold an item twice".into(),
        Kind::Contains => "lacks an item that it must hold".into(),
        Kind::UnevaluatedItems { .. } => "holds items that the document does not list".into(),
        Kind::Pattern { pattern } => format!("must match the pattern `{}`", cut(pattern)),
        Kind::Format { format } => format!("must be of the format `{}`", cut(format)),
        Kind::PropertyNames { .. } => "holds a property with a name that is not allowed".into(),
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => {
            "has none of the forms that the document lists".into()
        }
        Kind::OneOfMultipleValid { .. } => {
            "has several forms of which the document allows only one at a time".into()
        }
        Kind::Not { .. } => "has a form that the document excludes".into(),
        other => format!("breaks the rule `{}`", cut(other.keyword())),
    }
}

fn names(unexpected: &[String]) -> String {
    let mut shown: Vec<String> = unexpected
        .iter()
        .take(NAMES_MAX)
        .map(|name| format!("`{}`", cut(name)))
        .collect();
    if unexpected.len() > NAMES_MAX {
        shown.push(format!("{} more", unexpected.len() - NAMES_MAX));
    }
    shown.join(", ")
}

fn listed(options: &Value) -> String {
    let options = options.as_array().into_iter().flatten();
    let options: Vec<String> = options.map(|option| format!("`{option}`")).collect();
    options.join(", ")
}

fn types(kind: &TypeKind) -> String {
    let word = |kind: JsonType| match kind {
        JsonType::Null => "null",
        JsonType::Boolean => "`true` or `false`",
        JsonType::Integer => "a whole number",
        JsonType::Number => "a number",
        JsonType::String => "text",
        JsonType::Array => "a list",
        JsonType::Object => "an object",
    };
    match kind {
        TypeKind::Single(kind) => word(*kind).to_owned(),
        TypeKind::Multiple(kinds) => kinds.iter().map(word).collect::<Vec<_>>().join(" or "),
    }
}
