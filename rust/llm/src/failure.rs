//! What went wrong, in one form for every provider and caller.

use thiserror::Error;

use crate::usage::Usage;

/// The longest message of a provider that is passed on, in characters.
const LONGEST_MESSAGE: usize = 2_000;

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The request makes no sense, or no sense to this provider.
    InvalidRequest,
    /// The provider does not know the key.
    Authentication,
    /// No money is left.
    Billing,
    /// The key may not do this.
    Permission,
    /// No such model.
    NotFound,
    /// The request collides with another.
    Conflict,
    /// The request is too large.
    TooLarge,
    /// Too many calls or tokens.
    RateLimited,
    /// The provider has too much to do (529 of Anthropic).
    Overloaded,
    /// The provider did not answer in time.
    Timeout,
    /// The provider failed.
    Server,
    /// The provider is not there.
    Unavailable,
    /// The provider answered what its dialect does not allow.
    BadAnswer,
    /// A stream ended without saying why.
    StreamTruncated,
    /// The connection broke within a stream.
    StreamDropped,
    /// A stream held what is none of its dialect.
    StreamMalformed,
}

impl FailureKind {
    /// The stable code in events and answers.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::Authentication => "authentication",
            Self::Billing => "billing",
            Self::Permission => "permission",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::TooLarge => "too_large",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::Timeout => "timeout",
            Self::Server => "server",
            Self::Unavailable => "unavailable",
            Self::BadAnswer => "upstream_bad_answer",
            Self::StreamTruncated => "upstream_stream_truncated",
            Self::StreamDropped => "upstream_stream_dropped",
            Self::StreamMalformed => "upstream_stream_malformed",
        }
    }

    /// The status when nobody said another.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidRequest => 400,
            Self::Authentication => 401,
            Self::Billing => 402,
            Self::Permission => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::RateLimited => 429,
            Self::Server => 500,
            Self::BadAnswer
            | Self::StreamTruncated
            | Self::StreamDropped
            | Self::StreamMalformed => 502,
            Self::Unavailable => 503,
            Self::Timeout => 504,
            Self::Overloaded => 529,
        }
    }

    /// The kind that a provider's status says.
    #[must_use]
    pub fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Authentication,
            402 => Self::Billing,
            403 => Self::Permission,
            404 => Self::NotFound,
            409 => Self::Conflict,
            413 => Self::TooLarge,
            429 => Self::RateLimited,
            408 | 504 => Self::Timeout,
            503 => Self::Unavailable,
            529 => Self::Overloaded,
            400..=499 => Self::InvalidRequest,
            _ => Self::Server,
        }
    }

    /// Whether another target, or the same one later, may do better.
    #[must_use]
    pub fn may_be_retried(self) -> bool {
        !matches!(
            self,
            Self::InvalidRequest
                | Self::Authentication
                | Self::Billing
                | Self::Permission
                | Self::NotFound
                | Self::TooLarge
        )
    }
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Failure {
    /// The kind.
    pub kind: FailureKind,
    /// What to tell the caller.
    pub message: String,
    /// The status: the provider's own where it gave one, 529 too.
    pub status: u16,
    /// The provider's own code.
    pub code: Option<String>,
    /// The field of the request that is wrong.
    pub param: Option<String>,
    /// The value of `Retry-After`, as the provider wrote it.
    pub retry_after: Option<String>,
    /// What the call took until then, marked partial.
    pub usage: Option<Box<Usage>>,
}

impl Failure {
    /// A failure of a kind.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        let message: String = message.into();
        Self {
            kind,
            message: message.chars().take(LONGEST_MESSAGE).collect(),
            status: kind.status(),
            code: None,
            param: None,
            retry_after: None,
            usage: None,
        }
    }

    /// A request that makes no sense, with the field that is wrong.
    #[must_use]
    pub fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            param: Some(param.into()),
            ..Self::new(FailureKind::InvalidRequest, message)
        }
    }

    /// An answer of a provider that its dialect does not allow.
    #[must_use]
    pub fn bad_answer(message: impl Into<String>) -> Self {
        Self::new(FailureKind::BadAnswer, message)
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same, with what the call took until then.
    #[must_use]
    pub fn with_usage(mut self, usage: Option<Usage>) -> Self {
        self.usage = usage.map(|usage| Box::new(usage.broken_off()));
        self
    }
}
