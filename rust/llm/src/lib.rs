//! Languages of models.

mod answer;
mod anthropic;
pub mod budget;
mod chat;
mod client_stream;
mod dialect;
mod embeddings;
mod estimate;
mod failure;
mod gemini;
mod json;
mod loss;
mod model;
mod models;
mod ollama;
mod openai;
mod pass_through;
mod price;
mod provider_error;
mod responses;
mod signature;
mod sse;
mod stream;
mod surface_error;
mod usage;
mod write;

pub use answer::Stamp;
pub use chat::{
    MOST_REQUEST_BYTES, Outgoing, read_chat, read_response, write_chat, write_response,
};
pub use client_stream::ClientStream;
pub use dialect::{Authentication, Call, Dialect, Surface};
pub use embeddings::{
    EmbeddingsInput, EmbeddingsRequest, read_embeddings, translate_embeddings, write_embeddings,
};
pub use estimate::Estimate;
pub use failure::{Failure, FailureKind};
pub use loss::{How, Loss, Losses};
pub use model::*;
pub use models::{Model, write_models};
pub use pass_through::PassThrough;
pub use price::{LongPrice, ModelPrice, PriceError, PriceList};
pub use provider_error::read_error;
pub use signature::holds_foreign_seal;
pub use stream::{Ending, MOST_EVENT_BYTES, UpstreamStream};
pub use surface_error::write_error;
pub use usage::Usage;
