//! Several calls side by side, merged into one answer.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Response, StatusCode};
use lockgate_policy::{Part, Refusal, gateway_reasons as reasons};
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout};

use crate::body::{ReadBody, full, read};
use crate::core::{Core, Generation};
use crate::forward::{Answer, Fields, Prepared, RequestBody, Tried, not_forwarded, send};

/// The largest answer of one part, in bytes.
const MOST: usize = 4 * 1024 * 1024;

/// Asks all parts at once and merges what they answer: `{"<part>": …, "complete": true}`. Numbers and the order of members within
/// a part stay as the service wrote them.
///
/// # Errors
/// A part that is not optional failed.
pub async fn answer(
    core: &Arc<Core>,
    generation: &Generation,
    parts: &[Part],
    variables: &[(&str, &str)],
    prepared: Prepared<'_>,
    seen: &mut Tried,
) -> Result<Answer, Box<Refusal>> {
    let asked = Instant::now();
    seen.since = Some(asked);
    let requests = parts
        .iter()
        .map(|part| for_part(part, variables, &prepared))
        .collect::<Result<Vec<_>, _>>()?;
    let asking = parts
        .iter()
        .zip(requests)
        .map(|(part, request)| async move {
            let mut tried = Tried::default();
            let within = part.within.unwrap_or(Duration::MAX);
            let got = timeout(within, ask(core, generation, part, request, &mut tried)).await;
            (got.unwrap_or(Err("it did not answer in time")), tried)
        });
    let answers = futures_util::future::join_all(asking).await;
    seen.micros = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
    let (mut body, mut complete) = (String::from("{"), true);
    for (part, (got, tried)) in parts.iter().zip(answers) {
        seen.tries += tried.tries;
        let value = match got {
            Ok(value) => value.get().to_owned(),
            Err(_) if part.optional => {
                complete = false;
                part.default.to_string()
            }
            Err(why) => {
                return Err(Box::new(
                    Refusal::new(
                        &reasons::PART_FAILED,
                        format!("the part `{}` is missing: {why}", part.name),
                    )
                    .member("part", &*part.name),
                ));
            }
        };
        let name = serde_json::Value::from(&*part.name);
        body.push_str(&format!("{name}:{value},"));
    }
    body.push_str(&format!("\"complete\":{complete}}}"));
    let (mut head, ()) = Response::new(()).into_parts();
    head.headers
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    drop(prepared);
    Ok(Answer {
        head,
        body: full(Bytes::from(body)),
    })
}

/// The request of one part: a GET with the caller's fields, without those about a body or a range of the whole.
///
/// # Errors
/// The refusal of a path that cannot be forwarded.
fn for_part(
    part: &Part,
    variables: &[(&str, &str)],
    prepared: &Prepared<'_>,
) -> Result<Prepared<'static>, Box<Refusal>> {
    let mut headers = prepared.fields.make();
    for name in [
        "content-type",
        "content-encoding",
        "expect",
        "range",
        "if-range",
        "if-match",
        "if-none-match",
        "if-modified-since",
        "if-unmodified-since",
        // What is merged is read here, so it must come as it is.
        "accept-encoding",
    ] {
        headers.remove(name);
    }
    Ok(Prepared {
        method: Method::GET,
        fields: Fields::Made(headers),
        path: filled(&part.path, variables)
            .parse()
            .map_err(|_| not_forwarded())?,
        key: prepared.key,
        authority: prepared.authority.clone(),
        bounds: prepared.bounds,
        permits: Vec::new(),
        since: prepared.since,
        cache: None,
    })
}

/// A path of a part with the variables of the caller's path in their places. Behind `?` a value is one value: what would begin
/// another parameter there is escaped.
fn filled(template: &str, variables: &[(&str, &str)]) -> String {
    let (path, query) = template.split_once('?').unwrap_or((template, ""));
    let fill = |text: &str, shown: fn(&str) -> Cow<'_, str>| {
        variables
            .iter()
            .fold(text.to_owned(), |text, (name, value)| {
                text.replace(&format!("{{{name}}}"), &shown(value))
            })
    };
    let mut filled = fill(path, |value| Cow::Borrowed(value));
    if !query.is_empty() {
        filled.push('?');
        filled.push_str(&fill(query, |value| {
            // The value is canonical: its escapes stay as they are, and `%` begins nothing else.
            let mut escaped = String::with_capacity(value.len());
            for letter in value.chars() {
                match letter {
                    '&' => escaped.push_str("%26"),
                    '=' => escaped.push_str("%3D"),
                    '+' => escaped.push_str("%2B"),
                    letter => escaped.push(letter),
                }
            }
            Cow::Owned(escaped)
        }));
    }
    filled
}

async fn ask(
    core: &Arc<Core>,
    generation: &Generation,
    part: &Part,
    request: Prepared<'_>,
    tried: &mut Tried,
) -> Result<Box<RawValue>, &'static str> {
    let service = generation
        .upstreams
        .get(&part.upstream)
        .ok_or("nobody answers it")?;
    let answer = send(core, request, RequestBody::Absent, service, tried)
        .await
        .map_err(|_| "its service failed")?;
    if answer.head.status != StatusCode::OK {
        return Err("its service did not answer with 200");
    }
    match read(answer.body, MOST).await {
        Ok(ReadBody::Whole(bytes)) => {
            serde_json::from_slice(&bytes).map_err(|_| "its service did not answer with JSON")
        }
        Ok(ReadBody::TooLarge) => Err("its answer is too large"),
        Err(_) => Err("its service broke off"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_behind_the_question_mark_cannot_begin_another_parameter() {
        let variables = [("sku", "a&limit=9+1%2C"), ("id", "7&x=1")];
        for (template, expected) in [
            ("/o/{id}", "/o/7&x=1"),
            (
                "/o/{id}?limit=3&sku={sku}",
                "/o/7&x=1?limit=3&sku=a%26limit%3D9%2B1%2C",
            ),
            ("/plain", "/plain"),
        ] {
            assert_eq!(filled(template, &variables), expected);
        }
    }
}
