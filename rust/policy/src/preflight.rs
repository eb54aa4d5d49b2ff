//! Preflights: requests by which a browser asks whether a page may send another one.

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, ORIGIN};
use http::{HeaderName, Method};

/// The method of the request that a preflight asks for; `None` when this is no preflight.
///
/// A preflight is an `OPTIONS` with one `Origin` and one `Access-Control-Request-Method` (Fetch standard, "CORS-preflight
/// request"). It carries no credential.
pub fn asked_method(method: &Method, headers: &HeaderMap) -> Option<Method> {
    if method != Method::OPTIONS {
        return None;
    }
    only(headers, &ORIGIN)?;
    Method::from_bytes(only(headers, &ACCESS_CONTROL_REQUEST_METHOD)?.as_bytes()).ok()
}

/// The value of a field that stands once in a message, as text.
pub fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(first)
}
