//! A request that asks for another protocol.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use lockgate_policy::{Permit, Refusal, gateway_reasons as reasons};
use tokio::time::Instant;

use super::send::{Carried, failed, fared, not_chosen, request, streaming};
use super::{Answer, Prepared, Tried};
use crate::body::full;
use crate::core::Core;
use crate::hygiene;
use crate::upgrade;
use crate::upstream::{Chosen, Fared, Lease, Pools, Service};

/// Sends a request that asks for another protocol, and carries bytes both ways when the service agrees.
///
/// # Errors
/// The refusal that stands in for the answer.
pub async fn change(
    core: &Arc<Core>,
    mut prepared: Prepared<'_>,
    (caller, protocol): (OnUpgrade, HeaderValue),
    service: &Arc<Service>,
    seen: &mut Tried,
) -> Result<Answer, Box<Refusal>> {
    let mut chosen = service.choose(prepared.key, &[]).map_err(not_chosen)?;
    seen.tries = 1;
    seen.target = Some(chosen.target.clone());
    let mut request = request(&prepared, service, &chosen, full(Bytes::new()))?;
    upgrade::ask(request.headers_mut(), protocol);
    let asked = Instant::now();
    seen.since = Some(asked);
    let sending = Pools::send_alone(core, service, &chosen.target, request);
    let sent = tokio::time::timeout(service.timeouts.first_byte.get(), sending).await;
    let took = asked.elapsed();
    let refusal = match sent {
        Ok(Ok(answer)) => {
            chosen.report(fared(answer.status()), took);
            let held = (std::mem::take(&mut prepared.permits), chosen);
            return changed(answer, caller, service, held, prepared.since);
        }
        Ok(Err(error)) => failed(error, &mut Carried::Absent).refusal,
        Err(_) => Refusal::new(
            &reasons::UPSTREAM_TIMEOUT,
            "the service did not answer in time",
        ),
    };
    chosen.report(Fared::Badly, took);
    Err(Box::new(refusal))
}

fn changed(
    mut answer: Response<Incoming>,
    caller: OnUpgrade,
    service: &Service,
    held: (Vec<Permit>, Chosen),
    since: Instant,
) -> Result<Answer, Box<Refusal>> {
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(streaming(answer, Lease::none(), service, held, since));
    }
    let protocol = answer.headers().get(header::UPGRADE).cloned();
    let protocol = protocol
        .filter(|name| name.as_bytes().eq_ignore_ascii_case(b"websocket"))
        .ok_or_else(|| {
            Box::new(Refusal::new(
                &reasons::UPSTREAM_FAILED,
                "the service changed to a protocol that was not asked for",
            ))
        })?;
    let to_service = hyper::upgrade::on(&mut answer);
    let idle = service.timeouts.idle.get();
    tokio::spawn(upgrade::carry(caller, to_service, idle, held));
    let (mut head, _) = answer.into_parts();
    hygiene::drop_connection_fields(&mut head.headers);
    head.version = http::Version::default();
    upgrade::ask(&mut head.headers, protocol);
    Ok(Answer {
        head,
        body: full(Bytes::new()),
    })
}
