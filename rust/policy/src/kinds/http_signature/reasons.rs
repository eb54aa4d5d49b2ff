//! Why a signature is refused.

use crate::reason::Reason;

macro_rules! reason {
    ($name:ident, $code:literal, $title:literal, $remedy:literal) => {
        pub static $name: Reason = Reason::new($code, 401, $title, $remedy);
    };
}

reason!(
    MISSING,
    "http_signature.missing",
    "Signature missing",
    "sign the request (RFC 9421) as the field `Accept-Signature` says"
);
reason!(
    MALFORMED,
    "http_signature.malformed",
    "Signature not readable",
    "send one signature over whole components, each named once, as RFC 9421 says"
);
reason!(
    INVALID,
    "http_signature.invalid",
    "Signature not accepted",
    "check key, algorithm and the text that was signed"
);
reason!(
    EXPIRED,
    "http_signature.expired",
    "Signature too old",
    "sign each request when it is sent"
);
reason!(
    NOT_YET_VALID,
    "http_signature.not_yet_valid",
    "Signature from the future",
    "set the clock right and sign the request again"
);
reason!(
    COMPONENT_MISSING,
    "http_signature.component_missing",
    "Signature covers too little",
    "sign all components that the field `Accept-Signature` names, and `content-digest` when there is a body"
);
reason!(
    WRONG_DIGEST,
    "http_signature.wrong_digest",
    "Body does not match its digest",
    "compute `Content-Digest` (RFC 9530) over the bytes that are sent"
);
