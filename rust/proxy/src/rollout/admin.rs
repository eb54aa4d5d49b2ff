//! The admin listener's part: `GET /rollout.json`, `POST /rollout` and the commands below it.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use lockgate_rollout::Command;
use serde_json::json;

use super::asked::{Asked, NotBegun};
use crate::admin::{json as json_answer, text};
use crate::core::Shared;
use crate::reload::Reloader;

/// The longest body of `POST /rollout`.
const MOST_BYTES: usize = 1 << 20;

/// Answers what is about rollouts; gives the request back when it is about something else.
pub async fn answer(
    request: Request<Incoming>,
    shared: &Arc<Shared>,
    reloader: &Arc<Reloader>,
) -> Result<Response<Full<Bytes>>, Request<Incoming>> {
    let command = match request.uri().path() {
        "/rollout.json" if request.method() == Method::GET => {
            return Ok(status(shared, StatusCode::OK, &[]));
        }
        "/rollout" if request.method() == Method::POST => {
            return Ok(begin(request, shared, reloader).await);
        }
        "/rollout/promote" => Command::Promote,
        "/rollout/pause" => Command::Pause,
        "/rollout/resume" => Command::Start,
        "/rollout/abort" => Command::Abort,
        "/rollout.json" | "/rollout" => {
            return Ok(text(
                StatusCode::METHOD_NOT_ALLOWED,
                "GET /rollout.json, or POST /rollout\n",
            ));
        }
        _ => return Err(request),
    };
    if request.method() != Method::POST {
        return Ok(text(StatusCode::METHOD_NOT_ALLOWED, "use POST\n"));
    }
    Ok(match shared.rollouts.command(shared, command) {
        Ok(()) => status(shared, StatusCode::OK, &[]),
        Err(error) => text(StatusCode::CONFLICT, format!("{error}\n")),
    })
}

fn status(shared: &Shared, code: StatusCode, problems: &[String]) -> Response<Full<Bytes>> {
    let rollout = shared.rollouts.status(shared);
    json_answer(code, &json!({ "rollout": rollout, "problems": problems }))
}

async fn begin(
    request: Request<Incoming>,
    shared: &Arc<Shared>,
    reloader: &Arc<Reloader>,
) -> Response<Full<Bytes>> {
    let body = match Limited::new(request.into_body(), MOST_BYTES)
        .collect()
        .await
    {
        Ok(body) => body.to_bytes(),
        Err(_) => {
            return text(
                StatusCode::BAD_REQUEST,
                "the body did not come, or has more than 1 MiB\n",
            );
        }
    };
    let asked: Asked = match serde_json::from_slice(&body) {
        Ok(asked) => asked,
        Err(error) => return text(StatusCode::BAD_REQUEST, format!("{error}\n")),
    };
    // Compiling takes a while; commands and health are answered meanwhile.
    let (node, reading) = (shared.clone(), reloader.clone());
    let begun = tokio::task::spawn_blocking(move || reading.begin_rollout(&node, asked)).await;
    match begun {
        Ok(Ok(warnings)) => {
            let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
            status(shared, StatusCode::OK, &warnings)
        }
        Ok(Err(NotBegun::Problems(found))) => {
            let problems: Vec<String> = found.iter().map(ToString::to_string).collect();
            status(shared, StatusCode::UNPROCESSABLE_ENTITY, &problems)
        }
        Ok(Err(error @ (NotBegun::Runs(_) | NotBegun::Same))) => {
            text(StatusCode::CONFLICT, format!("{error}\n"))
        }
        Ok(Err(error)) => text(StatusCode::BAD_REQUEST, format!("{error}\n")),
        Err(_) => text(
            StatusCode::INTERNAL_SERVER_ERROR,
            "reading the candidate broke off\n",
        ),
    }
}
