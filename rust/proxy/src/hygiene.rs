//! Which fields pass, and which the gateway writes itself (H6, H7).

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

use crate::request_id::RequestId;
use crate::trace::Trace;

/// Whether a field belongs to one connection (RFC 9110 §7.6.1) and is never forwarded.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
    )
}

/// Whether a field tells a service who calls, from where, or for what host or path. A caller cannot write it: what arrives is
/// removed, and the gateway writes its own under the first of the names that follow. The others are names that some services
/// know for the same: with `X-Original-URL` a service would answer for another path than the one that policies judged (H8).
fn is_written_by_the_gateway(name: &str) -> bool {
    matches!(
        name,
        "forwarded"
            | "x-forwarded-for"
            | "x-forwarded-host"
            | "x-forwarded-proto"
            | "x-forwarded-port"
            | "x-forwarded-prefix"
            | "x-real-ip"
            | "x-forwarded-scheme"
            | "x-forwarded-server"
            | "x-forwarded-ssl"
            | "x-client-ip"
            | "x-cluster-client-ip"
            | "true-client-ip"
            | "x-host"
            | "x-original-host"
            | "x-original-url"
            | "x-rewrite-url"
            | "x-lockgate-application"
            | "x-lockgate-subject"
            | "x-lockgate-request-id"
    )
}

/// The field that carries the id of a request, both ways.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-lockgate-request-id");

/// How many fields the gateway writes.
pub const WRITTEN: usize = 8;

/// Who calls, as services are told.
pub struct Caller<'a> {
    /// The address that policies saw.
    pub address: IpAddr,
    /// The same as the value of a field.
    pub address_field: HeaderValue,
    /// The host that the caller asked for.
    pub host: &'a str,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The application, when it is known.
    pub application: Option<Arc<str>>,
    /// The id of the request.
    pub request_id: &'a RequestId,
    /// The trace that the request belongs to.
    pub trace: &'a Trace,
    /// What the gateway adds to `Via` (RFC 9110 §7.6.3).
    pub via: &'a HeaderValue,
}

/// What a caller sent without what it may not send to a service, with room for what the gateway writes. Runs before any policy adds
/// a field, so that the `Connection` of a caller cannot name, and so remove, what the gateway writes.
///
/// Says too whether a name that stays is an [alias](is_alias).
pub fn clean_request(sent: &HeaderMap) -> (HeaderMap, bool) {
    let named = named_fields(sent);
    let unwanted = |name: &str| is_hop_by_hop(name) || is_written_by_the_gateway(name);
    let mut fields = HeaderMap::with_capacity(sent.len() + WRITTEN);
    let mut has_aliases = false;
    for (name, value) in sent {
        let alias = folded(name.as_str());
        let is_alias = matches!(alias, Cow::Owned(_));
        if unwanted(name.as_str())
            || (is_alias && (unwanted(&alias) || alias == header::CONTENT_LENGTH.as_str()))
            || named.contains(name)
        {
            continue;
        }
        has_aliases |= is_alias;
        fields.append(name, value.clone());
    }
    (fields, has_aliases)
}

/// Whether some services take a name for another one, with `-` in place of `_` (CGI, RFC 3875 §4.1.18): `X_Real_IP` is an alias of
/// `X-Real-IP`.
pub fn is_alias(name: &HeaderName) -> bool {
    matches!(folded(name.as_str()), Cow::Owned(_))
}

/// A name as services see it that fold `_` to `-`.
fn folded(name: &str) -> Cow<'_, str> {
    // Most names are shorter than what it takes to prepare a faster search.
    if name.bytes().any(|byte| byte == b'_') {
        Cow::Owned(name.replace('_', "-"))
    } else {
        Cow::Borrowed(name)
    }
}

/// Removes a field under every name that a service could take for it; `has_aliases` says whether there are such names.
pub fn remove(headers: &mut HeaderMap, name: &HeaderName, has_aliases: bool) {
    headers.remove(name);
    let own = folded(name.as_str());
    if !has_aliases && matches!(own, Cow::Borrowed(_)) {
        return;
    }
    remove_those(headers, |other| match folded(other) {
        Cow::Borrowed(other) => matches!(own, Cow::Owned(_)) && other == own,
        Cow::Owned(other) => other == own,
    });
}

/// Writes who calls.
pub fn write_caller(headers: &mut HeaderMap, caller: &Caller<'_>) {
    const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
    const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
    const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
    const APPLICATION: HeaderName = HeaderName::from_static("x-lockgate-application");
    let text = |text: &str| HeaderValue::from_str(text).ok();
    let fields = [
        (FORWARDED_FOR, Some(caller.address_field.clone())),
        (FORWARDED_HOST, text(caller.host)),
        (
            FORWARDED_PROTO,
            Some(HeaderValue::from_static(caller.scheme)),
        ),
        (APPLICATION, caller.application.as_deref().and_then(text)),
        (REQUEST_ID, Some(caller.request_id.value())),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            headers.insert(name, value);
        }
    }
    caller.trace.write(headers);
    headers.append(header::VIA, caller.via.clone());
}

/// How often a request may pass gateways of one name: enough for one behind the other, and an end for what goes in circles.
const MOST_PASSES: usize = 8;

/// Whether a request has passed gateways with this `Via` too often (RFC 9110 §7.6.3).
pub fn goes_in_circles(headers: &HeaderMap, via: &HeaderValue) -> bool {
    let entries = headers.get_all(header::VIA).iter();
    let passes = entries
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter(|entry| entry.trim_ascii() == via.as_bytes());
    passes.count() >= MOST_PASSES
}

/// Removes the fields of one connection from a message, with those that `Connection` names.
pub fn drop_connection_fields(headers: &mut HeaderMap) {
    drop_named_fields(headers);
    remove_those(headers, is_hop_by_hop);
}

fn drop_named_fields(headers: &mut HeaderMap) {
    for name in named_fields(headers) {
        headers.remove(name);
    }
}

/// The fields that `Connection` names, but for the one that it names nearly always and that is hop-by-hop in any case.
fn named_fields(headers: &HeaderMap) -> SmallVec<[HeaderName; 4]> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|name| !name.eq_ignore_ascii_case("keep-alive"))
        .filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
        // `Connection: Authorization` must not remove the credential that a policy has just judged (H7).
        .filter(|name| {
            *name != header::AUTHORIZATION
                && *name != header::HOST
                && *name != header::COOKIE
                && *name != header::CONTENT_LENGTH
        })
        .collect()
}

/// Most messages hold none of the fields that are removed, so that looking at the names is all it costs.
fn remove_those(headers: &mut HeaderMap, unwanted: impl Fn(&str) -> bool) {
    let found: SmallVec<[HeaderName; 4]> = headers
        .keys()
        .filter(|name| unwanted(name.as_str()))
        .cloned()
        .collect();
    for name in found {
        headers.remove(name);
    }
}

#[cfg(test)]
#[path = "hygiene_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "hygiene_fuzz.rs"]
mod fuzz;
