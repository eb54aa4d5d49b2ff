//! Several calls side by side, merged into one answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, Response, StatusCode};
use lockgate_policy::{Part, Refusal, gateway_reasons as reasons};
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout};

use crate::body::{ReadBody, full, read};
use crate::core::{Core, Generation};
use crate::forward::{Answer, Prepared, RequestBody, Tried, send};

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
    prepared: Prepared,
    seen: &mut Tried,
) -> Result<Answer, Box<Refusal>> {
    let asked = Instant::now();
    let asking = parts.iter().map(|part| {
        let request = for_part(part, variables, &prepared);
        async move {
            let mut tried = Tried::default();
            let within = part.within.unwrap_or(Duration::MAX);
            let got = timeout(within, ask(core, generation, part, request, &mut tried)).await;
            (got.unwrap_or(Err("it did not answer in time")), tried)
        }
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
fn for_part(part: &Part, variables: &[(&str, &str)], prepared: &Prepared) -> Prepared {
    let mut headers: HeaderMap = prepared.headers.clone();
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
    let mut path = part.path.to_string();
    for (name, value) in variables {
        path = path.replace(&format!("{{{name}}}"), value);
    }
    Prepared {
        method: Method::GET,
        headers,
        path,
        key: prepared.key,
        authority: prepared.authority.clone(),
        bounds: prepared.bounds,
        permits: Vec::new(),
        since: prepared.since,
        cache: None,
    }
}

async fn ask(
    core: &Arc<Core>,
    generation: &Generation,
    part: &Part,
    request: Prepared,
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
