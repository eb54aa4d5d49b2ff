use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::quantity::{ByteSize, Duration};

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
