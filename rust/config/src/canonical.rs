//! The canonical form: one text for one meaning, so that a revision has one id.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::node::{Node, Value};

/// The SHA-256 of a document's canonical form, as 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct RevisionId(String);

impl RevisionId {
    /// The id of a canonical text.
    pub fn of(canonical: &str) -> Self {
        Self(sha256_hex(canonical.as_bytes()))
    }

    /// The id of a document that refers to files: another content of one of them is another revision. Without files it is the
    /// document's own.
    #[must_use]
    pub fn with_files(self, contents: &BTreeMap<String, String>) -> Self {
        if contents.is_empty() {
            return self;
        }
        let whole = serde_json::json!({ "document": self.0, "files": contents });
        Self::of(&canonical_json(&whole))
    }

    /// All 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 12 digits, for people.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl fmt::Display for RevisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// SHA-256 of `bytes` in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// JSON with sorted names and no spaces (RFC 8785 for the values a document can hold: text, whole numbers, truth values, lists,
/// mappings; fractions keep their shortest decimal form).
pub fn canonical_json(value: &serde_json::Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// The same of a node.
pub(crate) fn canonical_node(node: &Node) -> String {
    let mut out = String::new();
    write_node(node, &mut out);
    out
}

fn write_node(node: &Node, out: &mut String) {
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Integer(value) => out.push_str(&value.to_string()),
        Value::Float(value) => out.push_str(&serde_json::Value::from(*value).to_string()),
        Value::Text(text) => write_text(text, out),
        Value::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_node(item, out);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by(|(a, _), (b, _)| by_utf16(&a.name, &b.name));
            out.push('{');
            for (at, (key, item)) in entries.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_text(&key.name, out);
                out.push(':');
                write_node(item, out);
            }
            out.push('}');
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    if text.bytes().all(is_plain) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::Value::from(text).to_string());
    }
}

/// RFC 8785 §3.2.3: by UTF-16 code units, which are in the order of bytes while all are ASCII.
fn by_utf16(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() {
        a.cmp(b)
    } else {
        a.encode_utf16().cmp(b.encode_utf16())
    }
}

fn write(value: &serde_json::Value, out: &mut String) {
    match value {
        serde_json::Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        serde_json::Value::Object(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by(|(a, _), (b, _)| by_utf16(a, b));
            out.push('{');
            for (at, (name, item)) in entries.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_text(name, out);
                out.push(':');
                write(item, out);
            }
            out.push('}');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::parse;

    #[test]
    fn a_node_and_its_json_have_one_canonical_form() {
        for text in [
            "{ b: 1, a: [true, null, -3, 1.50, 1e3], aa: { '': x } }",
            "'\\': \"a\\\"b\\\\c\\n\\u0001\\x7f\"\né: [ü, '\u{2028}', '\u{10000}']\n'\u{10000}': 1\n'\u{ffee}': 2\n",
            "[]",
            "{}",
        ] {
            let node = parse("a", text).unwrap();
            assert_eq!(
                canonical_node(&node),
                canonical_json(&node.to_json()),
                "{text}"
            );
        }
        let node = parse("a", "{ b: 1, a: [x] }").unwrap();
        assert_eq!(canonical_node(&node), r#"{"a":["x"],"b":1}"#);
    }
}
