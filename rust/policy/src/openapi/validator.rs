//! Values against schemas.

use serde_json::Value;

use super::words::{Complaint, complaint};

/// The largest value, in bytes, for which the errors of alternatives are gathered.
const ALTERNATIVES_BYTES_MAX: usize = 64 * 1024;
/// The deepest value for which they are gathered when a schema contains itself: their number doubles with each level.
const ALTERNATIVES_DEPTH_MAX: usize = 6;

/// A compiled schema.
#[derive(Debug)]
pub struct Validator {
    pub(super) inner: jsonschema::Validator,
    /// Whether it holds alternatives.
    pub(super) alternatives: bool,
    /// Whether it contains itself.
    pub(super) recursive: bool,
}

impl Validator {
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

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
