//! An OpenAPI document read, and all of it checked but its schemas.

use jsonschema::error::ValidationErrorKind;
use lockgate_config::{Problem, Spanned};
use serde_json::Value;

use super::pointer::join;
use super::source::Source;
use super::words::{cut, words};

/// Reads the text of the file `name`.
///
/// # Errors
/// That it is not YAML or JSON, not an OpenAPI document of a version that is read, or not in the form of one.
pub fn read(name: &Spanned<String>, bytes: Vec<u8>) -> Result<Source, Vec<Problem>> {
    let source = Source::parse(name, bytes).map_err(|problem| vec![problem])?;
    check_structure(&source)?;
    Ok(source)
}

/// How many problems of one document are told at a time.
const PROBLEMS_MAX: usize = 20;

/// Checks everything of a document but its schemas: a field that is misspelt or of another type would judge nothing.
fn check_structure(source: &Source) -> Result<(), Vec<Problem>> {
    let unusable = |error: String| vec![source.problem("", error)];
    let structure: Value = serde_json::from_str(include_str!("structure.json"))
        .map_err(|error| unusable(error.to_string()))?;
    let structure = source
        .compiled
        .rules
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
