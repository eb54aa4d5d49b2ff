//! Which fields pass, and which the gateway writes itself (H6, H7).

use std::borrow::Cow;
use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::trace::Trace;

/// Fields that belong to one connection (RFC 9110 §7.6.1) and are never forwarded.
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// The field that says where a body ends, besides those of the connection.
const LENGTH: &str = "content-length";

/// Fields that tell a service who calls. A caller cannot write them: what arrives is removed, and the gateway writes its own.
const WRITTEN_BY_THE_GATEWAY: &[&str] = &[
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-real-ip",
    "x-lockgate-application",
    "x-lockgate-subject",
    "x-lockgate-request-id",
];

/// Who calls, as services are told.
pub struct Caller<'a> {
    /// The address that policies saw.
    pub address: IpAddr,
    /// The host that the caller asked for.
    pub host: &'a str,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The application, when it is known.
    pub application: Option<&'a str>,
    /// The id of the request.
    pub request_id: &'a str,
    /// The trace that the request belongs to.
    pub trace: &'a Trace,
    /// The name of the gateway in `Via`.
    pub via: &'a str,
}

/// Removes what a caller may not send to a service. Runs before any policy adds a field, so that the `Connection` of a caller
/// cannot name, and so remove, what the gateway writes.
pub fn clean_request(headers: &mut HeaderMap) {
    drop_connection_fields(headers);
    let aliases: Vec<HeaderName> = headers
        .keys()
        .filter(|name| {
            let folded = folded(name);
            WRITTEN_BY_THE_GATEWAY.contains(&&*folded)
                || HOP_BY_HOP.contains(&&*folded)
                || (folded == LENGTH && name.as_str() != LENGTH)
        })
        .cloned()
        .collect();
    for name in aliases {
        headers.remove(name);
    }
}

/// A name as services see it that fold `_` to `-` (CGI, RFC 3875 §4.1.18): `X_Real_IP` is an alias of `X-Real-IP`.
fn folded(name: &HeaderName) -> Cow<'_, str> {
    if name.as_str().contains('_') {
        Cow::Owned(name.as_str().replace('_', "-"))
    } else {
        Cow::Borrowed(name.as_str())
    }
}

/// Removes a field under every name that a service could take for it.
pub fn remove(headers: &mut HeaderMap, name: &HeaderName) {
    headers.remove(name);
    let own = folded(name);
    let aliases: Vec<HeaderName> = headers
        .keys()
        .filter(|other| other.as_str().contains('_') || name.as_str().contains('_'))
        .filter(|other| folded(other) == own)
        .cloned()
        .collect();
    for alias in aliases {
        headers.remove(alias);
    }
}

/// Takes a cookie out wherever it stands; the others stay byte for byte.
pub fn remove_cookie(headers: &mut HeaderMap, name: &str) {
    let mut left: Vec<u8> = Vec::new();
    for line in headers.get_all(header::COOKIE) {
        for pair in line.as_bytes().split(|byte| *byte == b';') {
            let pair = pair.trim_ascii();
            let own = pair.split(|byte| *byte == b'=').next();
            if pair.is_empty() || own.map(<[u8]>::trim_ascii_end) == Some(name.as_bytes()) {
                continue;
            }
            if !left.is_empty() {
                left.extend_from_slice(b"; ");
            }
            left.extend_from_slice(pair);
        }
    }
    headers.remove(header::COOKIE);
    if !left.is_empty()
        && let Ok(value) = HeaderValue::from_bytes(&left)
    {
        headers.insert(header::COOKIE, value);
    }
}

/// Writes who calls.
pub fn write_caller(headers: &mut HeaderMap, caller: &Caller<'_>) {
    let address = caller.address.to_string();
    let fields = [
        ("x-forwarded-for", Some(address.as_str())),
        ("x-forwarded-host", Some(caller.host)),
        ("x-forwarded-proto", Some(caller.scheme)),
        ("x-lockgate-application", caller.application),
        ("x-lockgate-request-id", Some(caller.request_id)),
    ];
    for (name, value) in fields {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    caller.trace.write(headers);
    // RFC 9110 §7.6.3.
    if let Ok(value) = HeaderValue::try_from(format!("1.1 {}", caller.via)) {
        headers.append(header::VIA, value);
    }
}

/// Removes the fields of one connection from a message, with those that `Connection` names.
pub fn drop_connection_fields(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        // `Connection: Authorization` must not remove the credential that a policy has just judged (H7).
        .filter(|name| {
            *name != header::AUTHORIZATION
                && *name != header::HOST
                && *name != header::COOKIE
                && *name != header::CONTENT_LENGTH
        })
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(*name);
    }
}

#[cfg(test)]
#[path = "hygiene_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "hygiene_fuzz.rs"]
mod fuzz;
