//! Why a token is refused.

use crate::reason::Reason;

macro_rules! reason {
    ($name:ident, $code:literal, $title:literal, $remedy:literal) => {
        pub static $name: Reason = Reason::new($code, 401, $title, $remedy);
    };
}

reason!(
    MISSING,
    "jwt.missing",
    "Token missing",
    "send a token in the field `Authorization`, after `Bearer`"
);
reason!(
    MALFORMED,
    "jwt.malformed",
    "Token not readable",
    "send one signed token (RFC 7519) of at most 8KiB, as the issuer gave it"
);
reason!(
    EXPIRED,
    "jwt.expired",
    "Token expired",
    "get a new token from the issuer"
);
reason!(
    NOT_YET_VALID,
    "jwt.not_yet_valid",
    "Token not yet valid",
    "wait until the token's time has come; compare the clocks of the issuer and of this gateway"
);
reason!(
    WRONG_ISSUER,
    "jwt.wrong_issuer",
    "Token of another issuer",
    "get a token from the issuer that the API's documentation names"
);
reason!(
    WRONG_AUDIENCE,
    "jwt.wrong_audience",
    "Token for another audience",
    "ask the issuer for a token for this API"
);
reason!(
    INVALID,
    "jwt.invalid",
    "Token not accepted",
    "get a new token from the issuer that the API's documentation names"
);
reason!(
    CLAIM_MISSING,
    "jwt.claim_missing",
    "Token lacks a claim",
    "ask the issuer for tokens with all claims that the API's documentation names"
);
