//! What a caller of a published prompt reads: the text of the answer and what it took, in no provider's language.

mod response;
mod stream_out;

pub(crate) use response::{problem, write_response};
pub(crate) use stream_out::Writer;
