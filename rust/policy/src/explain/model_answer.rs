//! What becomes of the answer of a model.

use bytes::Bytes;
use lockgate_config::Document;
use lockgate_llm::{
    ChatRequest, ClientStream, Dialect, Ending, Stamp, UpstreamStream, read_response,
    write_response,
};

use crate::answer_rules::AnswerGuard;
use crate::chain::{Progress, VerdictRecord, Word};
use crate::kinds::completion_guard::WITHHELD;
use crate::price::dialect_of;
use crate::prompt::Asked;
use crate::verdict::Refusal;

/// The answer of the provider that is asked first, as the caller gets it: judged, and in the caller's language. `None` leaves it as it
/// was written: it is no answer in the provider's language, or nothing changes it.
pub fn model_answer(
    document: &Document,
    progress: &mut Progress,
    text: &Bytes,
) -> Result<Option<Bytes>, Box<Refusal>> {
    let Some((chat, dialect)) = asked(document, progress) else {
        return Ok(None);
    };
    let mut guard = progress.answers.guard();
    let answer = if chat.stream {
        Ok(stream(chat, dialect, &mut guard, text))
    } else {
        whole(chat, dialect, &mut guard, text)
    };
    let told: Vec<VerdictRecord> = guard
        .told()
        .map(|watch| VerdictRecord {
            policy: watch.policy,
            word: Word::Deny,
            code: Some(WITHHELD.code),
            found_by: None,
            tried: false,
        })
        .collect();
    progress.verdicts.extend(told);
    answer
}

fn asked<'a>(document: &Document, progress: &'a Progress) -> Option<(&'a ChatRequest, Dialect)> {
    let prompt = progress.prompt.as_deref()?;
    let Asked::Chat(chat) = &prompt.asked else {
        return None;
    };
    let model = document.models.get(prompt.model.as_deref()?)?;
    let mut targets = model.targets.iter();
    let first = targets.find(|target| target.on.iter().next().is_none())?;
    Some((chat, dialect_of(first.provider)))
}

fn stamp(chat: &ChatRequest) -> Stamp {
    Stamp {
        id: "explained".to_owned(),
        now: 0,
        model: chat.model.clone(),
    }
}

fn whole(
    chat: &ChatRequest,
    dialect: Dialect,
    guard: &mut AnswerGuard,
    text: &Bytes,
) -> Result<Option<Bytes>, Box<Refusal>> {
    let stamp = stamp(chat);
    let Ok(mut response) = read_response(dialect, &stamp.id, text) else {
        return Ok(None);
    };
    let native = chat.surface.native() == Some(dialect);
    if !guard.whole(&mut response)? && native {
        return Ok(None);
    }
    let said = write_response(chat.surface, &response, &stamp, native);
    Ok(said.ok().map(|(said, _)| Bytes::from(said)))
}

fn stream(
    chat: &ChatRequest,
    dialect: Dialect,
    guard: &mut AnswerGuard,
    text: &Bytes,
) -> Option<Bytes> {
    let stamp = stamp(chat);
    let mut upstream = UpstreamStream::new(dialect, &stamp.id);
    let mut client = ClientStream::new(chat.surface, stamp, chat.stream_usage);
    let (mut said, mut passed, mut out) = (Vec::new(), Vec::new(), Vec::new());
    upstream.feed(text, &mut said);
    upstream.end(Ending::Clean, &mut said);
    for event in said {
        guard.event(event, &mut passed);
    }
    if !guard.acts() && chat.surface.native() == Some(dialect) {
        return None;
    }
    for event in &passed {
        client.write(event, &mut out);
    }
    Some(Bytes::from(out))
}
