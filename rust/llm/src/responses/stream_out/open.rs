//! The item of a streamed response that is being written.

/// The item that is being written.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) text: String,
}

/// What it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Refusal,
    Thinking,
    Call {
        number: u64,
        id: String,
        name: String,
    },
}
