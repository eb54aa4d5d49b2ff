//! A plain answer, piece by piece: events of text, and one at the end.

use crate::answer::{Stamp, kind_of};
use crate::json::object;
use crate::loss::Losses;
use crate::model::{Delta, Event, Finish};
use crate::plain::response::{about, problem};
use crate::sse;
use crate::usage::Usage;

/// Writes events.
#[derive(Debug)]
pub(crate) struct Writer {
    model: String,
    stamp: Stamp,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

impl Writer {
    pub(crate) fn new(stamp: Stamp) -> Self {
        Self {
            model: stamp.model.clone(),
            stamp,
            finish: None,
            usage: None,
        }
    }

    pub(crate) fn event(&mut self, event: &Event, losses: &mut Losses, out: &mut Vec<u8>) {
        match event {
            Event::Start { model, .. } => self.model = self.stamp.model(model).to_owned(),
            Event::Delta {
                candidate: 0,
                delta,
            } => write_delta(delta, losses, out),
            Event::Finish {
                candidate: 0,
                finish,
            } => self.finish = Some(finish.clone()),
            Event::Delta { .. } | Event::Finish { .. } => losses.dropped("answer.candidates"),
            Event::Usage(usage) => self.usage.get_or_insert_default().update(usage),
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::End => {
                let about = about(self.finish.as_ref(), &self.model, self.usage.as_ref());
                sse::write(Some("end"), &about, out);
            }
            Event::Failed(failure) => sse::write(Some("error"), &problem(failure), out),
        }
    }
}

fn write_delta(delta: &Delta, losses: &mut Losses, out: &mut Vec<u8>) {
    match delta {
        Delta::Text(text) | Delta::Refusal(text) => {
            sse::write(None, &object! {"text": text.as_str()}, out);
        }
        Delta::Thinking(_) | Delta::Redacted(_) => losses.dropped("answer.thinking"),
        // A seal is of use to nobody who does not send it back.
        Delta::Signature { .. } => {}
        Delta::ToolStart { .. } | Delta::ToolArguments { .. } => {
            losses.dropped("answer.tool_calls");
        }
        Delta::Other(part) => losses.dropped(format!("answer.{}", kind_of(part))),
    }
}
