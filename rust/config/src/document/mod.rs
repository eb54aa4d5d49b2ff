//! The typed document: one struct for each thing a person writes, in the words of the product.

mod api;
mod application;
mod listener;
mod model;
mod policy;
mod prompt;
mod records;
mod upstream;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use api::{Aggregate, Api, Match, Part, RecordBody, RecordPrompts, Route, Unlisted, Version};
pub use application::{ApiKey, Application, Certificate, Password, SignatureKey};
pub use listener::{
    Admin, CertifiedName, Http2, Listener, ListenerTimeouts, ListenerTls, Node as NodeSettings,
};
pub use model::{Model, ModelFailure, ModelPrice, ModelTarget, ModelTimeouts, Provider};
pub use policy::{Mode, OnError, PolicyEntry, Purpose};
pub use prompt::{Prompt, PromptMessage, PromptValue, PromptVariable};
pub use records::{AccessLog, AccessLogTarget, Otlp, Recording, Telemetry, TruncateAddress};
pub use upstream::{
    Balance, Circuit, Health, HostHeader, HttpVersion, Retries, RetryOn, Target, Timeouts,
    Upstream, UpstreamTls,
};

use crate::decode::{Each, Entries};

/// A whole gateway.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The version of this contract; `1`.
    pub lockgate: u64,
    /// Further files or folders (their `.yaml`, `.yml` and `.json` files in name order) whose sections are added to these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// The listener for metrics, health and statistics; loopback by default.
    #[serde(default)]
    pub admin: Admin,
    /// Settings of the process.
    #[serde(default)]
    pub node: NodeSettings,
    /// Where callers connect.
    #[serde(default)]
    pub listeners: Entries<Listener>,
    /// The services behind the gateway.
    #[serde(default)]
    pub upstreams: Entries<Upstream>,
    /// Who may call: applications and the hashes of their credentials.
    #[serde(default)]
    pub applications: Entries<Application>,
    /// Policies of the whole gateway.
    #[serde(default)]
    pub policies: Each<PolicyEntry>,
    /// The APIs.
    #[serde(default)]
    pub apis: Entries<Api>,
    /// Models by the names that callers use, and the providers that answer for them.
    #[serde(default, skip_serializing_if = "Entries::is_empty")]
    pub models: Entries<Model>,
    /// What is recorded of each request, and where.
    pub recording: Option<Recording>,
    /// One line of JSON for each request.
    pub access_log: Option<AccessLog>,
    /// What a collector of OpenTelemetry is told of each request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telemetry: Option<Telemetry>,
    /// Whether each policy must say its `purpose`.
    #[serde(default)]
    pub purposes: Purposes,
}

impl Document {
    /// The files that TLS of listeners, services and the collector needs, as the document names them.
    pub(crate) fn tls_files(&self) -> impl Iterator<Item = &str> {
        let listeners = self.listeners.iter();
        let listeners = listeners.filter_map(|entry| entry.value.tls.as_ref());
        let upstreams = self.upstreams.iter();
        let upstreams = upstreams.filter_map(|entry| entry.value.tls.as_ref());
        let telemetry = self.telemetry.as_ref();
        let collector = telemetry.and_then(|telemetry| telemetry.otlp.tls.as_ref());
        listeners
            .flat_map(ListenerTls::files)
            .chain(upstreams.chain(collector).flat_map(UpstreamTls::files))
    }
}

/// Whether each policy must say why it exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Purposes {
    /// A policy without a purpose is refused.
    Required,
    /// A policy without a purpose gives a warning.
    #[default]
    Advised,
    /// Nothing is said.
    Optional,
}
