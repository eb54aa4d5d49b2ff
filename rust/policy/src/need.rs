//! What a policy needs before it can decide.

use crate::facts::FactRequest;

/// What a policy needs before it can decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// The whole body, when it has at most so many bytes. A larger one is refused with 413.
    Body(usize),
    /// Something that is not in the request.
    Fact(FactRequest),
    /// Something of the request that its recording does not hold; it completes "… was not recorded". Live traffic lacks nothing.
    Recorded(&'static str),
}
