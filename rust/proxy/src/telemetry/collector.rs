//! One export over HTTP.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;

use super::plan::PATH;
use crate::upstream::{Forbidden, Service, connect};

/// How long an export may take.
const WITHIN: Duration = Duration::from_secs(10);
/// The most of an answer that is read, in bytes.
const MOST: usize = 64 * 1024;
/// The most that is kept of what a collector says, in characters.
const MOST_SAID: usize = 200;
const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");
const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("lockgate/", env!("CARGO_PKG_VERSION")));

/// A collector, and the connection to it.
pub struct Collector {
    service: Service,
    headers: HeaderMap,
    forbidden: Forbidden,
    link: Option<SendRequest<Full<Bytes>>>,
}

/// Spans that a collector refused of an export that it took, and why.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// How many.
    pub spans: u64,
    /// Why.
    pub why: String,
}

/// Why a collector did not take an export.
#[derive(Debug, PartialEq, Eq)]
pub enum Failed {
    /// It may take it later: why it did not, and after how long it said to come again.
    ForNow(String, Option<Duration>),
    /// It will not.
    ForEver(String),
}

impl Collector {
    /// A collector; nothing is connected yet.
    pub const fn new(service: Service, headers: HeaderMap, forbidden: Forbidden) -> Self {
        Self {
            service,
            headers,
            forbidden,
            link: None,
        }
    }

    /// Sends an export, and gives what was refused of it.
    ///
    /// # Errors
    /// It was not taken.
    pub async fn export(&mut self, body: Bytes) -> Result<Refused, Failed> {
        let late = || Failed::ForNow("the collector did not answer in time".to_owned(), None);
        tokio::time::timeout(WITHIN, self.exchange(body))
            .await
            .unwrap_or_else(|_| Err(late()))
    }

    async fn exchange(&mut self, body: Bytes) -> Result<Refused, Failed> {
        let mut link = match self.kept().await {
            Some(link) => link,
            None => self.connect().await?,
        };
        let request = self.request(body)?;
        let broke = |error: hyper::Error| for_now(format!("the collector broke off: {error}"));
        let answer = link.send_request(request).await.map_err(broke)?;
        let (status, after) = (answer.status(), retry_after(answer.headers()));
        let said = Limited::new(answer.into_body(), MOST).collect().await;
        let said = said.map_err(|error| for_now(format!("the collector broke off: {error}")))?;
        self.link = Some(link);
        if status.is_success() {
            return Ok(refused(said.to_bytes()));
        }
        let why = format!("the collector answered with {}", status.as_u16());
        // OTLP 1.x, "Failures" of OTLP/HTTP: these are sent again, and no others.
        match status {
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Err(Failed::ForNow(why, after)),
            _ => Err(Failed::ForEver(why)),
        }
    }

    /// The connection of the last export, as long as the collector keeps it.
    async fn kept(&mut self) -> Option<SendRequest<Full<Bytes>>> {
        let mut link = self.link.take()?;
        link.ready().await.ok()?;
        Some(link)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Failed> {
        let unreached = |error: &dyn std::fmt::Display| {
            for_now(format!("the collector cannot be reached: {error}"))
        };
        let target = self.service.first();
        let target = target.ok_or_else(|| unreached(&"it has no address"))?;
        let connecting = connect(&self.service, target, self.forbidden);
        let within = self.service.timeouts.connect.get();
        let (transport, _) = tokio::time::timeout(within, connecting)
            .await
            .map_err(|_| unreached(&"no connection in time"))?
            .map_err(|error| unreached(&error))?;
        let (link, connection) = http1::handshake(TokioIo::new(transport))
            .await
            .map_err(|error| unreached(&error))?;
        tokio::spawn(connection);
        Ok(link)
    }

    fn request(&self, body: Bytes) -> Result<Request<Full<Bytes>>, Failed> {
        let (prefix, host) = match self.service.first() {
            Some(target) => (&*target.prefix, target.host.clone()),
            None => ("", HeaderValue::from_static("")),
        };
        let mut request = Request::post(format!("{prefix}{PATH}"))
            .body(Full::new(body))
            .map_err(|error| Failed::ForEver(error.to_string()))?;
        let headers = request.headers_mut();
        headers.extend(self.headers.clone());
        headers.insert(HOST, host);
        headers.insert(CONTENT_TYPE, PROTOBUF);
        headers.insert(USER_AGENT, AGENT);
        Ok(request)
    }
}

const fn for_now(why: String) -> Failed {
    Failed::ForNow(why, None)
}

/// What an answer says of spans that were not taken. One that cannot be read says nothing of them.
fn refused(said: Bytes) -> Refused {
    let answer = ExportTraceServiceResponse::decode(said).unwrap_or_default();
    let refused = answer.partial_success.unwrap_or_default();
    Refused {
        spans: u64::try_from(refused.rejected_spans).unwrap_or_default(),
        why: printable(&refused.error_message),
    }
}

/// The start of a text, without what would do something to a terminal.
fn printable(text: &str) -> String {
    let letters = text.chars().filter(|letter| !letter.is_control());
    letters.take(MOST_SAID).collect()
}

/// `Retry-After` (RFC 9110 §10.2.3): seconds, or a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    // One that has passed says to come at once.
    let left = date.timestamp().duration_since(Timestamp::now());
    Some(Duration::try_from(left).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::try_from(text).unwrap());
        retry_after(&headers)
    }

    #[test]
    fn a_collector_says_when_to_come_again_in_seconds_or_with_a_date() {
        assert_eq!(after("7"), Some(Duration::from_secs(7)));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let far = after("Fri, 01 Jan 2100 00:00:00 GMT").unwrap();
        assert!(far > Duration::from_secs(86_400 * 365), "{far:?}");
        for text in ["", "soon", "-1", "1.5"] {
            assert_eq!(after(text), None, "{text}");
        }
    }

    #[test]
    fn an_answer_that_cannot_be_read_refuses_nothing() {
        assert_eq!(refused(Bytes::from_static(b"<html>")), Refused::default());
    }

    #[test]
    fn what_a_collector_says_can_be_printed() {
        let said = printable(&format!("no\u{1b}[2J {}", "x".repeat(1_000)));
        assert!(said.starts_with("no[2J x"), "{said}");
        assert_eq!(said.len(), MOST_SAID);
    }
}
