//! OpenAI Responses, for callers. The gateway keeps no conversation: what refers to an earlier answer by id is refused.

mod request_in;
mod response;
mod stream_out;

pub(crate) use request_in::read;
pub(crate) use response::write_response;
pub(crate) use stream_out::Writer;
