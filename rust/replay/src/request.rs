//! A recorded request in the form that policies see.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use lockgate_policy::canonical::canonical_path;
use lockgate_policy::evidence::{Evidence, Recorded};
use lockgate_policy::{ClientCertificate, Fact, RecordedPrompt, Timestamp};
use lockgate_recording::{Event, Verdict};

use crate::spending::Took;
use crate::words::{self, Answer};

/// What stands for a credential in a recorded text.
const MARK: &str = "hmac-sha256:";

/// A recorded request.
#[derive(Debug)]
pub struct Request<'e> {
    pub at: Timestamp,
    /// When its answer had ended, in microseconds.
    pub ended: u64,
    pub method: Method,
    /// The listener that accepted it.
    pub listener: &'e str,
    pub scheme: &'e str,
    pub host: &'e str,
    /// The canonical path; absent when there is none.
    pub path: Option<String>,
    pub query: Option<&'e str>,
    pub version: Version,
    pub headers: HeaderMap,
    pub client: IpAddr,
    pub certificate: Option<ClientCertificate>,
    pub evidence: Arc<[Evidence]>,
    pub introspections: Vec<(Arc<str>, Arc<str>, Fact)>,
    pub body: KnownBody<'e>,
    /// Bytes of the body as they were announced or counted.
    pub body_bytes: Option<u64>,
    /// What it asked of a model.
    pub prompt: Option<Arc<RecordedPrompt>>,
    /// What the model answered.
    pub answer: Answer,
    /// What the call took.
    pub took: Took<'e>,
    /// What each policy said when it was recorded.
    pub verdicts: &'e [Verdict],
}

/// What is known of a recorded body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownBody<'e> {
    /// There was none.
    Absent,
    /// All of it, as it was sent.
    Kept(&'e [u8]),
    /// There was one; what of it is not there.
    NotKept(&'static str),
}

impl<'e> Request<'e> {
    /// Reads an event. Gives the keys of issuers that it recorded beside it.
    pub fn read(event: &'e Event) -> (Self, Vec<(Arc<str>, Fact)>) {
        let mut headers = HeaderMap::with_capacity(event.headers.len());
        for (name, value) in event.headers.iter() {
            // The recorder wrote only fields that hyper had read; what a person changed since is left out.
            if let (Ok(name), Ok(value)) = (
                HeaderName::from_bytes(name.as_bytes()),
                HeaderValue::from_bytes(value.as_bytes()),
            ) {
                headers.append(name, value);
            }
        }
        let announced = headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok());
        let recorded = Recorded::read(&event.facts, event.claims.as_ref());
        let request = Self {
            at: Timestamp(event.at),
            ended: event.at.saturating_add(event.latency_us),
            method: Method::from_bytes(event.method.as_bytes()).unwrap_or_default(),
            listener: &event.listener,
            scheme: &event.scheme,
            host: &event.host,
            path: canonical_path(&event.path)
                .ok()
                .map(std::borrow::Cow::into_owned),
            query: event.query.as_deref(),
            version: match &*event.version {
                "1.0" => Version::HTTP_10,
                "2" => Version::HTTP_2,
                _ => Version::HTTP_11,
            },
            headers,
            client: event.client.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            certificate: recorded.certificate,
            evidence: recorded.evidence.into(),
            introspections: recorded.introspections,
            body: body(event),
            body_bytes: announced.or_else(|| Some(event.bytes_in).filter(|bytes| *bytes > 0)),
            prompt: words::prompt(event),
            answer: Answer::read(event),
            took: Took::read(event),
            verdicts: &event.verdicts,
        };
        (request, recorded.keys)
    }
}

fn body(event: &Event) -> KnownBody<'_> {
    match &event.body {
        _ if !event.has_body => KnownBody::Absent,
        None => KnownBody::NotKept("the body"),
        Some(_) if event.body_truncated => KnownBody::NotKept("the end of the body"),
        // Redaction may also write JSON anew, which a policy could judge otherwise than what was sent.
        Some(text) if text.contains(MARK) || text.len() as u64 != event.bytes_in => {
            KnownBody::NotKept("the body as it was sent, before its credentials were taken out")
        }
        Some(text) => KnownBody::Kept(text.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(event: &Event) -> KnownBody<'_> {
        Request::read(event).0.body
    }

    #[test]
    fn only_a_body_that_is_all_there_is_looked_at() {
        let event = |body: Option<&str>, body_truncated, bytes_in| Event {
            has_body: true,
            body: body.map(Into::into),
            body_truncated,
            bytes_in,
            ..Event::default()
        };
        assert_eq!(
            known(&event(Some("abc"), false, 3)),
            KnownBody::Kept(b"abc")
        );
        for event in [
            event(None, false, 3),
            event(Some("abc"), true, 3),
            event(Some("abc"), false, 5),
            event(Some("hmac-sha256:0123456789abcdef"), false, 28),
        ] {
            assert!(matches!(known(&event), KnownBody::NotKept(_)), "{event:?}");
        }
        assert_eq!(known(&Event::default()), KnownBody::Absent);
    }
}
