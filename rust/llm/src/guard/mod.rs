//! What may not go to a model, or come from one: credentials, personal data, and attempts to talk the model out of its instructions.
//!
//! Prompts are prose, code and logs, so rules for HTTP arguments refuse half of them. These detectors look for things of one shape
//! (keys with a prefix, numbers with a check digit) and for acts of speech aimed at the model.
//!
//! | measured in `tests/guard_rates.rs` | found | refused of daily questions |
//! |---|---|---|
//! | secrets and personal data of known shapes | 20 of 20 | 0 of 24 |
//! | injections in forms that the phrases were written for | 30 of 30 | 0 of 64 |
//! | injections written afterwards | 7 of 14 | 0 of 14 |
//!
//! Nothing here is a defence by itself. What a model may do should not depend on what a prompt says.

mod answer;
mod finding;
mod held;
mod injection;
mod redact;
mod shapes;
mod texts;
mod transcript;

pub use answer::{AnswerFilter, Banned, Withheld};
pub use finding::{Class, Finding};
pub use injection::{Injection, Signal};
pub use redact::{Redacted, Redaction, StreamRedaction, StreamRestoration};
pub use shapes::Shapes;
pub use transcript::Transcript;

#[cfg(test)]
#[path = "guard_fuzz.rs"]
mod fuzz;
