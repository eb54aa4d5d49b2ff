//! A request as a person writes it, and the same as the engine takes it.

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::directory::read_time;
use crate::hex::read_hash;
use crate::request::ClientCertificate;
use crate::time::Timestamp;

/// A request as a person writes it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainRequest {
    /// The method.
    pub method: String,
    /// A path with query, or a whole URL.
    pub url: String,
    /// Fields, in order. `Host` and `Content-Length` are added when they are not written, as every client does.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<String>,
    /// The caller's address; 127.0.0.1 by default.
    pub client: Option<IpAddr>,
    /// The client certificate, as verified by a TLS listener.
    #[serde(default)]
    pub certificate: Option<ExplainCertificate>,
    /// The time (RFC 3339); now by default.
    pub at: Option<String>,
    /// What a fact request would answer, in the order of `needs`; the text `unavailable` for no answer.
    #[serde(default)]
    pub facts: Vec<Value>,
    /// What the service would answer, for the policies that see answers.
    #[serde(default)]
    pub answer: Option<ExplainAnswer>,
}

/// A client certificate as a person writes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainCertificate {
    /// SHA-256 of the DER form, 64 hexadecimal digits.
    pub sha256: String,
    /// Subject alternative names as `dns:…`, `uri:…` or `email:…`.
    #[serde(default)]
    pub names: Vec<String>,
}

/// The answer of a service as a person writes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainAnswer {
    /// The status; 200 by default.
    #[serde(default = "ok")]
    pub status: u16,
    /// Fields, in order.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body.
    #[serde(default)]
    pub body: String,
}

const fn ok() -> u16 {
    200
}

/// A request that was read.
pub struct Parsed {
    pub method: Method,
    pub scheme: String,
    pub host: String,
    pub path: String,
    pub query: Option<String>,
    pub headers: HeaderMap,
    pub body: Option<Vec<u8>>,
    pub client: IpAddr,
    pub certificate: Option<ClientCertificate>,
    pub answer: Option<Answer>,
    pub at: Timestamp,
}

/// An answer that was read.
#[derive(Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Parsed {
    /// Reads a request; `now` is the time of one that says none.
    ///
    /// # Errors
    /// What is wrong with it as it was written.
    pub fn read(request: &ExplainRequest, now: Timestamp) -> Result<Self, String> {
        let method = Method::from_bytes(request.method.to_ascii_uppercase().as_bytes())
            .map_err(|_| format!("`{}` is not a method", request.method))?;
        // A path may hold another URL in its query.
        let absolute = (!request.url.starts_with('/')).then_some(&request.url);
        let (scheme, authority, rest) = match absolute.and_then(|url| url.split_once("://")) {
            Some((scheme, rest)) => {
                let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
                (scheme.to_owned(), Some(authority.to_owned()), path)
            }
            None if request.certificate.is_some() => {
                ("https".to_owned(), None, request.url.as_str())
            }
            None => ("http".to_owned(), None, request.url.as_str()),
        };
        let mut headers = fields(&request.headers)?;
        let named = headers
            .get(http::header::HOST)
            .and_then(|host| host.to_str().ok())
            .map(str::to_owned);
        let host = authority.or(named).unwrap_or_else(|| "localhost".into());
        if let (http::header::Entry::Vacant(place), Ok(value)) =
            (headers.entry(header::HOST), HeaderValue::from_str(&host))
        {
            place.insert(value);
        }
        let body = request.body.clone().map(String::into_bytes);
        if let (Some(body), None) = (&body, headers.get(header::TRANSFER_ENCODING)) {
            headers
                .entry(header::CONTENT_LENGTH)
                .or_insert_with(|| HeaderValue::from(body.len()));
        }
        let host = host
            .rsplit_once(':')
            .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
            .map_or(host.as_str(), |(name, _)| name);
        let (path, query) = rest
            .split_once('?')
            .map_or((rest, None), |(path, query)| (path, Some(query.to_owned())));
        let at = match &request.at {
            None => now,
            Some(text) => read_time(text).ok_or_else(|| {
                format!("`{text}` is not a time; write one such as `2027-01-31T12:00:00Z`")
            })?,
        };
        Ok(Self {
            method,
            scheme,
            host: host.to_ascii_lowercase(),
            path: path.to_owned(),
            query,
            headers,
            body,
            client: request
                .client
                .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |ip| ip.to_canonical()),
            certificate: request.certificate.as_ref().map(certificate).transpose()?,
            answer: request.answer.as_ref().map(answer).transpose()?,
            at,
        })
    }
}

fn fields(list: &[(String, String)]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in list {
        let field = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| format!("`{name}` is not a field name"))?;
        let value = HeaderValue::from_str(value).map_err(|_| {
            format!("the value of `{name}` holds a character that fields cannot hold")
        })?;
        headers.append(field, value);
    }
    Ok(headers)
}

fn certificate(written: &ExplainCertificate) -> Result<ClientCertificate, String> {
    let sha256 = read_hash(&written.sha256).ok_or_else(|| {
        format!(
            "`{}` is not the SHA-256 of a certificate; write 64 hexadecimal digits",
            written.sha256
        )
    })?;
    Ok(ClientCertificate {
        sha256,
        names: written.names.clone(),
        authority: None,
    })
}

fn answer(written: &ExplainAnswer) -> Result<Answer, String> {
    let status = StatusCode::from_u16(written.status)
        .ok()
        .filter(|status| !status.is_informational());
    Ok(Answer {
        status: status.ok_or_else(|| {
            format!(
                "`{}` is not the status of an answer; write one from 200 to 599",
                written.status
            )
        })?,
        headers: fields(&written.headers)?,
        body: Bytes::from(written.body.clone()),
    })
}
