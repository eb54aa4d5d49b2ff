//! OpenAI chat completions, and the dialects near to it: Mistral's and Moonshot's.

mod google_seal;
mod request_in;
mod request_out;
mod response;
mod stream_in;
mod stream_out;

pub(crate) use request_in::read;
pub(crate) use request_out::write;
pub(crate) use response::{read_response, read_usage, write_response, write_usage};
pub(crate) use stream_in::Reader;
pub(crate) use stream_out::Writer;
