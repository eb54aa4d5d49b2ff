//! What nodes report, and what the guard learns from it.

use serde::{Deserialize, Serialize};

use crate::arms::{Arm, Caller};
use crate::moment::Moment;

/// The longest id of an event that is kept, in bytes.
const MAX_ID_BYTES: usize = 128;

/// In which way an answer was bad. Each is tested by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The service answered 5xx.
    ServerError,
    /// The gateway failed by itself.
    GatewayError,
    /// A policy refused.
    Refusal,
    /// Slower than the 99th percentile that the control arm had when the rollout began.
    Slow,
    /// No answer in time.
    Timeout,
    /// The service refused with 4xx a caller whom it had answered before, and never refused. Each caller counts once in a rollout.
    ClientError,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::ServerError,
        Self::GatewayError,
        Self::Refusal,
        Self::Slow,
        Self::Timeout,
        Self::ClientError,
    ];
}

/// The id of a recorded event; what is longer than 128 bytes is cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct EventId(String);

impl From<String> for EventId {
    fn from(text: String) -> Self {
        if text.len() <= MAX_ID_BYTES {
            return Self(text);
        }
        let fits = |(at, letter): &(usize, char)| at + letter.len_utf8() <= MAX_ID_BYTES;
        let kept = text
            .char_indices()
            .take_while(fits)
            .map(|(_, letter)| letter);
        Self(kept.collect())
    }
}

impl From<&str> for EventId {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<EventId> for String {
    fn from(id: EventId) -> Self {
        id.0
    }
}

impl EventId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One bad answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadEvent {
    /// When it happened.
    pub at: Moment,
    /// Its id in the recording.
    pub id: EventId,
    /// Who got it.
    pub caller: Caller,
    /// Which revision answered.
    pub arm: Arm,
    /// In which way it was bad.
    pub metric: Metric,
}

/// How much traffic an arm had since the report before. Numbers come from metrics, so they may be anything.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Exposure {
    /// Requests.
    pub requests: f64,
    /// Callers that sent them.
    pub callers: f64,
}

impl Exposure {
    /// Whether both are numbers that can be counts.
    pub(crate) fn is_usable(self) -> bool {
        let counts = 0.0..=1e12;
        counts.contains(&self.requests) && counts.contains(&self.callers)
    }
}

/// The traffic of both arms since the report before. In shadow the candidate's is what it was evaluated on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// The end of the reported time.
    pub at: Moment,
    /// The canary's; absent when nobody reported it.
    pub canary: Option<Exposure>,
    /// The control arm's; absent when nobody reported it.
    pub control: Option<Exposure>,
}

/// How two decisions about one request differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The candidate allows what the live revision refuses.
    NewlyAllowed,
    /// The candidate refuses what the live revision allows.
    NewlyRefused,
    /// Both allow or both refuse, but not alike: another code, target or header.
    Other,
}

/// A request about which the two revisions decide differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairedDifference {
    /// When it happened.
    pub at: Moment,
    /// Its id in the recording.
    pub id: EventId,
    /// How they differ.
    pub change: Change,
    /// Whether the approved diff of the change contains it.
    pub approved: bool,
}

/// What stops a rollout the first time it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HardStop {
    /// A request made the candidate panic.
    Panic,
    /// The process that tries a revision out before a node takes it died.
    TasterDied,
    /// The last good revision could not be written.
    LastGoodNotWritten,
}

/// One input of the guard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Observation {
    /// A bad answer.
    Bad(BadEvent),
    /// Traffic of both arms.
    Traffic(Traffic),
    /// Two decisions that differ.
    Paired(PairedDifference),
    /// A hard stop.
    HardStop {
        /// What happened.
        what: HardStop,
        /// The event or the log line that tells of it.
        id: EventId,
    },
    /// What evaluating the candidate beside the live revision costs, as a share of the node's processor time.
    ShadowCost {
        /// From 0 to 1.
        cpu_share: f64,
    },
}
