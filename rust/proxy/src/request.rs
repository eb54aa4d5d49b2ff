//! A request as it arrived, read once in the one way that policies and services share.

use std::borrow::Cow;

use http::header::{HOST, HeaderMap};
use http::uri::Authority;
use http::{Uri, Version, request::Parts};
use lockgate_policy::canonical::{canonical_path, is_host_and_port};
use lockgate_policy::{Refusal, gateway_reasons as reasons};

/// Where a request goes.
#[derive(Debug)]
pub struct Arrived<'a> {
    /// The host that was asked for, in lower case, with its port. HTTP/1.0 can do without.
    pub authority: Option<Authority>,
    /// The canonical path.
    pub path: Cow<'a, str>,
    /// How long the host is, with which `authority` begins: finding that out anew costs more than anything else about it.
    host: usize,
}

impl Arrived<'_> {
    /// The host without its port; empty when there is none.
    pub fn host(&self) -> &str {
        let authority = self.authority.as_ref().map_or("", Authority::as_str);
        authority.get(..self.host).unwrap_or_default()
    }
}

/// Reads host and path.
///
/// # Errors
/// The refusal of a request that can be read in two ways.
pub fn read(head: &Parts) -> Result<Arrived<'_>, Box<Refusal>> {
    let authority = authority(&head.uri, &head.headers, head.version)?;
    let path = canonical_path(head.uri.path())
        .map_err(|error| Box::new(Refusal::new(&reasons::BAD_PATH, error.to_string())))?;
    let host = authority
        .as_ref()
        .map_or(0, |found| host_length(found.as_str()));
    Ok(Arrived {
        authority,
        path,
        host,
    })
}

/// How long the host is with which an authority begins.
// INVARIANT: it is a host and perhaps a port: no user name stands before them.
fn host_length(authority: &str) -> usize {
    let bytes = authority.as_bytes();
    let end = match bytes.first() {
        // An IPv6 address has colons of its own (RFC 3986 §3.2.2).
        Some(b'[') => memchr::memchr(b']', bytes).map(|at| at + 1),
        _ => memchr::memchr(b':', bytes),
    };
    end.unwrap_or(bytes.len())
}

/// The host that the request is for (RFC 9110 §7.2, RFC 9112 §3.2): one, and the same wherever it stands.
fn authority(
    uri: &Uri,
    headers: &HeaderMap,
    version: Version,
) -> Result<Option<Authority>, Box<Refusal>> {
    let malformed = |detail: &'static str| Box::new(Refusal::new(&reasons::MALFORMED, detail));
    let mut fields = headers.get_all(HOST).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return Err(malformed("the request has more than one `Host`"));
    }
    let field = match field.map(|value| value.to_str()) {
        None => None,
        Some(Ok(text)) => Some(
            text.parse::<Authority>()
                .map_err(|_| malformed("`Host` is not a host"))?,
        ),
        Some(Err(_)) => return Err(malformed("`Host` is not a host")),
    };
    let authority = match (uri.authority(), field.as_ref()) {
        (Some(target), Some(field)) if !target.as_str().eq_ignore_ascii_case(field.as_str()) => {
            return Err(malformed("`Host` is not the host of the request target"));
        }
        (Some(authority), _) | (None, Some(authority)) => authority.clone(),
        (None, None) if version == Version::HTTP_10 => return Ok(None),
        (None, None) => return Err(malformed("the request has no `Host`")),
    };
    let text = authority.as_str();
    if text.contains('@') {
        return Err(malformed("`Host` holds a user name"));
    }
    if !is_host_and_port(&authority) {
        return Err(malformed("`Host` is not a host"));
    }
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        let lower = text.to_ascii_lowercase().parse();
        return lower
            .map(Some)
            .map_err(|_| malformed("`Host` is not a host"));
    }
    Ok(Some(authority))
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "request_fuzz.rs"]
mod fuzz;
