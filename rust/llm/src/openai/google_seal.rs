//! Gemini's seal of a call, where Google's own OpenAI shim puts it: `extra_content.google.thought_signature`.

use serde_json::Value;

use crate::dialect::Dialect;
use crate::json::{Object, object};
use crate::model::{Origin, Signature};

/// The seal as `extra_content` holds it.
pub(super) fn google_seal(seal: &str) -> Value {
    Value::Object(object! {"google": object! {"thought_signature": seal}})
}

/// Takes the seal out of the fields of a call.
pub(super) fn take_google_seal(extra: &mut Object) -> Option<Signature> {
    let seal = extra
        .get("extra_content")?
        .get("google")?
        .get("thought_signature")?
        .as_str()?
        .to_owned();
    extra.shift_remove("extra_content");
    Some(Signature {
        origin: Origin::Dialect(Dialect::Gemini),
        value: seal,
    })
}
