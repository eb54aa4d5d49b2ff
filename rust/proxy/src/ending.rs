//! What an answer says of itself after its head: the status of gRPC, and that it broke off.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// The statuses of gRPC by which a service says that it failed; others but OK say that the call was wrong, or not wanted any more.
///
/// `UNKNOWN`, `DEADLINE_EXCEEDED`, `UNIMPLEMENTED`, `INTERNAL`, `UNAVAILABLE`, `DATA_LOSS`.
const FAILED: [u8; 6] = [2, 4, 12, 13, 14, 15];
/// The highest status there is.
const MOST: u8 = 16;

/// Whether an answer is one of gRPC, whose status stands in its trailers, or in its head when it has no body.
pub fn is_grpc(head: &HeaderMap) -> bool {
    head.get(CONTENT_TYPE)
        .is_some_and(|media| media.as_bytes().starts_with(b"application/grpc"))
}

/// The status of gRPC in these fields. What is no status counts as `UNKNOWN`, as it does for clients.
pub fn grpc_status(fields: &HeaderMap) -> Option<u8> {
    let said = fields.get("grpc-status")?;
    let status = said.to_str().ok().and_then(|text| text.parse().ok());
    Some(status.filter(|status| *status <= MOST).unwrap_or(2))
}

/// Whether a service said so that it failed.
pub fn is_failure(grpc_status: u8) -> bool {
    FAILED.contains(&grpc_status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_that_is_none_counts_as_unknown_and_an_absent_one_not_at_all() {
        let of = |text: &'static str| {
            let mut fields = HeaderMap::new();
            fields.insert("grpc-status", http::HeaderValue::from_static(text));
            grpc_status(&fields)
        };
        assert_eq!(
            [of("0"), of("14"), of("17"), of("-1"), of("x")],
            [Some(0), Some(14), Some(2), Some(2), Some(2)]
        );
        assert_eq!(grpc_status(&HeaderMap::new()), None);
    }

    #[test]
    fn a_wrong_call_is_no_failure_of_the_service() {
        // OK, CANCELLED, INVALID_ARGUMENT, NOT_FOUND, RESOURCE_EXHAUSTED, UNAUTHENTICATED.
        assert!(
            [0, 1, 3, 5, 8, 16]
                .iter()
                .all(|status| !is_failure(*status))
        );
        assert!([2, 13, 14].iter().all(|status| is_failure(*status)));
    }
}
