//! What payload policies share: a body that can be read, and what it claims to be.

use http::header;

use crate::reason::Reason;
use crate::request::{Body, RequestView};
use crate::verdict::Verdict;

/// A compressed body cannot be checked, and what cannot be checked is not forwarded (H14).
pub static ENCODED: Reason = Reason::new(
    "payload.encoded",
    415,
    "Encoded body not accepted",
    "send the body without `Content-Encoding`",
);

/// The body, when it is small enough and not compressed; an absent body is empty.
///
/// # Errors
/// What to return from `evaluate`.
pub fn readable_body<'a>(request: &RequestView<'a>, limit: usize) -> Result<&'a [u8], Verdict> {
    if request.body == Body::Absent {
        return Ok(&[]);
    }
    let encoded = request
        .headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
    if encoded {
        return Err(Verdict::deny(
            &ENCODED,
            "the body has a `Content-Encoding`, so it cannot be checked",
        ));
    }
    request.body_within(limit)
}

/// Whether some `Content-Type` of the request has this subtype, or a suffix `+subtype` (RFC 6838 §4.2.8).
pub fn claims(request: &RequestView<'_>, subtype: &str) -> bool {
    request
        .headers
        .get_all(header::CONTENT_TYPE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| {
            let essence = value.split(';').next().unwrap_or_default().trim();
            let found = essence.split_once('/').map_or("", |(_, subtype)| subtype);
            let found = found.rsplit_once('+').map_or(found, |(_, suffix)| suffix);
            found.eq_ignore_ascii_case(subtype)
        })
}
