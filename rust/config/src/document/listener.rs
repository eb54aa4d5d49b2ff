use std::net::SocketAddr;
use std::num::NonZeroUsize;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::decode::{Raw, Spanned, hand};
use crate::problem::Problem;
use crate::quantity::{ByteSize, Duration};
use crate::secret::Secret;

/// A place where callers connect.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// Address and port, such as `0.0.0.0:8080` or `[::1]:8080`.
    #[serde(deserialize_with = "address")]
    pub bind: SocketAddr,
    /// TLS; without it the listener speaks plain HTTP.
    pub tls: Option<ListenerTls>,
    /// Proxies whose `X-Forwarded-For` is believed; none by default.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "networks"
    )]
    #[schemars(with = "Vec<String>")]
    pub trusted_proxies: Vec<IpNet>,
    /// Deadlines.
    #[serde(default)]
    pub timeouts: ListenerTimeouts,
    /// The most connections at a time over all cores.
    #[serde(default = "max_connections")]
    pub max_connections: NonZeroUsize,
    /// The largest request head, with the request line and all fields.
    #[serde(default = "max_head")]
    pub max_head: ByteSize,
    /// HTTP/2 settings.
    #[serde(default)]
    pub http2: Http2,
}

/// An address as people write it, with a message for what they write instead: a port alone, a host name.
fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let Raw(node) = Raw::deserialize(deserializer)?;
    let text = node.as_text().map(str::to_owned);
    let text = text.unwrap_or_else(|| node.to_json().to_string());
    text.parse().map_err(|_| {
        let message = format!("`{text}` is not an IP address with a port");
        hand(Problem::new(&node.span, message).help("write one such as `127.0.0.1:8080`"))
    })
}

fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<Spanned<String>>::deserialize(deserializer)?;
    let read = |text: &Spanned<String>| {
        text.parse().map_err(|_| {
            let message = format!("`{}` is not a network", text.value);
            let help = "write one such as `10.0.0.0/8`, or `10.0.0.1/32` for one address";
            hand(Problem::new(&text.span, message).help(help))
        })
    };
    texts.iter().map(read).collect()
}

const fn max_connections() -> NonZeroUsize {
    match NonZeroUsize::new(20_000) {
        Some(number) => number,
        None => NonZeroUsize::MIN,
    }
}

const fn max_head() -> ByteSize {
    ByteSize::new(64 * 1024)
}

/// TLS of a listener (1.2 and 1.3).
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenerTls {
    /// PEM file with the certificate chain of callers that name no other host.
    pub certificate: String,
    /// PEM with the private key, as a reference.
    pub key: Secret,
    /// Certificates by host name (SNI); `*.example.com` covers one label.
    #[serde(default)]
    pub names: Vec<CertifiedName>,
    /// PEM file with the authorities of client certificates. Callers may then present one; the `mtls` policy decides.
    pub client_authorities: Option<String>,
}

impl ListenerTls {
    /// The files that it names: certificates, and keys that are files.
    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        let named = self.names.iter();
        let named = named.flat_map(|named| [Some(named.certificate.as_str()), named.key.file()]);
        let own = [
            Some(self.certificate.as_str()),
            self.key.file(),
            self.client_authorities.as_deref(),
        ];
        own.into_iter().chain(named).flatten()
    }
}

/// A certificate for some host names.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertifiedName {
    /// Host names such as `api.example.com` or `*.example.com`.
    pub hosts: crate::decode::Each<String>,
    /// PEM file with the certificate chain.
    pub certificate: String,
    /// PEM with the private key, as a reference.
    pub key: Secret,
}

/// How long the gateway waits for callers.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ListenerTimeouts {
    /// From the first byte of a request (or the start of a TLS handshake) to the end of its head.
    pub head: Duration,
    /// Between two pieces of a request body.
    pub body_idle: Duration,
    /// Between two requests on one connection.
    pub keep_alive: Duration,
    /// Between two pieces of a response that the caller takes.
    pub write_idle: Duration,
    /// From the start of a drain to its end.
    pub drain: Duration,
}

impl Default for ListenerTimeouts {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body_idle: Duration::from_secs(30),
            keep_alive: Duration::from_secs(60),
            write_idle: Duration::from_secs(30),
            drain: Duration::from_secs(30),
        }
    }
}

/// HTTP/2 of a listener.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Http2 {
    /// The most requests at a time on one connection.
    pub max_streams: std::num::NonZeroU32,
    /// The most streams a caller may reset before the gateway answered, before the connection is closed (CVE-2023-44487).
    pub max_pending_resets: NonZeroUsize,
}

impl Default for Http2 {
    fn default() -> Self {
        Self {
            max_streams: std::num::NonZeroU32::new(100).unwrap_or(std::num::NonZeroU32::MIN),
            max_pending_resets: NonZeroUsize::new(20).unwrap_or(NonZeroUsize::MIN),
        }
    }
}

/// The admin listener: metrics, health, statistics.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Address and port; a loopback address.
    #[serde(deserialize_with = "address")]
    pub bind: SocketAddr,
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([127, 0, 0, 1], 9901)),
        }
    }
}

/// Settings of the process.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Node {
    /// Cores that serve traffic; all by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cores: Option<NonZeroUsize>,
    /// The zone this node stands in; targets of the same zone are preferred.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The folder for what must survive a restart: generations and the use of quotas; nothing is kept without it. `--state` says it for
    /// documents that cannot be read, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Forwarded requests name the gateway in `Via`; `lockgate` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}
