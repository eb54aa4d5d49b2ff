use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::UpstreamTls;
use crate::decode::{Entries, Spanned};
use crate::quantity::{ByteSize, Duration, Percent};
use crate::secret::Secret;

/// What is recorded of each request.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// The folder of the segments.
    pub directory: String,
    /// The most bytes kept; the oldest segments go first.
    #[serde(default = "keep")]
    pub keep: ByteSize,
    /// The longest a segment stays open.
    #[serde(default = "rotate_every")]
    pub rotate_every: Duration,
    /// Further header and query parameter names whose values are replaced by keyed hashes before anything is written.
    #[serde(default)]
    pub redact: Vec<String>,
    /// Whether client addresses lose their last part.
    #[serde(default)]
    pub client_address: TruncateAddress,
}

const fn keep() -> ByteSize {
    ByteSize::new(1 << 30)
}

const fn rotate_every() -> Duration {
    Duration::from_secs(10)
}

/// How client addresses are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TruncateAddress {
    /// As they are.
    #[default]
    Full,
    /// The network only: /24 of IPv4, /48 of IPv6.
    Network,
}

/// One line of JSON for each request.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessLog {
    /// Where lines go: `stdout` or a file.
    pub to: AccessLogTarget,
}

/// Where access log lines go.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(from = "String", into = "String")]
#[schemars(with = "String")]
pub enum AccessLogTarget {
    /// The standard output of the process.
    Stdout,
    /// A file, appended to.
    File(String),
}

impl From<String> for AccessLogTarget {
    fn from(text: String) -> Self {
        if text == "stdout" {
            Self::Stdout
        } else {
            Self::File(text)
        }
    }
}

impl From<AccessLogTarget> for String {
    fn from(target: AccessLogTarget) -> Self {
        match target {
            AccessLogTarget::Stdout => "stdout".into(),
            AccessLogTarget::File(path) => path,
        }
    }
}

/// What a collector of OpenTelemetry is told.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// Spans of requests, by OTLP over HTTP.
    pub otlp: Otlp,
}

/// Spans of requests, by OTLP over HTTP.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Otlp {
    /// Where the collector takes OTLP over HTTP: `http://host:port` or `https://host:port`; `/v1/traces` is added.
    pub endpoint: Spanned<String>,
    /// Fields of each export, such as the collector's key: their values, as references.
    #[serde(default, skip_serializing_if = "Entries::is_empty")]
    pub headers: Entries<Spanned<Secret>>,
    /// The share of the traces that begin here. Of one that began elsewhere, its own sampled flag decides.
    #[serde(default = "all")]
    pub sample: Percent,
    /// What spans call the gateway, as `service.name`.
    #[serde(default = "service_name")]
    pub service_name: String,
    /// TLS to a collector with an `https` address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<UpstreamTls>,
}

const fn all() -> Percent {
    Percent::ALL
}

fn service_name() -> String {
    "lockgate".to_owned()
}
