//! The texts that records are made of.

use std::borrow::Cow;
use std::sync::Arc;

/// A text that the revision shares with its events, or that belongs to one request.
pub type Text = Arc<str>;

/// A word of a closed set: a literal on the writing side, so that it costs nothing there.
pub type Word = Cow<'static, str>;
