//! The line of an event: the JSON that serde makes of it, made faster.
//!
//! A derived serializer looks at each byte of each text and grows its buffer for each piece of punctuation. An event is mostly
//! text in which nothing needs an escape, so here a text is looked at in blocks and copied as a whole.

use serde::Serialize;

use crate::blocks;
use crate::event::{Event, Verdict};
use crate::headers::Headers;

/// Appends the line of `event`, without its end, to `out`.
///
/// # Errors
/// A value that cannot be written as JSON; `out` then holds a part of the line.
pub(crate) fn write(out: &mut Vec<u8>, event: &Event) -> serde_json::Result<()> {
    // Without `..`: a field that is added must be written too.
    let Event {
        v,
        at,
        id,
        node,
        revision,
        listener,
        client,
        method,
        scheme,
        host,
        path,
        query,
        version,
        headers,
        api,
        api_version,
        route,
        application,
        subject,
        claims,
        facts,
        decision,
        code,
        verdicts,
        status,
        grpc_status,
        broke_off,
        upstream,
        target,
        tries,
        bytes_in,
        bytes_out,
        latency_us,
        upstream_us,
        trace_id,
        has_body,
        body,
        body_truncated,
        model_call,
        prompt,
        answer,
    } = event;
    let mut line = Line { out };
    line.raw(b"{\"v\":");
    line.number(u64::from(*v));
    line.raw(b",\"at\":");
    line.number(*at);
    line.text(b",\"id\":", id)?;
    line.text(b",\"node\":", node)?;
    line.text(b",\"revision\":", revision)?;
    line.text(b",\"listener\":", listener)?;
    if let Some(client) = client {
        line.raw(b",\"client\":");
        line.address(client)?;
    }
    line.text(b",\"method\":", method)?;
    line.text(b",\"scheme\":", scheme)?;
    line.text(b",\"host\":", host)?;
    line.text(b",\"path\":", path)?;
    line.optional(b",\"query\":", query.as_deref())?;
    line.text(b",\"version\":", version)?;
    line.headers(headers)?;
    line.optional(b",\"api\":", api.as_deref())?;
    line.optional(b",\"api_version\":", api_version.as_deref())?;
    line.optional(b",\"route\":", route.as_deref())?;
    line.optional(b",\"application\":", application.as_deref())?;
    line.optional(b",\"subject\":", subject.as_deref())?;
    if let Some(claims) = claims {
        line.any(b",\"claims\":", claims)?;
    }
    if !facts.is_empty() {
        line.any(b",\"facts\":", facts)?;
    }
    line.any(b",\"decision\":", decision)?;
    line.optional(b",\"code\":", code.as_deref())?;
    line.verdicts(verdicts)?;
    line.raw(b",\"status\":");
    line.number(u64::from(*status));
    if let Some(status) = grpc_status {
        line.raw(b",\"grpc_status\":");
        line.number(u64::from(*status));
    }
    if *broke_off {
        line.raw(b",\"broke_off\":true");
    }
    line.optional(b",\"upstream\":", upstream.as_deref())?;
    line.optional(b",\"target\":", target.as_deref())?;
    for (name, number) in [
        (&b",\"tries\":"[..], u64::from(*tries)),
        (b",\"bytes_in\":", *bytes_in),
        (b",\"bytes_out\":", *bytes_out),
        (b",\"latency_us\":", *latency_us),
        (b",\"upstream_us\":", *upstream_us),
    ] {
        line.raw(name);
        line.number(number);
    }
    line.optional(b",\"trace_id\":", trace_id.as_deref())?;
    if *has_body {
        line.raw(b",\"has_body\":true");
    }
    line.optional(b",\"body\":", body.as_deref())?;
    if *body_truncated {
        line.raw(b",\"body_truncated\":true");
    }
    if let Some(call) = model_call {
        line.any(b",\"model_call\":", call)?;
    }
    if let Some(prompt) = prompt {
        line.any(b",\"prompt\":", prompt)?;
    }
    if let Some(answer) = answer {
        line.any(b",\"answer\":", answer)?;
    }
    line.raw(b"}");
    Ok(())
}

struct Line<'a> {
    out: &'a mut Vec<u8>,
}

impl Line<'_> {
    fn raw(&mut self, json: &[u8]) {
        self.out.extend_from_slice(json);
    }

    fn number(&mut self, number: u64) {
        let mut digits = itoa::Buffer::new();
        self.raw(digits.format(number).as_bytes());
    }

    /// What is written as serde writes it; `name` is what stands before it.
    fn any(&mut self, name: &[u8], value: &impl Serialize) -> serde_json::Result<()> {
        self.raw(name);
        serde_json::to_writer(&mut *self.out, value)
    }

    fn text(&mut self, name: &[u8], text: &str) -> serde_json::Result<()> {
        if needs_escapes(text.as_bytes()) {
            self.raw(name);
            return serde_json::to_writer(&mut *self.out, text);
        }
        self.out.reserve(name.len() + text.len() + 2);
        self.out.extend_from_slice(name);
        self.out.push(b'"');
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(b'"');
        Ok(())
    }

    fn optional(&mut self, name: &[u8], text: Option<&str>) -> serde_json::Result<()> {
        text.map_or(Ok(()), |text| self.text(name, text))
    }

    fn address(&mut self, address: &std::net::IpAddr) -> serde_json::Result<()> {
        let std::net::IpAddr::V4(address) = address else {
            return serde_json::to_writer(&mut *self.out, address);
        };
        let mut before = b'"';
        for part in address.octets() {
            self.out.push(before);
            self.number(u64::from(part));
            before = b'.';
        }
        self.out.push(b'"');
        Ok(())
    }

    fn headers(&mut self, headers: &Headers) -> serde_json::Result<()> {
        let mut before: &[u8] = b",\"headers\":[[";
        for (name, value) in headers.iter() {
            self.text(before, name)?;
            self.text(b",", value)?;
            before = b"],[";
        }
        if !headers.is_empty() {
            self.raw(b"]]");
        }
        Ok(())
    }

    fn verdicts(&mut self, verdicts: &[Verdict]) -> serde_json::Result<()> {
        let mut before: &[u8] = b",\"verdicts\":[";
        for verdict in verdicts {
            let Verdict {
                id,
                kind,
                scope,
                word,
                code,
                shadow,
                rule,
                found_by,
            } = verdict;
            self.raw(before);
            self.text(b"{\"id\":", id)?;
            self.text(b",\"kind\":", kind)?;
            self.text(b",\"scope\":", scope)?;
            self.text(b",\"word\":", word)?;
            self.optional(b",\"code\":", code.as_deref())?;
            if *shadow {
                self.raw(b",\"shadow\":true");
            }
            self.optional(b",\"rule\":", rule.as_deref())?;
            self.optional(b",\"found_by\":", found_by.as_deref())?;
            self.raw(b"}");
            before = b",";
        }
        if !verdicts.is_empty() {
            self.raw(b"]");
        }
        Ok(())
    }
}

/// Whether JSON writes any of these bytes in another way (RFC 8259 §7).
fn needs_escapes(text: &[u8]) -> bool {
    blocks::holds(text, |byte| byte < 0x20 || byte == b'"' || byte == b'\\')
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
