//! A request as it arrived, read once in the one way that policies and services share.

use std::borrow::Cow;

use http::header::{HOST, HeaderMap};
use http::uri::Authority;
use http::{Uri, Version, request::Parts};
use lockgate_policy::canonical::{canonical_path, is_host_and_port};
use lockgate_policy::{Refusal, gateway_reasons as reasons};

/// Where a request goes.
#[derive(Debug)]
pub struct Arrived {
    /// The host in lower case, without port.
    pub host: String,
    /// The host as it was asked for, with its port.
    pub authority: String,
    /// The canonical path.
    pub path: String,
}

/// Reads host and path.
///
/// # Errors
/// The refusal of a request that can be read in two ways.
pub fn read(head: &Parts) -> Result<Arrived, Box<Refusal>> {
    let authority = authority(&head.uri, &head.headers, head.version)?;
    let path = canonical_path(head.uri.path())
        .map_err(|error| Box::new(Refusal::new(&reasons::BAD_PATH, error.to_string())))?;
    Ok(Arrived {
        host: authority
            .as_ref()
            .map(|authority| authority.host().to_ascii_lowercase())
            .unwrap_or_default(),
        authority: authority
            .map(|authority| authority.to_string())
            .unwrap_or_default(),
        path: path.into_owned(),
    })
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
    if authority.as_str().contains('@') {
        return Err(malformed("`Host` holds a user name"));
    }
    if !is_host_and_port(&authority) {
        return Err(malformed("`Host` is not a host"));
    }
    Ok(Some(authority))
}

/// The query without the parameters called `names`; what stays is forwarded byte for byte.
pub fn query_without<'a>(query: &'a str, names: &[std::sync::Arc<str>]) -> Cow<'a, str> {
    if names.is_empty() {
        return Cow::Borrowed(query);
    }
    // Names are compared decoded: `api%5Fkey` is `api_key` for a service too.
    let stays = |pair: &&str| {
        let name = form_urlencoded::parse(pair.as_bytes())
            .next()
            .map(|(name, _)| name);
        !name.is_some_and(|name| names.iter().any(|removed| **removed == *name))
    };
    Cow::Owned(query.split('&').filter(stays).collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "request_fuzz.rs"]
mod fuzz;
