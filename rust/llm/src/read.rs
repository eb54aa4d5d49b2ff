//! What readers of requests share.

use serde_json::Value;

use crate::failure::Failure;
use crate::json::Fields;
use crate::model::{Part, Tool};

/// The turns of a conversation, which must be there.
pub(crate) fn messages(fields: &mut Fields) -> Result<Vec<Value>, Failure> {
    let messages = fields.list("messages")?;
    messages.ok_or_else(|| Failure::invalid("messages", "`messages` is missing"))
}

/// The tools, each as `read` takes it with its number.
pub(crate) fn tools(
    fields: &mut Fields,
    read: impl Fn(Value, usize) -> Result<Tool, Failure>,
) -> Result<Option<Vec<Tool>>, Failure> {
    let Some(tools) = fields.list("tools")? else {
        return Ok(None);
    };
    let tools = tools.into_iter().enumerate();
    tools
        .map(|(n, tool)| read(tool, n))
        .collect::<Result<_, _>>()
        .map(Some)
}

/// The content of the message at `place`: a text, or pieces, each as `read` takes it with its place.
pub(crate) fn content(
    content: Option<Value>,
    place: &str,
    read: impl Fn(Value, String) -> Result<Part, Failure>,
) -> Result<Vec<Part>, Failure> {
    match content {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![Part::text(text)]),
        Some(Value::Array(list)) => list
            .into_iter()
            .enumerate()
            .map(|(n, part)| read(part, format!("{place}.content[{n}]")))
            .collect(),
        Some(_) => Err(Failure::invalid(
            format!("{place}.content"),
            format!("`{place}.content` is neither text nor a list"),
        )),
    }
}
