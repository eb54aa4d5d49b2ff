use std::num::{NonZeroU32, NonZeroUsize};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decode::{Each, Spanned};
use crate::problem::Problem;
use crate::quantity::{Duration, Percent};
use crate::secret::Secret;

/// A service behind the gateway: targets that answer alike.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// Where the service runs: `http://host:port`, or a mapping with weight and zone.
    pub targets: Each<Target>,
    /// How a target is chosen.
    #[serde(default)]
    pub balance: Balance,
    /// What `consistent_hash` hashes: `application` (the default), `client`, `path`, `header:NAME` or `cookie:NAME`. Who has none is told
    /// apart by address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash_by: Option<Spanned<String>>,
    /// The HTTP version spoken to targets; `auto` follows ALPN on TLS and is HTTP/1.1 on plain TCP.
    #[serde(default)]
    pub http: HttpVersion,
    /// Active health checks; passive ones are always on.
    pub health: Option<Health>,
    /// Deadlines.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// Retries.
    pub retries: Option<Retries>,
    /// Bounds that protect the service.
    #[serde(default)]
    pub circuit: Circuit,
    /// A target that joins or recovers gets its full share only after this time.
    pub slow_start: Option<Duration>,
    /// When fewer targets than this share are healthy, health is ignored and all are used.
    #[serde(default = "panic_threshold")]
    pub panic_threshold: Percent,
    /// TLS to targets with an `https` address.
    pub tls: Option<UpstreamTls>,
    /// The `Host` that targets see: `target` (the address of the target, the default) or `caller`.
    #[serde(default)]
    pub host: HostHeader,
}

const fn panic_threshold() -> Percent {
    Percent::whole(50)
}

/// Which `Host` a target sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HostHeader {
    /// The address of the target.
    #[default]
    Target,
    /// What the caller sent.
    Caller,
}

/// One address of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Where the address stands in the document.
    pub span: crate::node::Span,
    /// `http://host:port` or `https://host:port`, optionally with a path that is put before the request's.
    pub url: String,
    /// Share of the traffic against other targets.
    pub weight: NonZeroU32,
    /// Where it runs.
    pub zone: Option<String>,
}

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TargetSettings")]
struct TargetFields {
    /// `http://host:port` or `https://host:port`.
    url: String,
    /// Share of the traffic against other targets.
    #[serde(default = "weight")]
    weight: NonZeroU32,
    /// Where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
}

const fn weight() -> NonZeroU32 {
    NonZeroU32::MIN
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let crate::decode::Raw(node) = crate::decode::Raw::deserialize(deserializer)?;
        let span = node.span.clone();
        if let Some(url) = node.as_text() {
            return Ok(Self {
                span,
                url: url.to_owned(),
                weight: weight(),
                zone: None,
            });
        }
        let fields: TargetFields = crate::decode::nested(&node)?;
        Ok(Self {
            span,
            url: fields.url,
            weight: fields.weight,
            zone: fields.zone,
        })
    }
}

impl Serialize for Target {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        TargetFields {
            url: self.url.clone(),
            weight: self.weight,
            zone: self.zone.clone(),
        }
        .serialize(serializer)
    }
}

impl JsonSchema for Target {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Target".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let fields = generator.subschema_for::<TargetFields>();
        schemars::json_schema!({ "anyOf": [{ "type": "string", "pattern": "^https?://" }, fields] })
    }
}

/// How a target is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// The less busy of two picked at random.
    #[default]
    LeastRequests,
    /// One after the other, by weight.
    RoundRobin,
    /// The lower expected latency of two picked at random (peak EWMA).
    Ewma,
    /// The same key goes to the same target as long as it is healthy.
    ConsistentHash,
}

/// The HTTP version spoken to targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HttpVersion {
    /// By ALPN on TLS, else HTTP/1.1.
    #[default]
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2; on plain TCP with prior knowledge (h2c).
    Http2,
}

/// Active health checks.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// The path that is asked.
    #[serde(deserialize_with = "path")]
    pub path: String,
    /// Time between two checks of a target.
    #[serde(default = "every")]
    pub every: Duration,
    /// How long an answer may take.
    #[serde(default = "within")]
    pub within: Duration,
    /// Good answers in a row that bring a target back.
    #[serde(default = "healthy_after")]
    pub healthy_after: NonZeroU32,
    /// Bad answers in a row that take a target out.
    #[serde(default = "unhealthy_after")]
    pub unhealthy_after: NonZeroU32,
}

fn path<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let Spanned { span, value } = Spanned::<String>::deserialize(deserializer)?;
    if value.starts_with('/') && !value.contains([' ', '#']) {
        return Ok(value);
    }
    let message = format!("`{value}` is not a path");
    let help = "write one such as `/healthz`";
    Err(crate::decode::hand(Problem::new(&span, message).help(help)))
}

const fn every() -> Duration {
    Duration::from_secs(5)
}
const fn within() -> Duration {
    Duration::from_secs(2)
}
fn healthy_after() -> NonZeroU32 {
    NonZeroU32::new(2).unwrap_or(NonZeroU32::MIN)
}
fn unhealthy_after() -> NonZeroU32 {
    NonZeroU32::new(3).unwrap_or(NonZeroU32::MIN)
}

/// How long the gateway waits for a service.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// To connect, with the TLS handshake.
    pub connect: Duration,
    /// From the end of the request to the head of the response.
    pub first_byte: Duration,
    /// Between two pieces of a response body, and of an upgraded connection.
    pub idle: Duration,
    /// For one try, to the head of the response; `first_byte` alone by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_try: Option<Duration>,
    /// From the arrival of the request to the end of the response; streams end here too. None by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<Duration>,
    /// How long an unused connection is kept.
    pub keep_alive: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            first_byte: Duration::from_secs(15),
            idle: Duration::from_secs(60),
            per_try: None,
            total: None,
            keep_alive: Duration::from_secs(30),
        }
    }
}

/// When a request is tried again.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retries {
    /// Further tries after the first.
    pub attempts: NonZeroU32,
    /// What is tried again; `connect_failure`, `reset` and `status_503` by default. Only idempotent requests, and those that were never
    /// sent, ever are.
    #[serde(default)]
    pub on: Each<RetryOn>,
    /// The most retries, as a share of the traffic.
    #[serde(default = "budget")]
    pub budget: Percent,
}

const fn budget() -> Percent {
    Percent::whole(20)
}

/// Something that can be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum RetryOn {
    ConnectFailure,
    Reset,
    Timeout,
    #[serde(rename = "status_429")]
    Status429,
    #[serde(rename = "status_500")]
    Status500,
    #[serde(rename = "status_502")]
    Status502,
    #[serde(rename = "status_503")]
    Status503,
    #[serde(rename = "status_504")]
    Status504,
}

/// Bounds that protect a service.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Circuit {
    /// The most requests at a time.
    pub max_requests: NonZeroUsize,
    /// The most connections at a time.
    pub max_connections: NonZeroUsize,
    /// When this share of requests fails within `window`, requests are refused for `open_for`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<Percent>,
    /// The time over which failures are counted.
    pub window: Duration,
    /// The fewest requests in the window before the share means anything.
    pub min_requests: NonZeroU32,
    /// How long requests are refused before one is let through to try.
    pub open_for: Duration,
}

impl Default for Circuit {
    fn default() -> Self {
        Self {
            max_requests: NonZeroUsize::new(10_000).unwrap_or(NonZeroUsize::MIN),
            max_connections: NonZeroUsize::new(10_000).unwrap_or(NonZeroUsize::MIN),
            failures: None,
            window: Duration::from_secs(10),
            min_requests: NonZeroU32::new(20).unwrap_or(NonZeroU32::MIN),
            open_for: Duration::from_secs(5),
        }
    }
}

/// TLS to a service.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpstreamTls {
    /// PEM file with the authorities to trust; those of the web by default.
    pub authorities: Option<String>,
    /// The name that the certificate must carry; the host of the target by default.
    pub server_name: Option<String>,
    /// PEM file with the certificate that the gateway presents.
    pub certificate: Option<String>,
    /// PEM with its private key, as a reference.
    pub key: Option<Secret>,
}

impl UpstreamTls {
    /// The files that it names: certificates, and a key that is a file.
    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        let key = self.key.as_ref().and_then(Secret::file);
        [
            self.authorities.as_deref(),
            self.certificate.as_deref(),
            key,
        ]
        .into_iter()
        .flatten()
    }
}
