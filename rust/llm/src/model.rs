//! A chat in one form, whichever dialect it came in. Nothing is lost that can be kept: what no field knows stands under `extra` with
//! the place it had, an explicit 0 or empty list is not absence, and numbers stay as they were written.

mod event;
mod message;
mod request;
mod response;
mod tool;

pub use event::{Delta, Event};
pub use message::{
    Media, MediaKind, Message, Origin, Part, Role, Signature, Source, Text, Thinking, ToolCall,
    ToolResult,
};
pub use request::{ChatRequest, Format, Reasoning};
pub use response::{Candidate, ChatResponse, Finish, FinishReason};
pub use tool::{Function, Tool, ToolChoice};
