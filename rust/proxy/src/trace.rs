//! W3C Trace Context (Level 1): the trace that a request belongs to.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use lockgate_config::Percent;

use crate::request_id::RequestId;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The trace of one request, with the gateway's own spans: of the request, and of the call to a service, which services are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// What services are told: `00-<trace id>-<span id>-<flags>` (§3.2).
    parent: [u8; LENGTH],
    continues: bool,
    is_sampled: bool,
    /// The digits of the caller's span, when the trace goes on, and of the request's.
    caller: [u8; SPAN],
    request: [u8; SPAN],
}

/// The ids of the spans of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanIds {
    /// The trace that they belong to.
    pub trace: [u8; 16],
    /// The caller's span, when the caller began the trace.
    pub caller: Option<[u8; 8]>,
    /// The span of the request.
    pub request: [u8; 8],
    /// The span of the call to a service.
    pub call: [u8; 8],
}

/// Which of the traces that begin at the gateway are sampled: those of whose id the last 56 bits, which are random, are at least
/// this. All who sample so, as OpenTelemetry's samplers by trace id do, choose the same traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampler(u64);

impl Sampler {
    /// Samples a share of the traces.
    pub fn of(share: Percent) -> Self {
        const ALL: f64 = (1_u64 << 56) as f64;
        // INVARIANT: a share is from 0 to 100, so this is from 0 to 2^56.
        Self(((1.0 - share.get() / 100.0) * ALL) as u64)
    }

    fn takes(self, trace: &str) -> bool {
        let random = trace.get(trace.len().saturating_sub(14)..);
        let random = random.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        random.is_some_and(|random| random >= self.0)
    }
}

/// Bytes of a `traceparent` of version 00.
const LENGTH: usize = 55;
/// Digits of the id of a span.
const SPAN: usize = 16;

impl Trace {
    /// Continues the caller's trace when its `traceparent` can be read (§3.2.2), else begins one with this id, which no other
    /// request has. The caller's says whether it is sampled; of those that begin here the sampler says it, and without one none is.
    pub fn of(headers: &HeaderMap, id: &RequestId, sampler: Option<Sampler>) -> Self {
        let mut given = headers.get_all(TRACEPARENT).iter();
        let read = match (given.next(), given.next()) {
            (Some(only), None) => only.to_str().ok().and_then(read),
            _ => None,
        };
        let digits = id.as_str();
        let (request, call) = digits.split_at_checked(SPAN).unwrap_or_default();
        let trace_id = read.map_or(digits, |read| read.trace);
        let is_sampled = match read {
            Some(read) => read.is_sampled,
            None => sampler.is_some_and(|sampler| sampler.takes(trace_id)),
        };
        let flags = if is_sampled { "01" } else { "00" };
        let mut parent = [b'-'; LENGTH];
        for (at, part) in [(0, "00"), (3, trace_id), (36, call), (53, flags)] {
            for (place, byte) in parent.iter_mut().skip(at).zip(part.bytes()) {
                *place = byte;
            }
        }
        Self {
            parent,
            continues: read.is_some(),
            is_sampled,
            caller: digits_of(read.map_or("", |read| read.span)),
            request: digits_of(request),
        }
    }

    /// The ids of its spans, when the trace is sampled.
    pub fn sampled(&self) -> Option<SpanIds> {
        if !self.is_sampled {
            return None;
        }
        let part = |from, to| self.parent.get(from..to).unwrap_or_default();
        Some(SpanIds {
            trace: bytes(part(3, 35)),
            caller: self.continues.then(|| bytes(&self.caller)),
            request: bytes(&self.request),
            call: bytes(part(36, 52)),
        })
    }

    /// The id of the trace: 32 hexadecimal digits.
    pub fn id(&self) -> &str {
        let digits = self.parent.get(3..35).unwrap_or_default();
        str::from_utf8(digits).unwrap_or_default()
    }

    /// Writes the trace into the fields of a forwarded request. The state of a trace that does not go on is dropped, and so is one that
    /// cannot be read (§3.3).
    pub fn write(&self, headers: &mut HeaderMap) {
        if !self.continues || !is_state(headers) {
            headers.remove(TRACESTATE);
        }
        if let Ok(value) = HeaderValue::from_bytes(&self.parent) {
            headers.insert(TRACEPARENT, value);
        }
    }
}

/// The most members of a state, over all its lines (§3.3.1.1).
const MOST_MEMBERS: usize = 32;
/// The most characters of a key, and of a value (§3.3.1.3).
const MOST_CHARACTERS: usize = 256;

/// Whether the state of a trace can be read: keys with values, of which one may be empty between two commas.
fn is_state(headers: &HeaderMap) -> bool {
    let is_key =
        |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/' | b'@');
    let is_value = |byte: u8| matches!(byte, b' '..=b'~') && byte != b',' && byte != b'=';
    let fits = |text: &[u8]| (1..=MOST_CHARACTERS).contains(&text.len());
    let mut members = 0;
    headers
        .get_all(TRACESTATE)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
        .all(|member| {
            members += 1;
            let at = member.iter().position(|byte| *byte == b'=').unwrap_or(0);
            let (key, value) = member.split_at(at);
            let value = value.get(1..).unwrap_or_default();
            members <= MOST_MEMBERS
                && fits(key)
                && fits(value)
                && key.iter().all(|byte| is_key(*byte))
                && value.iter().all(|byte| is_value(*byte))
        })
}

/// What a caller's `traceparent` says.
#[derive(Debug, Clone, Copy)]
struct Told<'a> {
    trace: &'a str,
    span: &'a str,
    is_sampled: bool,
}

/// The bytes that pairs of hexadecimal digits stand for.
fn bytes<const N: usize>(digits: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = str::from_utf8(pair).unwrap_or_default();
        *byte = u8::from_str_radix(pair, 16).unwrap_or_default();
    }
    bytes
}

/// The digits of the id of a span; zeros where there is none.
fn digits_of(text: &str) -> [u8; SPAN] {
    let digits = text.as_bytes().try_into();
    digits.unwrap_or([b'0'; SPAN])
}

/// Reads a `traceparent`.
fn read(text: &str) -> Option<Told<'_>> {
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
    well_formed.then_some(Told {
        trace,
        span: parent,
        is_sampled: flags & 1 == 1,
    })
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
        Trace::of(&headers, &RequestId::read(ID), None)
    }

    #[test]
    fn a_trace_that_begins_here_is_sampled_by_its_id_and_another_by_its_flag() {
        let mut headers = HeaderMap::new();
        // The last 56 bits of the id are 0x99aabbccddeeff, which is more than 60 % of them and less than 61 %.
        for (share, expected) in [(0, false), (39, false), (40, true), (100, true)] {
            let sampler = Some(Sampler::of(Percent::whole(share)));
            let trace = Trace::of(&headers, &RequestId::read(ID), sampler);
            assert_eq!(trace.sampled().is_some(), expected, "{share}");
        }
        for (flags, share, expected) in [("00", 100, false), ("01", 0, true), ("03", 0, true)] {
            let text = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
            headers.insert(TRACEPARENT, HeaderValue::try_from(text).unwrap());
            let sampler = Some(Sampler::of(Percent::whole(share)));
            let trace = Trace::of(&headers, &RequestId::read(ID), sampler);
            assert_eq!(trace.sampled().is_some(), expected, "{flags}");
        }
    }

    #[test]
    fn the_span_that_services_are_told_is_the_calls_and_not_the_requests() {
        let trace = trace(&["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]);
        let spans = trace.sampled().unwrap();
        assert_eq!(
            u128::from_be_bytes(spans.trace),
            0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736
        );
        assert_eq!(
            spans.caller.map(u64::from_be_bytes),
            Some(0x00f0_67aa_0ba9_02b7)
        );
        assert_eq!(u64::from_be_bytes(spans.request), 0x0011_2233_4455_6677);
        assert_eq!(u64::from_be_bytes(spans.call), 0x8899_aabb_ccdd_eeff);
        let mut headers = HeaderMap::new();
        trace.write(&mut headers);
        let told = headers[TRACEPARENT].to_str().unwrap();
        assert_eq!(told.split('-').nth(2), Some("8899aabbccddeeff"));
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
    fn a_state_goes_on_as_it_is_or_not_at_all() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let many = |members: usize| {
            let all: Vec<String> = (0..members).map(|member| format!("k{member}=v")).collect();
            all.join(",")
        };
        let long = |letters: usize| format!("a={}", "v".repeat(letters));
        let (most, more, longest, longer) = (many(32), many(33), long(256), long(257));
        for (lines, goes_on) in [
            (vec!["rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"], true),
            (vec!["a=1", "fw529a3039@dt=FfFf; x:y"], true),
            (vec!["a=1,, b=2 ,"], true),
            (vec![""], true),
            (vec![most.as_str()], true),
            (vec![longest.as_str()], true),
            (vec![more.as_str()], false),
            (vec![most.as_str(), "a=1"], false),
            (vec![longer.as_str()], false),
            (vec!["a"], false),
            (vec!["=1"], false),
            (vec!["a="], false),
            (vec!["A=1"], false),
            (vec!["a=1=2"], false),
        ] {
            let mut headers = HeaderMap::new();
            for line in &lines {
                let line = HeaderValue::from_str(line).unwrap();
                headers.append(TRACESTATE, line);
            }
            trace(&[parent]).write(&mut headers);
            assert_eq!(headers.contains_key(TRACESTATE), goes_on, "{lines:?}");
        }
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
