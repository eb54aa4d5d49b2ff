//! [`Node`]s to typed values, by serde, keeping positions: every error knows its line and column.
//!
//! Lists and mappings of independent things ([`Entries`]) go on after a bad entry, so that a person sees all problems at once.

mod collected;
mod decoder;
mod error;
mod lists;
mod values;

use serde::Deserialize;

use crate::node::Node;
use crate::problem::Problem;

use collected::collecting;
use decoder::{Decoder, with_empty};

pub(crate) use decoder::nested;
pub(crate) use error::{DecodeError, hand};
pub use lists::{Each, Entries, Entry};
pub use values::{AnyText, Raw, Spanned};

/// Decodes a value.
///
/// # Errors
/// Every problem found, in the order of the document.
pub fn decode<T: for<'de> Deserialize<'de>>(node: &Node) -> Result<T, Vec<Problem>> {
    let (result, mut problems) = collecting(|| T::deserialize(Decoder { node }));
    match result {
        Ok(value) if problems.is_empty() => Ok(value),
        Ok(_) => Err(problems),
        Err(problem) => {
            problems.push(problem.at(&node.span));
            Err(problems)
        }
    }
}

/// Decodes what may hold empty texts, lists and mappings that are meant, as the requests of a case file do.
///
/// # Errors
/// Every problem found, in the order of the document.
pub fn decode_with_empty<T: for<'de> Deserialize<'de>>(node: &Node) -> Result<T, Vec<Problem>> {
    with_empty(|| decode(node))
}
