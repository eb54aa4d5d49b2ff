//! Files beside documents, such as that of a change, read by the rules of documents.

use std::path::{Path, PathBuf};

use lockgate_config::{Node, Problem, Span, Value, parse, read_file};
use pyo3::prelude::*;
use serde_json::{Map, json};

use crate::error;

/// The largest such file: people write it.
const MAX_BYTES: u64 = 1 << 20;

/// Reads a YAML or JSON file as documents are read: one meaning for each text, no anchors, no name twice. Gives JSON with the `value`,
/// and with line and column of each value (`places`) and of each name (`names`) by its JSON Pointer (RFC 6901). Raises `ProblemsError`.
#[pyfunction]
pub fn read(py: Python<'_>, path: PathBuf) -> PyResult<String> {
    py.detach(|| {
        let node = parsed(&path).map_err(|problem| error::problems(&[problem]))?;
        let (mut places, mut names) = (Map::new(), Map::new());
        place(&node, String::new(), &mut places, &mut names);
        Ok(json!({ "value": node.to_json(), "places": places, "names": names }).to_string())
    })
}

fn parsed(path: &Path) -> Result<Node, Problem> {
    let name = path.display().to_string();
    let bytes = read_file(path, MAX_BYTES)
        .map_err(|error| Problem::in_file(&*name, format!("it cannot be read: {error}")))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Problem::in_file(&*name, "the file is not UTF-8 text"))?;
    parse(&name, &text)
}

/// The parser bounds how deep this goes.
fn place(
    node: &Node,
    pointer: String,
    places: &mut Map<String, serde_json::Value>,
    names: &mut Map<String, serde_json::Value>,
) {
    match &node.value {
        Value::List(items) => {
            for (number, item) in items.iter().enumerate() {
                place(item, format!("{pointer}/{number}"), places, names);
            }
        }
        Value::Map(entries) => {
            for (key, item) in entries.iter() {
                let name = key.name.replace('~', "~0").replace('/', "~1");
                let below = format!("{pointer}/{name}");
                names.insert(below.clone(), line_and_column(&key.span));
                place(item, below, places, names);
            }
        }
        _ => {}
    }
    places.insert(pointer, line_and_column(&node.span));
}

fn line_and_column(span: &Span) -> serde_json::Value {
    json!([span.line, span.column])
}
