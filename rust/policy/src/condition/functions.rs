//! The functions that an expression may call, and what they take and give.

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};
use cel::{Context, Program};
use lockgate_config::Problem;

use super::reading::{Reading, subject};
use super::types::Type;

/// A function in one of its forms.
struct Function {
    name: &'static str,
    /// Whether it is written behind its first value: `text.contains('a')`.
    behind: bool,
    /// What each value may be; the one that it stands behind is the first.
    takes: &'static [&'static [Type]],
    gives: Type,
}

const fn function(
    name: &'static str,
    behind: bool,
    takes: &'static [&'static [Type]],
    gives: Type,
) -> Function {
    Function {
        name,
        behind,
        takes,
        gives,
    }
}

const TEXT: &[Type] = &[Type::Text];
const SIZED: &[Type] = &[
    Type::Text,
    Type::Bytes,
    Type::Texts,
    Type::List,
    Type::Fields,
    Type::Map,
];
const NUMBERED: &[Type] = &[Type::Int, Type::Uint, Type::Double, Type::Text];
const COUNTED: &[Type] = &[Type::Int, Type::Uint, Type::Double, Type::Text, Type::Time];
const WRITTEN: &[Type] = &[
    Type::Text,
    Type::Bool,
    Type::Int,
    Type::Uint,
    Type::Double,
    Type::Bytes,
    Type::Time,
    Type::Span,
];

const FUNCTIONS: &[Function] = &[
    function("contains", true, &[TEXT, TEXT], Type::Bool),
    function("startsWith", true, &[TEXT, TEXT], Type::Bool),
    function("endsWith", true, &[TEXT, TEXT], Type::Bool),
    function("matches", true, &[TEXT, TEXT], Type::Bool),
    function("matches", false, &[TEXT, TEXT], Type::Bool),
    function("size", true, &[SIZED], Type::Int),
    function("size", false, &[SIZED], Type::Int),
    function("int", false, &[COUNTED], Type::Int),
    function("uint", false, &[NUMBERED], Type::Uint),
    function("double", false, &[NUMBERED], Type::Double),
    function("string", false, &[WRITTEN], Type::Text),
    function("bool", false, &[&[Type::Text, Type::Bool]], Type::Bool),
    function(
        "timestamp",
        false,
        &[&[Type::Text, Type::Int, Type::Time]],
        Type::Time,
    ),
    function("duration", false, &[&[Type::Text, Type::Span]], Type::Span),
];

/// Loops and `has`, which are no calls once they are written as they should be.
const FORMS: &[(&str, &str)] = &[
    ("has", "has(claims.tier)"),
    ("all", "list.all(one, one == 'a')"),
    ("exists", "list.exists(one, one == 'a')"),
    ("exists_one", "list.exists_one(one, one == 'a')"),
    ("filter", "list.filter(one, one == 'a')"),
    ("map", "list.map(one, one)"),
];

/// What a call gives.
///
/// # Errors
/// No such function, or it takes other values.
pub(super) fn call<'a>(reading: &mut Reading<'a>, call: &'a CallExpr) -> Result<Type, Problem> {
    let name = call.func_name.as_str();
    let values: Vec<&IdedExpr> = call
        .target
        .as_deref()
        .into_iter()
        .chain(&call.args)
        .collect();
    let mut found = Vec::with_capacity(values.len());
    for value in &values {
        found.push(reading.of(value)?);
    }
    let is_behind = call.target.is_some();
    let form = FUNCTIONS
        .iter()
        .find(|function| function.name == name && function.behind == is_behind);
    let Some(function) = form.filter(|function| function.takes.len() == values.len()) else {
        let known = FUNCTIONS.iter().find(|function| function.name == name);
        return match (known, FORMS.iter().find(|(form, _)| *form == name)) {
            (Some(function), _) => wrong_form(reading, function),
            (None, Some((_, form))) => reading.problem(
                format!("`{name}` is not written so"),
                Some(format!("write it as in `{form}`")),
            ),
            (None, None) => {
                let names = FUNCTIONS.iter().map(|function| function.name);
                let mut names: Vec<&str> =
                    names.chain(FORMS.iter().map(|(name, _)| *name)).collect();
                names.dedup();
                Err(Problem::unknown(reading.span, "function", name, &names))
            }
        };
    };
    for ((value, found), takes) in values.iter().zip(&found).zip(function.takes) {
        if *found != Type::Any && !takes.contains(found) {
            let first = takes.first().map_or("a value", |one| one.in_words());
            let message = format!("`{name}` takes {first}, and not {}", subject(value, *found));
            return reading.problem(message, help(name, *found));
        }
    }
    if let Some(text) = values.last().and_then(|value| literal(value)) {
        check_text(reading, name, text)?;
    }
    Ok(function.gives)
}

fn wrong_form(reading: &Reading<'_>, function: &Function) -> Result<Type, Problem> {
    let values = ["…"; 2];
    let inner = values.get(
        ..function
            .takes
            .len()
            .saturating_sub(usize::from(function.behind)),
    );
    let inner = inner.unwrap_or_default().join(", ");
    let name = function.name;
    let first = function.takes.first().and_then(|takes| takes.first());
    let before = match first {
        Some(Type::Text) if function.behind => "text.",
        _ if function.behind => "list.",
        _ => "",
    };
    reading.problem(
        format!("`{name}` is not called so"),
        Some(format!("write `{before}{name}({inner})`")),
    )
}

fn help(name: &str, found: Type) -> Option<String> {
    let is_list = matches!(found, Type::Texts | Type::List | Type::Fields | Type::Map);
    (name == "contains" && is_list).then(|| "write `'value' in list`".to_owned())
}

fn literal(expression: &IdedExpr) -> Option<&str> {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

/// A text that never becomes what the function makes of it.
fn check_text(reading: &Reading<'_>, name: &str, text: &str) -> Result<(), Problem> {
    let (what, example) = match name {
        "matches" => {
            let Err(error) = regex::Regex::new(text) else {
                return Ok(());
            };
            let error = error.to_string();
            let why = error.lines().last().unwrap_or_default();
            let why = why.trim_start_matches("error: ");
            let message = format!("`{text}` is not a regular expression: {why}");
            return reading.problem(message, None);
        }
        "timestamp" => ("a time", "timestamp('2027-01-31T00:00:00Z')"),
        "duration" => ("a span of time", "duration('1h30m')"),
        "int" | "uint" | "double" => ("a number", "int('7')"),
        "bool" => ("`true` or `false`", "bool('true')"),
        _ => return Ok(()),
    };
    // Texts of JSON are texts of CEL.
    let source = format!("{name}({})", serde_json::Value::from(text));
    let gives =
        Program::compile(&source).is_ok_and(|program| program.execute(&Context::default()).is_ok());
    if gives {
        return Ok(());
    }
    reading.problem(
        format!("`{text}` is not {what}"),
        Some(format!("write one as in `{example}`")),
    )
}
