//! Facts from the network: what authorization servers say of tokens, and the keys of issuers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use lockgate_policy::endpoint::{Endpoint, is_private};
use lockgate_policy::{Fact, FactRequest, Timestamp};
use moka::future::Cache;
use rustls::pki_types::ServerName;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::clock::Clock;
use crate::upstream::Forbidden;

/// Answers that are kept, at most.
const MOST: u64 = 100_000;
const MOST_BYTES: usize = 1024 * 1024;
const WITHIN: Duration = Duration::from_secs(5);

/// What is kept under: tokens by their hash, so that none stays in memory longer than its request.
#[derive(Debug, PartialEq, Eq, Hash, Clone)]
struct Key(Arc<Endpoint>, Option<[u8; 32]>);

#[derive(Debug, Clone)]
struct Known {
    fact: Fact,
    until: Instant,
}

/// Gets facts, and keeps them as long as they may be used. A burst of requests for the same fact asks once.
#[derive(Debug)]
pub struct Facts {
    known: Cache<Key, Known>,
    /// The last keys of each issuer: a server that is down takes nobody's key away (F17).
    last_keys: Cache<Key, Fact>,
    tls: Option<Arc<rustls::ClientConfig>>,
    forbidden: Forbidden,
    clock: Clock,
}

struct UntilItsEnd;

impl moka::Expiry<Key, Known> for UntilItsEnd {
    fn expire_after_create(&self, _: &Key, known: &Known, created: Instant) -> Option<Duration> {
        Some(known.until.saturating_duration_since(created))
    }
}

impl Facts {
    /// Knows nothing yet.
    pub fn new(forbidden: Forbidden, clock: Clock) -> Self {
        Self {
            known: Cache::builder()
                .max_capacity(MOST)
                .expire_after(UntilItsEnd)
                .build(),
            last_keys: Cache::new(1_000),
            tls: crate::upstream::public_tls(),
            forbidden,
            clock,
        }
    }

    /// The answer to a question, from memory or from the network.
    pub async fn get(&self, wanted: &FactRequest) -> Fact {
        let hash = match wanted {
            FactRequest::Introspection { token, .. } => {
                Some(Sha256::digest(token.as_bytes()).into())
            }
            FactRequest::Keys { .. } => None,
        };
        let key = Key(wanted.endpoint().clone(), hash);
        self.known
            .get_with_by_ref(&key, self.find_out(&key, wanted))
            .await
            .fact
    }

    async fn find_out(&self, key: &Key, wanted: &FactRequest) -> Known {
        let endpoint = wanted.endpoint();
        let asked = tokio::time::timeout(WITHIN, self.ask(wanted)).await;
        let answer = asked.unwrap_or_else(|_| Err("it did not answer in time".into()));
        let read = answer.and_then(|value| Ok((Fact::read(wanted, &value)?, value)));
        let keep = |fact, keep| Known {
            fact,
            until: Instant::now() + keep,
        };
        match read {
            Ok((fact, value)) => {
                if matches!(wanted, FactRequest::Keys { .. }) {
                    self.last_keys.insert(key.clone(), fact.clone()).await;
                    return keep(fact, endpoint.keep);
                }
                keep(fact, keep_answer(endpoint, &value, self.clock.now()))
            }
            Err(why) => match self.last_keys.get(key).await {
                Some(fact) => keep(fact, endpoint.keep_negative),
                None => keep(
                    Fact::Unavailable(Arc::from(format!("{}: {why}", endpoint.url))),
                    endpoint.keep_negative,
                ),
            },
        }
    }

    async fn ask(&self, wanted: &FactRequest) -> Result<Value, String> {
        let endpoint = wanted.endpoint();
        let uri: Uri = endpoint
            .url
            .parse()
            .map_err(|_| "it is no URL".to_owned())?;
        let host = uri.host().unwrap_or_default();
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::builder()
            .uri(path)
            .header(
                HOST,
                uri.authority().map_or(host, |authority| authority.as_str()),
            )
            .header(ACCEPT, "application/json");
        let request = match wanted {
            FactRequest::Keys { .. } => request.method("GET").body(Full::default()),
            FactRequest::Introspection { token, .. } => {
                let form: String = form_urlencoded::Serializer::new(String::new())
                    .append_pair("token", token)
                    .append_pair("token_type_hint", "access_token")
                    .finish();
                let mut request = request
                    .method("POST")
                    .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
                if let Some(client) = &endpoint.client {
                    request =
                        request.header(AUTHORIZATION, basic(&client.id, client.secret.as_deref()));
                }
                request.body(Full::new(Bytes::from(form)))
            }
        };
        let request = request.map_err(|error| error.to_string())?;
        let tls = uri.scheme_str() == Some("https");
        let stream = self
            .connect(
                endpoint,
                host,
                uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            )
            .await?;
        if !tls {
            return exchange(stream, request).await;
        }
        let config = self
            .tls
            .clone()
            .ok_or("this machine has no store of authorities")?;
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .map_err(|error| error.to_string())?;
        let stream = TlsConnector::from(config)
            .connect(name, stream)
            .await
            .map_err(|error| format!("no TLS: {error}"))?;
        exchange(stream, request).await
    }

    async fn connect(
        &self,
        endpoint: &Endpoint,
        host: &str,
        port: u16,
    ) -> Result<TcpStream, String> {
        let host = host.trim_matches(['[', ']']);
        let addresses = tokio::net::lookup_host((host, port))
            .await
            .map_err(|error| format!("the name cannot be resolved: {error}"))?;
        let mut last = "it has no address".to_owned();
        for address in addresses {
            // A name may lead anywhere by the time it is used (H20).
            if self.may_not_ask(endpoint, address) {
                last = format!("{address} is a private address");
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error.to_string(),
            }
        }
        Err(last)
    }

    fn may_not_ask(&self, endpoint: &Endpoint, address: SocketAddr) -> bool {
        self.forbidden.forbids(address) || (!endpoint.allow_private && is_private(address.ip()))
    }
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Value, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let connection = tokio::spawn(connection);
    let answer = sender
        .send_request(request)
        .await
        .map_err(|error| error.to_string())?;
    // A redirect could lead anywhere; an endpoint is the URL that the document names.
    if answer.status() != StatusCode::OK {
        return Err(format!("it answered with {}", answer.status()));
    }
    let body = Limited::new(answer.into_body(), MOST_BYTES)
        .collect()
        .await
        .map_err(|error| error.to_string())?;
    connection.abort();
    serde_json::from_slice(&body.to_bytes()).map_err(|_| "it did not answer with JSON".to_owned())
}

/// RFC 6749 §2.3.1: both halves are form-encoded first.
fn basic(id: &str, secret: Option<&[u8]>) -> String {
    let encoded = |bytes: &[u8]| form_urlencoded::byte_serialize(bytes).collect::<String>();
    let pair = format!(
        "{}:{}",
        encoded(id.as_bytes()),
        encoded(secret.unwrap_or_default())
    );
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(pair)
    )
}

/// An answer may be used until the token ends, and no longer than the document says; one that says no, for a shorter time.
fn keep_answer(endpoint: &Endpoint, answer: &Value, now: Timestamp) -> Duration {
    if answer.get("active").and_then(Value::as_bool) != Some(true) {
        return endpoint.keep_negative;
    }
    match answer.get("exp").and_then(Value::as_u64) {
        Some(end) => endpoint
            .keep
            .min(Duration::from_secs(end.saturating_sub(now.seconds()))),
        None => endpoint.keep,
    }
}

#[cfg(test)]
#[path = "facts_fuzz.rs"]
mod fuzz;
