//! The two sides of a conversation: many schemas mean different things to each.

/// Whose values a schema judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// What callers send.
    Request {
        /// Whether properties that are `readOnly` are refused.
        refuse_read_only: bool,
    },
    /// What services answer; `writeOnly` properties are refused.
    Response,
}
