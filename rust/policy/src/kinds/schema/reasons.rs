//! Why a request or an answer is refused by the API's description.

use crate::reason::Reason;

pub static REFUSED: Reason = Reason::new(
    "schema.refused",
    400,
    "Request does not match the API's description",
    "change what `detail` names as the API's reference says, and send the request again",
);
pub static UNLISTED: Reason = Reason::new(
    "schema.unlisted",
    404,
    "No such operation",
    "check the path against the API's reference",
);
pub static OTHER_METHOD: Reason = Reason::new(
    "schema.other_method",
    405,
    "Method not described",
    "use one of the methods named in the `Allow` field",
);
pub static MEDIA_TYPE: Reason = Reason::new(
    "schema.media_type",
    415,
    "Media type not accepted",
    "send one `Content-Type`, with one of the types that `detail` names",
);
pub static ANSWER: Reason = Reason::new(
    "schema.answer",
    502,
    "Answer does not match the API's description",
    "nothing is wrong with the request; tell the API's owner what `detail` says",
);
