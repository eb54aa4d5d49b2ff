//! The fields of a request as a service gets them.

use http::header::{self, HeaderMap, HeaderValue};
use lockgate_policy::{Effect, remove_cookie};
use smallvec::SmallVec;

use crate::hygiene::{self, Caller};

/// What the fields are made of.
pub enum Fields<'a> {
    /// They are there; each try gets a copy.
    Made(HeaderMap),
    /// They are made for each try of what the caller sent. Nearly every request is tried once, so there is no copy to keep.
    Sent(Sent<'a>),
}

/// What a caller sent, and what happens to it.
pub struct Sent<'a> {
    /// The fields as they arrived.
    pub fields: &'a HeaderMap,
    /// Who calls.
    pub caller: Caller<'a>,
    /// What policies do with the fields, in order; other effects are passed over.
    pub edits: SmallVec<[Effect; 1]>,
}

impl Fields<'_> {
    /// The fields for one try.
    pub fn make(&self) -> HeaderMap {
        match self {
            Self::Made(fields) => fields.clone(),
            Self::Sent(sent) => sent.make(),
        }
    }
}

impl Sent<'_> {
    fn make(&self) -> HeaderMap {
        let (mut fields, mut has_aliases) = hygiene::clean_request(self.fields);
        hygiene::write_caller(&mut fields, &self.caller);
        // The length of the body that is sent is its own; a caller's claim about it is not passed on.
        fields.remove(header::CONTENT_LENGTH);
        // gRPC asks for trailers; of all that is said to the next hop alone, this one is for the service too.
        if self
            .fields
            .get(header::TE)
            .is_some_and(|value| value == "trailers")
        {
            fields.insert(header::TE, HeaderValue::from_static("trailers"));
        }
        for edit in &self.edits {
            match edit {
                Effect::SetRequestHeader(name, value) => {
                    hygiene::remove(&mut fields, name, has_aliases);
                    has_aliases |= hygiene::is_alias(name);
                    fields.insert(name, value.clone());
                }
                Effect::AddRequestHeader(name, value) => {
                    has_aliases |= hygiene::is_alias(name);
                    fields.append(name, value.clone());
                }
                Effect::RemoveRequestHeader(name) => {
                    hygiene::remove(&mut fields, name, has_aliases);
                }
                Effect::RemoveCookie(name) => remove_cookie(&mut fields, name),
                _ => {}
            }
        }
        fields
    }
}
