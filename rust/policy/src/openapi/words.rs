//! What is wrong with a value, in words that hold nothing of the value itself.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

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

/// The complaint that an error stands for: of several forms, the one that the value came closest to.
pub(super) fn complaint(error: &ValidationError<'_>) -> Complaint {
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

/// What a value must be, or must not hold, behind the name of its place.
pub(super) fn words(kind: &ValidationErrorKind) -> String {
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

/// A text from outside, short enough for a message.
pub fn cut(text: &str) -> String {
    const MOST: usize = 80;
    match text.char_indices().nth(MOST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}
