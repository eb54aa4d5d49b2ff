//! Why a value cannot be decoded, and where it stands.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use serde::de;

use crate::node::Span;
use crate::problem::Problem;

/// Carries a problem through serde's generic errors without losing its position.
pub(crate) fn hand<E: de::Error>(problem: Problem) -> E {
    let message = problem.message.clone();
    CARRIED.set(Some(problem));
    let error = E::custom(message);
    CARRIED.take();
    error
}

thread_local! {
    static CARRIED: RefCell<Option<Problem>> = const { RefCell::new(None) };
}

/// An error of decoding; it learns its position from the innermost value that failed.
#[derive(Debug)]
pub struct DecodeError {
    problem: Problem,
    placed: bool,
    /// A name that is unknown: the error belongs at that name, not at the mapping.
    pub(super) name: Option<String>,
}

impl DecodeError {
    pub(crate) fn at(mut self, span: &Span) -> Problem {
        self.place(span);
        self.problem
    }

    pub(super) fn place(&mut self, span: &Span) {
        if !self.placed {
            self.problem.file = span.file.to_string();
            self.problem.line = span.line;
            self.problem.column = span.column;
            self.placed = true;
        }
    }

    /// A problem that knows its place.
    pub(super) const fn placed(problem: Problem) -> Self {
        Self {
            problem,
            placed: true,
            name: None,
        }
    }

    pub(super) fn loose(problem: Problem) -> Self {
        Self {
            problem,
            placed: false,
            name: None,
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl std::error::Error for DecodeError {}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        if let Some(problem) = CARRIED.take() {
            return Self::placed(problem);
        }
        Self::loose(Problem::new(&Span::default(), message.to_string()))
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let expected = expected.to_string();
        let most =
            most(&expected, &found).map_or_else(String::new, |most| format!(", at most {most}"));
        Self::custom(format_args!(
            "expected {}{most}, found {}",
            in_words(&expected),
            found_in_words(&found)
        ))
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(found: &str, valid: &'static [&'static str]) -> Self {
        Self::loose(Problem::unknown(&Span::default(), "value", found, valid))
    }

    fn unknown_field(found: &str, valid: &'static [&'static str]) -> Self {
        let mut error = Self::loose(Problem::unknown(&Span::default(), "field", found, valid));
        if valid.is_empty() {
            error.problem = error.problem.help("no field is expected here");
        }
        error.name = Some(found.to_owned());
        error
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format_args!("the field `{field}` is missing"))
    }
}

/// The largest number of the type that is expected, when what was found is a number that is larger.
fn most(expected: &str, found: &de::Unexpected<'_>) -> Option<u64> {
    let most = match expected.strip_prefix("a nonzero ").unwrap_or(expected) {
        "u8" => u8::MAX.into(),
        "u16" => u16::MAX.into(),
        "u32" => u32::MAX.into(),
        "u64" | "usize" => u64::MAX,
        _ => return None,
    };
    match found {
        de::Unexpected::Unsigned(value) if *value > most => Some(most),
        de::Unexpected::Signed(value) if u64::try_from(*value).is_ok_and(|value| value > most) => {
            Some(most)
        }
        // A number that no integer holds was read as one with a fraction.
        de::Unexpected::Float(value) if *value > most as f64 => Some(most),
        _ => None,
    }
}

fn in_words(expected: &str) -> Cow<'_, str> {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not negative".into(),
        "i8" | "i16" | "i32" | "i64" => "a whole number".into(),
        "f32" | "f64" => "a number".into(),
        "a boolean" => "`true` or `false`".into(),
        "a string" | "string" => "text".into(),
        "a sequence" => "a list".into(),
        "a map" => "a mapping".into(),
        other if other.starts_with("struct ") || other.starts_with("internally tagged") => {
            "a mapping".into()
        }
        other if other.starts_with("enum ") => "one of its names".into(),
        other if other.starts_with("a nonzero") => "a whole number above zero".into(),
        other => other.to_owned().into(),
    }
}

fn found_in_words(found: &de::Unexpected<'_>) -> String {
    match found {
        de::Unexpected::Bool(value) => format!("`{value}`"),
        de::Unexpected::Unsigned(value) => format!("`{value}`"),
        de::Unexpected::Signed(value) => format!("`{value}`"),
        de::Unexpected::Float(value) => format!("`{value}`"),
        de::Unexpected::Str(value) => format!("the text `{value}`"),
        de::Unexpected::Unit | de::Unexpected::Option => "nothing".into(),
        de::Unexpected::Seq => "a list".into(),
        de::Unexpected::Map => "a mapping".into(),
        other => other.to_string(),
    }
}
