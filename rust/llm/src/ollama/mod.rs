//! Ollama's own `/api/chat`. It is a dialect of providers alone.

mod request_out;
mod response;
mod stream_in;

pub(crate) use request_out::write;
pub(crate) use response::read_response;
pub(crate) use stream_in::Reader;
