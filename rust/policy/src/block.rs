//! Refusals of what somebody blocked for a time: by order, not by a policy, so that no revision and no rollout decides them.

use std::borrow::Cow;

use http::header::RETRY_AFTER;

use crate::reason::{APPLICATION_BLOCKED, CREDENTIAL_BLOCKED, Reason, SOURCE_BLOCKED, THROTTLED};
use crate::time::Timestamp;
use crate::verdict::Refusal;

/// The refusal, with the seconds until it is over (RFC 9110 §10.2.3).
pub fn blocked(
    reason: &'static Reason,
    detail: impl Into<Cow<'static, str>>,
    until: Timestamp,
    now: Timestamp,
) -> Box<Refusal> {
    let seconds = until.0.saturating_sub(now.0).div_ceil(1_000_000).max(1);
    Box::new(Refusal::new(reason, detail).header(RETRY_AFTER, &seconds.to_string()))
}

/// Whether a reason is one of these.
pub fn is_block(code: &str) -> bool {
    [
        &SOURCE_BLOCKED,
        &APPLICATION_BLOCKED,
        &CREDENTIAL_BLOCKED,
        &THROTTLED,
    ]
    .iter()
    .any(|reason| reason.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_never_comes_back_before_the_end() {
        let wait = |until, now| {
            let refusal = blocked(&SOURCE_BLOCKED, "", Timestamp(until), Timestamp(now));
            refusal.headers[0].1.to_str().unwrap().to_owned()
        };
        assert_eq!(wait(3_600_000_000, 0), "3600");
        assert_eq!(wait(1_000_001, 0), "2");
        assert_eq!(wait(5, 5), "1");
    }
}
