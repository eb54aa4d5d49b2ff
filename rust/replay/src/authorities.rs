//! Whose client certificates a revision's listeners take: a caller whose authority is no longer among them has no connection.

use std::collections::{HashMap, HashSet};

use lockgate_config::MAX_CERTIFICATES_BYTES;
use lockgate_policy::{Authority, ClientCertificate, Reason, Revision, authorities};

use crate::request::Request;

/// What becomes of a caller whose authority is not among those of the listener. No gateway answers so: the handshake fails.
pub static UNTRUSTED: Reason = Reason::new(
    "certificate.untrusted",
    0,
    "Authority of the client certificate not taken",
    "keep the authority in the file of `client_authorities` until its last certificate has ended",
);

/// By listener, whose certificates it takes; nothing of one that asks for none.
#[derive(Debug, Default)]
pub struct Authorities {
    taken: HashMap<String, Option<HashSet<Authority>>>,
    /// Listeners that take fewer than those of the other revision.
    lost: HashSet<String>,
}

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "the client authorities `{file}` of listener `{listener}` cannot be read: {why}; put the PEM file where the document says"
)]
pub struct Unreadable {
    listener: String,
    file: String,
    why: String,
}

/// What a listener makes of a recorded certificate.
pub enum Taken<'q> {
    /// What policies see: nothing where the listener asks for none.
    Seen(Option<&'q ClientCertificate>),
    /// The caller gets no connection.
    Refused,
    /// Nobody recorded which authority it came from, and one is gone.
    Unknown,
}

impl Authorities {
    /// Those of a revision.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn of(revision: &Revision) -> Result<Self, Unreadable> {
        let mut taken = HashMap::new();
        for listener in &revision.document.listeners {
            let tls = listener.value.tls.as_ref();
            let read = |file: &String| {
                let pem = revision
                    .base
                    .read_certificates(file, MAX_CERTIFICATES_BYTES);
                let read = pem.map_err(|error| error.to_string());
                let read = read.and_then(|pem| authorities(&pem));
                read.map_err(|why| Unreadable {
                    listener: listener.id.clone(),
                    file: file.clone(),
                    why,
                })
            };
            let found = tls
                .and_then(|tls| tls.client_authorities.as_ref())
                .map(read);
            let found = found.transpose()?.map(|all| all.into_iter().collect());
            taken.insert(listener.id.clone(), found);
        }
        Ok(Self {
            taken,
            lost: HashSet::new(),
        })
    }

    /// Notes which listeners take fewer than those of another revision.
    pub fn beside(&mut self, other: &Self) {
        let fewer = |listener: &&String| {
            let both = self.of_listener(listener).zip(other.of_listener(listener));
            both.is_some_and(|(mine, theirs)| !theirs.is_subset(mine))
        };
        self.lost = self.taken.keys().filter(fewer).cloned().collect();
    }

    fn of_listener(&self, listener: &str) -> Option<&HashSet<Authority>> {
        self.taken.get(listener)?.as_ref()
    }

    /// What a request's listener makes of its certificate. Of a listener that this revision does not have, nothing is known.
    pub fn take<'q>(&self, request: &'q Request<'_>) -> Taken<'q> {
        let certificate = request.certificate.as_ref();
        let (Some(presented), Some(known)) = (certificate, self.taken.get(request.listener)) else {
            return Taken::Seen(certificate);
        };
        match (known, &presented.authority) {
            (None, _) => Taken::Seen(None),
            (Some(known), Some(authority)) if known.contains(authority) => Taken::Seen(certificate),
            (Some(_), Some(_)) => Taken::Refused,
            (Some(_), None) if self.lost.contains(request.listener) => Taken::Unknown,
            (Some(_), None) => Taken::Seen(certificate),
        }
    }
}
