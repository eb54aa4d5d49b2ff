//! W3C Trace Context (Level 1): the trace that a request belongs to.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use crate::request_id::RequestId;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The trace of one request, with the gateway's own span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// What services are told: `00-<trace id>-<span id>-<flags>` (§3.2).
    parent: [u8; LENGTH],
    continues: bool,
}

/// Bytes of a `traceparent` of version 00.
const LENGTH: usize = 55;

impl Trace {
    /// Continues the caller's trace when its `traceparent` can be read (§3.2.2), else begins one with this id, which no other
    /// request has.
    pub fn of(headers: &HeaderMap, id: &RequestId) -> Self {
        let mut given = headers.get_all(TRACEPARENT).iter();
        let read = match (given.next(), given.next()) {
            (Some(only), None) => only.to_str().ok().and_then(read),
            _ => None,
        };
        let digits = id.as_str();
        let span_id = digits.get(16..).unwrap_or_default();
        let (trace_id, sampled) = read.unwrap_or((digits, false));
        let flags = if sampled { "01" } else { "00" };
        let mut parent = [b'-'; LENGTH];
        for (at, part) in [(0, "00"), (3, trace_id), (36, span_id), (53, flags)] {
            for (place, byte) in parent.iter_mut().skip(at).zip(part.bytes()) {
                *place = byte;
            }
        }
        Self {
            parent,
            continues: read.is_some(),
        }
    }

    /// The id of the trace: 32 hexadecimal digits.
    pub fn id(&self) -> &str {
        let digits = self.parent.get(3..35).unwrap_or_default();
        str::from_utf8(digits).unwrap_or_default()
    }

    /// Writes the trace into the fields of a forwarded request. The state of a trace that does not go on is dropped (§3.3).
    pub fn write(&self, headers: &mut HeaderMap) {
        if !self.continues {
            headers.remove(TRACESTATE);
        }
        if let Ok(value) = HeaderValue::from_bytes(&self.parent) {
            headers.insert(TRACEPARENT, value);
        }
    }
}

/// The trace id and whether the trace is sampled.
fn read(text: &str) -> Option<(&str, bool)> {
    let mut parts = text.split('-');
    let (version, trace, parent, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |part: &str, digits: usize| {
        part.len() == digits
            && part
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let zero = |part: &str| part.bytes().all(|byte| byte == b'0');
    // Later versions may add parts; this one has four (§3.2.4).
    let well_formed = hex(version, 2)
        && version != "ff"
        && (version != "00" || parts.next().is_none())
        && hex(trace, 32)
        && !zero(trace)
        && hex(parent, 16)
        && !zero(parent)
        && hex(flags, 2);
    let flags = u8::from_str_radix(flags, 16).ok()?;
    well_formed.then_some((trace, flags & 1 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00112233445566778899aabbccddeeff";

    fn trace(values: &[&str]) -> Trace {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                TRACEPARENT,
                HeaderValue::from_str(value).unwrap_or_else(|_| panic!("{value}")),
            );
        }
        Trace::of(&headers, &RequestId::read(ID))
    }

    #[test]
    fn a_trace_goes_on_with_a_span_of_the_gateway() {
        let trace = trace(&["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]);
        let mut headers = HeaderMap::new();
        headers.insert(TRACESTATE, HeaderValue::from_static("a=1"));
        trace.write(&mut headers);
        assert_eq!(
            headers
                .get(TRACEPARENT)
                .and_then(|value| value.to_str().ok()),
            Some("00-4bf92f3577b34da6a3ce929d0e0e4736-8899aabbccddeeff-01")
        );
        assert!(headers.contains_key(TRACESTATE));
    }

    #[test]
    fn what_cannot_be_read_begins_a_trace_and_drops_its_state() {
        for bad in [
            vec![],
            vec!["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x"],
            vec!["ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
            vec!["00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"],
            vec!["00-00000000000000000000000000000000-00f067aa0ba902b7-01"],
            vec!["00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"],
            vec!["garbage"],
            vec![
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            ],
        ] {
            let trace = trace(&bad);
            assert_eq!(trace.id(), ID, "{bad:?}");
            let mut headers = HeaderMap::new();
            headers.insert(TRACESTATE, HeaderValue::from_static("a=1"));
            trace.write(&mut headers);
            assert!(!headers.contains_key(TRACESTATE), "{bad:?}");
        }
    }
}

#[cfg(test)]
#[path = "trace_fuzz.rs"]
mod fuzz;
