use std::net::IpAddr;

use http::{HeaderMap, Method, Version};

use crate::authority::Authority;
use crate::identity::Identity;
use crate::need::Need;
use crate::prompt::Prompt;
use crate::verdict::Verdict;

/// One request as policies see it: after canonicalisation, before anything is forwarded.
///
/// The path is the one that is forwarded, byte for byte (H8). Headers hold every value of a repeated field (H9).
#[derive(Debug, Clone, Copy)]
pub struct RequestView<'a> {
    /// The method.
    pub method: &'a Method,
    /// `http` or `https`, as the caller connected.
    pub scheme: &'a str,
    /// The host in lower case, without port.
    pub host: &'a str,
    /// The canonical path, starting with `/`.
    pub path: &'a str,
    /// The query without `?`, as it was sent.
    pub query: Option<&'a str>,
    /// The HTTP version that the caller speaks.
    pub version: Version,
    /// All fields.
    pub headers: &'a HeaderMap,
    /// The caller's address: the socket's, or the one that a listed proxy named (H5).
    pub client: IpAddr,
    /// The client certificate that the listener verified.
    pub certificate: Option<&'a ClientCertificate>,
    /// What is known of the body.
    pub body: Body<'a>,
    /// Variables of the route's path template, in its order.
    pub variables: &'a [(&'a str, &'a str)],
    /// Who calls, once an `identify` policy has proved it.
    pub identity: Option<&'a Identity>,
    /// What it asks of a model, once that was read.
    pub prompt: Option<&'a Prompt>,
}

/// What is known of a request body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    /// There is none.
    Absent,
    /// It was not read; its length when the caller announced one, in bytes.
    Unread(Option<u64>),
    /// All of it.
    Read(&'a [u8]),
    /// It has more bytes than this, which is what the policy that asked for it can look at.
    TooLarge(usize),
}

/// A verified client certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// SHA-256 of the DER form.
    pub sha256: [u8; 32],
    /// Subject alternative names as `dns:…`, `uri:…` or `email:…`.
    pub names: Vec<String>,
    /// Which authority of the listener it came from, as far as that is known.
    pub authority: Option<Authority>,
}

impl<'a> RequestView<'a> {
    /// The whole body, when it has at most `limit` bytes; an absent body is empty.
    ///
    /// # Errors
    /// What to return from `evaluate`: the need for the body, or the refusal of a larger one.
    pub fn body_within(&self, limit: usize) -> Result<&'a [u8], Verdict> {
        match self.body {
            Body::Absent => Ok(&[]),
            Body::Read(bytes) if bytes.len() <= limit => Ok(bytes),
            Body::Read(_) => Err(Verdict::deny(
                &crate::reason::BODY_TOO_LARGE,
                format!("the body has more than {limit} bytes"),
            )),
            Body::Unread(_) | Body::TooLarge(_) => Err(Verdict::Need(Need::Body(limit))),
        }
    }

    /// All values of a field, joined with `, ` as RFC 9110 §5.3 allows; `None` when it is absent or not text.
    pub fn header(&self, name: &str) -> Option<std::borrow::Cow<'a, str>> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next()?.to_str().ok()?;
        let mut joined = std::borrow::Cow::Borrowed(first);
        for value in values {
            let joined = joined.to_mut();
            joined.push_str(", ");
            joined.push_str(value.to_str().ok()?);
        }
        Some(joined)
    }

    /// The decoded parameters of the query, in order.
    pub fn query_pairs(&self) -> form_urlencoded::Parse<'a> {
        form_urlencoded::parse(self.query.unwrap_or_default().as_bytes())
    }

    /// The cookies of the request (RFC 6265 §5.4), in order, without the white space around names and values: a service that
    /// trims sees two cookies of one name, and so must policies (H9).
    pub fn cookies(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        self.headers
            .get_all(http::header::COOKIE)
            .iter()
            .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
            .filter_map(|pair| {
                let equals = pair.iter().position(|byte| *byte == b'=')?;
                let (name, value) = pair.split_at(equals);
                Some((name.trim_ascii(), value.get(1..)?.trim_ascii()))
            })
    }
}

/// A response as `response` policies see it.
#[derive(Debug, Clone, Copy)]
pub struct ResponseView<'a> {
    /// The status that the service sent.
    pub status: http::StatusCode,
    /// Its fields.
    pub headers: &'a HeaderMap,
    /// Its body when a policy asked for it and it fits.
    pub body: Option<&'a [u8]>,
}

#[cfg(test)]
#[path = "request_fuzz.rs"]
pub(crate) mod fuzz;
