//! What may not go to a model, or come from one: credentials, personal data, and attempts to talk the model out of its instructions.
//!
//! Prompts are prose, code and logs, so rules for HTTP arguments refuse half of them. These detectors look for things of one shape
//! (keys with a prefix, numbers with a check digit) and for acts of speech aimed at the model. Their rates stand in
//! `tests/guard_rates.rs`, on cases that were written for them: they are a floor under what a policy may promise, and no proof.
//!
//! Nothing here is a defence by itself. What a model may do should not depend on what a prompt says.

mod injection;
mod redact;
mod shapes;

pub use injection::{Injection, Signal};
pub use redact::{Redacted, Redaction, StreamRedaction};
pub use shapes::{Class, Finding, Shapes};
