//! Parts of texts and JSON that are replaced: named fields, and what looks like a secret.

mod json;
mod patterns;

pub use json::{FieldRule, Unreadable};
pub use patterns::{Pattern, Shape};

/// What is replaced, and by what.
#[derive(Debug)]
pub struct Masks {
    /// Fields of JSON whose values are replaced.
    pub fields: Vec<FieldRule>,
    /// What is replaced wherever it stands.
    pub patterns: Vec<Pattern>,
    /// What takes its place.
    pub replacement: String,
}

impl Masks {
    /// The text with what is to be hidden replaced; `None` when there is nothing. What stays, stays byte for byte.
    ///
    /// # Errors
    /// Fields are named, and the text is not JSON.
    pub fn apply(&self, text: &str) -> Result<Option<String>, Unreadable> {
        match json::mask(self, text) {
            Err(Unreadable) if self.fields.is_empty() => Ok(self.mask_text(text)),
            masked => masked,
        }
    }

    /// The text with what the patterns find replaced; `None` when they find nothing.
    fn mask_text(&self, text: &str) -> Option<String> {
        let mut masked: Option<String> = None;
        for pattern in &self.patterns {
            let seen = masked.as_deref().unwrap_or(text);
            if let Some(replaced) = pattern.mask(seen, &self.replacement) {
                masked = Some(replaced);
            }
        }
        masked
    }
}
