//! The languages of language models: what callers speak, what providers speak, and what a call takes.
//!
//! Everything here is pure: no I/O, no clock, no threads. Sizes and nesting are bounded, and nothing panics on any input.
//!
//! | part | what it answers |
//! |---|---|
//! | [`Call::of`] | what does this path ask for? |
//! | [`read_chat`] → [`ChatRequest`] | what does the caller want? |
//! | [`PromptTemplate::fill`] → [`FilledPrompt`] | what does a published prompt ask with the caller's values? |
//! | [`Estimate`], [`PriceList`] | what may it take, what may it cost? |
//! | [`write_chat`] → [`Outgoing`] | what is sent to the provider, and what is lost on the way ([`Losses`])? |
//! | [`PassThrough`] | the answer is streamed in the caller's own language |
//! | [`UpstreamStream`] → [`Event`] → [`ClientStream`] | the answer is streamed in another |
//! | [`read_response`] → [`write_response`] | the answer comes whole |
//! | [`read_error`] → [`write_error`] | the provider refused |
//! | [`read_embeddings`], [`write_embeddings`], [`translate_embeddings`] | embeddings |
//! | [`write_count`], [`estimated_count`] | how many tokens has it? |
//! | [`write_models`] | the list of models |
//! | [`guard`] | what may not go to a model, or come from one |
//!
//! A whole call, as the proxy makes it:
//!
//! ```
//! use lockgate_llm::*;
//!
//! // 1. What comes in.
//! let Some(Call::Chat { surface, model, stream }) = Call::of("POST", "/v1/messages") else { panic!() };
//! let body = br#"{"model":"fast","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"Hi"}]}"#;
//! let mut request = read_chat(surface, model.as_deref(), stream, body)?;
//! // A policy may look at `request`, and change it.
//!
//! // 2. Where it goes: an alias names a provider and its own name of the model.
//! let (dialect, provider_model) = (Dialect::Openai, "gpt-5");
//!
//! // 3. The worst case, which limits hold until it is known what the call took.
//! let prices = PriceList::built_in()?;
//! let price = prices.of(dialect, provider_model);
//! let worst = Estimate::of(&request, 32_768);
//! assert!(price.is_some_and(|price| price.worst_case(&worst) > 30));
//!
//! // 4. What goes out: `path` under the provider's address, `body` (or the caller's own bytes when it is `None`),
//! //    and the key as `dialect.authentication()` says. `losses.header()` goes into a field of the answer.
//! let outgoing = write_chat(&request, body, dialect, provider_model)?;
//! assert_eq!(outgoing.path, "/v1/chat/completions");
//!
//! // 5. What comes back. With `outgoing.native` it is `PassThrough::new(surface, id, !request.stream_usage)` that is fed, and
//! //    no events are seen; a whole answer goes on as it came, and `read_response` says what it took.
//! //    Of a status from 400, `read_error` and `write_error`.
//! let stamp = Stamp { id: "c0ffee".into(), now: 1_780_000_000, model: request.model.clone() };
//! let mut upstream = UpstreamStream::new(dialect, &stamp.id);
//! let mut client = ClientStream::new(surface, stamp, request.stream_usage);
//! let (mut events, mut out) = (Vec::new(), Vec::new());
//! for bytes in [
//!     &b"data: {\"id\":\"a\",\"model\":\"gpt-5\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel"[..],
//!     b"lo\"},\"finish_reason\":null}]}\n\n",
//!     b"data: {\"id\":\"a\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
//!     b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n",
//! ] {
//!     upstream.feed(bytes, &mut events);
//!     for event in events.drain(..) {
//!         client.write(&event, &mut out); // and `out` to the caller
//!     }
//! }
//! upstream.end(Ending::Clean, &mut events); // or `Dropped`, `TimedOut`: told to the caller in its language
//! for event in events.drain(..) {
//!     client.write(&event, &mut out);
//! }
//! assert!(String::from_utf8(out)?.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
//!
//! // 6. What it took. Of a call that broke off, `usage()` is marked `partial`.
//! let usage = upstream.usage();
//! assert_eq!(usage.and_then(|usage| usage.total()), Some(10));
//! assert_eq!(usage.zip(price).and_then(|(usage, price)| price.cost(&usage)), Some(30));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod again;
mod answer;
mod anthropic;
mod chat;
mod client_stream;
mod count;
mod dialect;
mod embeddings;
mod estimate;
mod failure;
mod gathering;
mod gemini;
pub mod guard;
mod json;
mod loss;
mod model;
mod models;
mod ollama;
mod openai;
mod pass_through;
mod plain;
mod price;
mod provider_error;
mod read;
mod responses;
mod signature;
mod sse;
mod stream;
mod surface_error;
mod template;
mod usage;
mod write;

pub use answer::Stamp;
pub use chat::{
    MOST_REQUEST_BYTES, Outgoing, read_chat, read_response, write_chat, write_response,
};
pub use client_stream::ClientStream;
pub use count::{check_count, estimated_count, write_count};
pub use dialect::{Authentication, Call, Dialect, Surface};
pub use embeddings::{
    EmbeddingsInput, EmbeddingsRequest, read_embeddings, translate_embeddings, write_embeddings,
};
pub use estimate::{Estimate, Figures};
pub use failure::{Failure, FailureKind};
pub use gathering::Gathering;
pub use loss::{How, Loss, Losses};
pub use model::*;
pub use models::{Model, write_models};
pub use pass_through::PassThrough;
pub use price::{LongPrice, ModelPrice, PriceError, PriceList};
pub use provider_error::read_error;
pub use signature::holds_foreign_seal;
pub use stream::{Ending, MOST_EVENT_BYTES, UpstreamStream};
pub use surface_error::write_error;
pub use template::{
    FilledPrompt, PromptTemplate, PromptVariable, TemplateError, TextWithVariables,
};
pub use usage::Usage;
