//! Connections that change their protocol, such as WebSocket (RFC 9110 §7.8, RFC 6455).

use std::time::Duration;

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Version, request::Parts};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The protocol that a caller asks for. Only HTTP/1.1 requests without a body can change it; others are served as if they had
/// not asked (RFC 9110 §7.8).
pub fn wanted(head: &Parts) -> Option<HeaderValue> {
    let names_it = head
        .headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|option| option.trim().eq_ignore_ascii_case("upgrade"));
    let protocol = head.headers.get(header::UPGRADE)?;
    // The gateway changes to what it has checked alone: h2c would carry requests past the policies.
    let known = protocol.as_bytes().eq_ignore_ascii_case(b"websocket");
    (names_it && known && head.version == Version::HTTP_11 && head.method == Method::GET)
        .then(|| protocol.clone())
}

/// Asks for the protocol in the fields of one connection.
pub fn ask(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, protocol);
}

/// Carries bytes both ways until one side ends, or neither says anything for `idle`. `held` is kept as long.
pub async fn carry<T>(
    caller: OnUpgrade,
    service: OnUpgrade,
    idle: Duration,
    held: T,
) -> (u64, u64) {
    let (Ok(caller), Ok(service)) = (caller.await, service.await) else {
        drop(held);
        return (0, 0);
    };
    let (mut from_caller, mut to_caller) = tokio::io::split(TokioIo::new(caller));
    let (mut from_service, mut to_service) = tokio::io::split(TokioIo::new(service));
    let moved = (
        std::sync::atomic::AtomicU64::new(0),
        std::sync::atomic::AtomicU64::new(0),
    );
    let up = copy(&mut from_caller, &mut to_service, &moved.0);
    let down = copy(&mut from_service, &mut to_caller, &moved.1);
    let watch = async {
        let count = || {
            moved.0.load(std::sync::atomic::Ordering::Relaxed)
                + moved.1.load(std::sync::atomic::Ordering::Relaxed)
        };
        let mut known = count();
        loop {
            tokio::time::sleep(idle).await;
            let moved = count();
            if moved == known {
                return;
            }
            known = moved;
        }
    };
    tokio::select! {
        _ = async { tokio::join!(up, down) } => {}
        () = watch => {}
    }
    drop(held);
    (moved.0.into_inner(), moved.1.into_inner())
}

async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    moved: &std::sync::atomic::AtomicU64,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let Some(piece) = buffer.get(..read) else {
            break;
        };
        if to.write_all(piece).await.is_err() {
            break;
        }
        moved.fetch_add(read as u64, std::sync::atomic::Ordering::Relaxed);
    }
    let _ = to.shutdown().await;
}
