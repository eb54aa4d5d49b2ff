//! What does not match the API's description, as the caller is told.

use http::header;
use serde_json::json;

use crate::openapi::{Complaint, Content, Given, Parameter, Place, Unmatched, cut};
use crate::reason::Reason;
use crate::verdict::{Refusal, Verdict};

use super::reasons::MEDIA_TYPE;

/// Where a complaint belongs.
pub enum Part<'a> {
    Parameter(&'a Parameter),
    Body,
}

impl Part<'_> {
    const fn word(&self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Parameter(parameter) => match parameter.place {
                Place::Path => "path",
                Place::Query | Place::QueryString => "query",
                Place::Header(_) => "header",
                Place::Cookie => "cookie",
            },
        }
    }

    /// A refusal that says the place and what is wrong there (RFC 9457 §3 shows `errors`).
    pub fn refusal(&self, reason: &'static Reason, complaint: &Complaint) -> Box<Refusal> {
        let (word, pointer) = (self.word(), &complaint.pointer);
        let mut error =
            json!({ "in": word, "pointer": format!("#{pointer}"), "detail": complaint.what });
        let place = match self {
            Self::Body if pointer.is_empty() => "the body".to_owned(),
            Self::Body => format!("`{pointer}` of the body"),
            Self::Parameter(parameter) => {
                let name = cut(&parameter.name);
                if let Some(members) = error.as_object_mut() {
                    members.insert("name".into(), name.clone().into());
                }
                match pointer.as_str() {
                    "" => format!("`{name}` of the {word}"),
                    pointer => format!("`{pointer}` of `{name}` of the {word}"),
                }
            }
        };
        let detail = format!("{place} {}", complaint.what);
        Box::new(Refusal::new(reason, detail).member("errors", json!([error])))
    }
}

/// Checks all of them; the first that does not match is refused for that reason.
pub fn check_all(
    parameters: &[Parameter],
    given: &Given<'_>,
    reason: &'static Reason,
) -> Result<(), Box<Refusal>> {
    parameters.iter().try_for_each(|parameter| {
        parameter
            .check(given)
            .map_err(|complaint| Part::Parameter(parameter).refusal(reason, &complaint))
    })
}

/// The refusal of a body whose type does not do.
pub fn media_type(why: Unmatched, content: &Content) -> Verdict {
    let why = match why {
        Unmatched::Absent => "the body has no `Content-Type`",
        Unmatched::Unreadable => "the `Content-Type` is not one media type",
        Unmatched::NotListed => "the `Content-Type` is not listed",
        Unmatched::Charset => "the body is not in UTF-8",
    };
    let listed = content.listed();
    let detail = format!("{why}; this operation takes {listed}");
    // RFC 9110 §12.5.1: in a 415, `Accept` says what would do.
    let accepted = listed.replace('`', "");
    let refusal = Refusal::new(&MEDIA_TYPE, detail).header(header::ACCEPT, &accepted);
    Verdict::Deny(Box::new(refusal))
}
