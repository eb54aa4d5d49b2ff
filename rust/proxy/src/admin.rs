//! The admin listener: metrics, health, statistics, reload. It stands on a loopback address, and no route leads to it (H4).

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderValue, ORIGIN};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::control;
use crate::core::Shared;
use crate::metrics;
use crate::reload::{Reloader, Reloading};
use crate::rollout;
use crate::state::State;

/// Connections at a time.
const MOST: usize = 64;

/// Serves until told to stop, which is when the last request of callers has ended: so long it says that the node drains.
pub fn run(
    shared: Arc<Shared>,
    reloader: Arc<Reloader>,
    state: Option<State>,
    socket: std::net::TcpListener,
    mut stopped: watch::Receiver<bool>,
    ready: &mpsc::Sender<std::io::Result<()>>,
) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(error));
            return false;
        }
    };
    runtime.block_on(async {
        let listener = match TcpListener::from_std(socket) {
            Ok(listener) => listener,
            Err(error) => {
                let _ = ready.send(Err(error));
                return false;
            }
        };
        let orders = match reloader.state().map(control::bind).transpose() {
            Ok(orders) => orders,
            Err(error) => {
                let _ = ready.send(Err(error));
                return false;
            }
        };
        let _ = ready.send(Ok(()));
        tokio::spawn(rollout::drive(shared.clone()));
        if let Some(state) = state {
            tokio::spawn(save_forever(state, shared.clone()));
        }
        tokio::spawn(tend_forever(shared.clone(), reloader.clone()));
        if let Some(socket) = orders {
            tokio::spawn(control::listen(socket, shared.clone(), reloader.clone()));
        }
        let places = Arc::new(Semaphore::new(MOST));
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stopped.changed() => return true,
            };
            let (Ok((stream, _)), Ok(place)) = (accepted, places.clone().try_acquire_owned())
            else {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            let (shared, reloader) = (shared.clone(), reloader.clone());
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let (shared, reloader) = (shared.clone(), reloader.clone());
                    async move { Ok::<_, Infallible>(answer(request, shared, reloader).await) }
                });
                let _ = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(Duration::from_secs(10))
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
                drop(place);
            });
        }
    })
}

/// Writes the use of quotas every few seconds: so much is lost at most when the machine goes down.
async fn save_forever(state: State, shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let (state, shared) = (state.clone(), shared.clone());
        // A disk that takes nothing now may take it the next time.
        let _ = tokio::task::spawn_blocking(move || state.save(&shared.counters)).await;
    }
}

/// Looks after the generation that is on trial.
async fn tend_forever(shared: Arc<Shared>, reloader: Arc<Reloader>) {
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let (shared, reloader) = (shared.clone(), reloader.clone());
        let _ = tokio::task::spawn_blocking(move || reloader.tend(&shared)).await;
    }
}

/// What the query of a reload asks for; nothing when it is not understood.
fn reloading(query: Option<&str>) -> Option<Reloading> {
    let mut how = Reloading::default();
    for word in query.into_iter().flat_map(|query| query.split('&')) {
        match word {
            "again" => how.again = true,
            "force" => how.force = true,
            _ => return None,
        }
    }
    Some(how)
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    reloader: Arc<Reloader>,
) -> Response<Full<Bytes>> {
    // A page in a browser on this machine could otherwise ask for anything here (DNS rebinding, cross-site requests).
    if request.headers().contains_key(ORIGIN) || !asks_for_this_machine(&request) {
        return text(
            StatusCode::FORBIDDEN,
            "the admin listener answers programs on this machine\n",
        );
    }
    let request = match rollout::answer(request, &shared, &reloader).await {
        Ok(answer) => return answer,
        Err(request) => request,
    };
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/healthz") => text(StatusCode::OK, "alive\n"),
        (&Method::GET, "/ready") if shared.draining.load(Ordering::Relaxed) => {
            text(StatusCode::SERVICE_UNAVAILABLE, "draining\n")
        }
        (&Method::GET, "/ready") => text(StatusCode::OK, "ready\n"),
        (&Method::GET, "/metrics") => {
            let mut response = text(StatusCode::OK, metrics::prometheus(&shared));
            response.headers_mut().insert(
                CONTENT_TYPE,
                HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
            );
            response
        }
        (&Method::GET, "/stats.json") => json(StatusCode::OK, &reloader.stats(&shared)),
        (&Method::POST, "/reload") => {
            let Some(how) = reloading(request.uri().query()) else {
                return text(
                    StatusCode::BAD_REQUEST,
                    "write /reload, /reload?again, /reload?force or /reload?again&force\n",
                );
            };
            // Compiling takes a while; health is still answered meanwhile.
            let reload = move || reloader.apply(&shared, how);
            let applied = tokio::task::spawn_blocking(reload).await;
            match applied {
                Ok(applied) => {
                    let status = if applied.applied {
                        StatusCode::OK
                    } else {
                        StatusCode::UNPROCESSABLE_ENTITY
                    };
                    let problems: Vec<String> =
                        applied.problems.iter().map(ToString::to_string).collect();
                    json(
                        status,
                        &serde_json::json!({
                            "applied": applied.applied,
                            "id": applied.id,
                            "generation": applied.generation,
                            "reason": applied.reason,
                            "live_ms": applied.live_ms(),
                            "problems": problems,
                        }),
                    )
                }
                Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the reload broke off\n"),
            }
        }
        (&Method::POST, "/purge") => {
            let (mut tag, mut path) = (None, None);
            for (name, value) in
                form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes())
            {
                match &*name {
                    "tag" => tag = Some(value.into_owned()),
                    "path" => path = Some(value.into_owned()),
                    _ => {
                        return text(
                            StatusCode::BAD_REQUEST,
                            "write /purge, /purge?tag=NAME or /purge?path=PATH\n",
                        );
                    }
                }
            }
            if path.is_none() || tag.is_some() {
                shared.kept_answers.purge(tag.clone());
            }
            shared.cache.purge(tag, path);
            text(StatusCode::OK, "purged\n")
        }
        (_, "/healthz" | "/ready" | "/metrics" | "/stats.json" | "/reload" | "/purge") => text(
            StatusCode::METHOD_NOT_ALLOWED,
            "use GET, and POST for /reload and /purge\n",
        ),
        _ => text(
            StatusCode::NOT_FOUND,
            "GET /healthz, /ready, /metrics, /stats.json or /rollout.json, or POST /reload, /purge or /rollout\n",
        ),
    }
}

fn asks_for_this_machine(request: &Request<Incoming>) -> bool {
    let host = request
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok());
    let Some(authority) = host.and_then(|host| host.parse::<http::uri::Authority>().ok()) else {
        return false;
    };
    let host = authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']');
    host == "localhost"
        || host
            .parse()
            .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

pub(crate) fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

pub(crate) fn json(status: StatusCode, body: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = text(status, body.to_string());
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
