//! What a replay found, as people and programs read it.

use std::sync::Arc;

use lockgate_recording::Decision;
use serde::Serialize;

use crate::timeline::Timeline;

/// The report. It says nothing of the machine or the hour, so that two replays of the same give the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The version of this form.
    pub v: u32,
    /// What to make of it.
    pub outcome: Outcome,
    /// The revision that is compared with: its SHA-256.
    pub base: String,
    /// The revision that shall be: its SHA-256.
    pub candidate: String,
    /// What was replayed.
    pub recording: Recording,
    /// How many requests of which sort.
    pub totals: Totals,
    /// The differences, most requests first.
    pub groups: Vec<Group>,
    /// Requests that could not be judged, most first.
    pub unjudged: Vec<Unjudged>,
    /// Limits whose window began before the recording did, and which may have refused too little in its first part.
    pub warming_up: Vec<Warming>,
    /// Policies that judge answers, which no recording holds.
    pub not_asked: Vec<PolicyName>,
    /// Routes that the candidate treats differently and that no recorded request reached: of them nothing is known.
    pub without_data: Vec<RouteName>,
    /// How far the base, replayed, agrees with what was recorded.
    pub disagreement: Disagreement,
    /// All callers, most requests first.
    pub callers: Vec<Caller>,
    /// Counts over time.
    pub timeline: Timeline,
    /// What issuers published when the replay began, where that was asked for: the candidate was judged with it.
    pub key_sets: Vec<KeySetNow>,
    /// The stated expectation, clause by clause.
    pub expectation: Vec<Clause>,
    /// Differences beyond the expectation; without one, all.
    pub unexpected: Vec<Unexpected>,
}

/// The key set of an issuer as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeySetNow {
    /// Where it is published.
    pub url: Arc<str>,
    /// How many keys are in it; absent when it could not be had, and what was recorded was used.
    pub keys: Option<u64>,
    /// Why it could not be had.
    pub problem: Option<Arc<str>>,
}

/// What to make of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every request is decided as before.
    NoChange,
    /// The differences are those that were stated.
    AsExpected,
    /// There are others, or fewer than stated.
    Unexpected,
    /// There is no request to judge, or fewer than asked for.
    NoData,
    /// Too many requests could not be judged.
    TooMuchUnjudged,
    /// Too often the base, replayed, decided otherwise than it did live.
    NotTrustworthy,
}

/// What was replayed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Recording {
    /// When the first request arrived, in microseconds since 1970; absent when there is none.
    pub first: Option<u64>,
    /// When the last one did.
    pub last: Option<u64>,
    /// The revisions that decided live, and how many requests each.
    pub revisions: Vec<(Arc<str>, u64)>,
    /// Whether it is known what callers had used of limits when it began; else all limits start unused.
    pub usage_known: bool,
    /// Requests that arrived before one that was judged before them: their answers took longer than a minute.
    pub late: u64,
    /// What could not be read; at most a hundred sentences.
    pub damages: Vec<String>,
    /// Segments without an end.
    pub truncated: u64,
    /// Whether client addresses were shortened, which policies that look at them cannot know.
    pub addresses_shortened: bool,
}

/// How many requests of which sort.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// All of the recording.
    pub requests: u64,
    /// Refused for what no policy decides: malformed, too slow, blocked for a time, or the gateway was stopping. No revision
    /// changes that.
    pub outside_policies: u64,
    /// Judged by both revisions.
    pub judged: u64,
    /// Not judged by both.
    pub unjudged: u64,
    /// Judged and decided alike.
    pub unchanged: u64,
    /// Let through by the base and refused by the candidate.
    pub newly_refused: u64,
    /// Refused by the base and let through by the candidate.
    pub newly_allowed: u64,
    /// Refused by both for different reasons.
    pub changed_reason: u64,
    /// Let through by both, to another service or with an answer of the gateway itself.
    pub answered_otherwise: u64,
    /// Refused by the base.
    pub refused_by_base: u64,
    /// Refused by the candidate.
    pub refused_by_candidate: u64,
}

/// How a decision differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Let through before, refused now.
    NewlyRefused,
    /// Refused before, let through now.
    NewlyAllowed,
    /// Refused for another reason.
    ChangedReason,
    /// Let through, and answered by someone else.
    AnsweredOtherwise,
}

impl Change {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::NewlyRefused,
        Self::NewlyAllowed,
        Self::ChangedReason,
        Self::AnsweredOtherwise,
    ];

    /// As documents write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NewlyRefused => "newly_refused",
            Self::NewlyAllowed => "newly_allowed",
            Self::ChangedReason => "changed_reason",
            Self::AnsweredOtherwise => "answered_otherwise",
        }
    }
}

/// A route by its names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RouteName {
    /// The API.
    pub api: Arc<str>,
    /// The version.
    pub version: Arc<str>,
    /// The route.
    pub id: Arc<str>,
}

impl std::fmt::Display for RouteName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{} {}", self.api, self.version, self.id)
    }
}

/// A policy by its names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct PolicyName {
    /// Where it was declared.
    pub scope: Arc<str>,
    /// Its id.
    pub id: Arc<str>,
    /// Its kind.
    pub kind: &'static str,
}

/// What a revision said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Said {
    /// What becomes of the request: `forward`, `refuse` or `respond`.
    pub decision: &'static str,
    /// The reason code, or that of the gateway's own answer.
    pub code: Option<Arc<str>>,
    /// The rule of the policy's settings that found something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found_by: Option<Arc<str>>,
}

impl Said {
    /// A decision and its code.
    pub fn new(decision: Decision, code: Option<&str>) -> Self {
        let decision = match decision {
            Decision::Forward => "forward",
            Decision::Refuse => "refuse",
            Decision::Respond => "respond",
        };
        Self {
            decision,
            code: code.map(Arc::from),
            found_by: None,
        }
    }

    /// Says which rule of the policy found it.
    #[must_use]
    pub fn found_by(mut self, rule: Option<Arc<str>>) -> Self {
        self.found_by = rule;
        self
    }
}

/// Requests that are decided otherwise in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// How they differ.
    pub change: Change,
    /// Whose they are; absent when nobody known sent them.
    pub application: Option<Arc<str>>,
    /// Their route; absent when none was found.
    pub route: Option<RouteName>,
    /// The policy that makes the difference: the candidate's where it refuses, else the base's.
    pub policy: Option<PolicyName>,
    /// What the base says.
    pub before: Said,
    /// What the candidate says.
    pub after: Said,
    /// How many.
    pub requests: u64,
    /// When the first arrived, in microseconds since 1970.
    pub first: u64,
    /// When the last did.
    pub last: u64,
    /// The status that the candidate answers with; the base's, where the candidate lets the request through.
    pub status: Option<u16>,
    /// What a caller of a refused request can do.
    pub remedy: Option<&'static str>,
    /// The first of them.
    pub samples: Vec<Sample>,
}

/// One request, as it was recorded: without credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// Its id in the recording.
    pub id: Arc<str>,
    /// When it arrived, in microseconds since 1970.
    pub at: u64,
    /// The method.
    pub method: String,
    /// The path.
    pub path: Arc<str>,
    /// The caller's address.
    pub client: Option<std::net::IpAddr>,
    /// What was wrong with it.
    pub detail: Option<String>,
}

/// Requests that could not be judged for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unjudged {
    /// Which revision could not judge them: `base`, `candidate` or `both`.
    pub by: &'static str,
    /// Their route.
    pub route: Option<RouteName>,
    /// The policy that could not.
    pub policy: Option<PolicyName>,
    /// What it had to know and was not recorded.
    pub not_recorded: String,
    /// How many.
    pub requests: u64,
    /// Ids of the first of them.
    pub samples: Vec<Arc<str>>,
}

/// A limit whose window began before the recording did.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Warming {
    /// `base` or `candidate`.
    pub by: &'static str,
    /// The limit.
    pub policy: PolicyName,
    /// From when on its counts are complete, in microseconds since 1970.
    pub until: u64,
    /// Requests that it judged before.
    pub requests: u64,
}

/// How far the base, replayed, agrees with what was recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Disagreement {
    /// Requests that the base itself had decided live, and that were compared.
    pub compared: u64,
    /// Of these, decided otherwise now.
    pub differ: u64,
    /// Requests that another revision had decided live.
    pub other_revisions: u64,
    /// Of these, decided otherwise by the base: where the recording's revision and the base differ, this is no fault.
    pub other_revisions_differ: u64,
    /// What differs, most requests first: what was recorded, what the base says, how many, and ids of the first.
    pub cases: Vec<(Said, Said, u64, Vec<Arc<str>>)>,
}

/// What a replay saw of one caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Caller {
    /// The application; absent for all callers who are none.
    pub application: Option<Arc<str>>,
    /// Requests that were judged.
    pub requests: u64,
    /// Of these, newly refused.
    pub newly_refused: u64,
    /// Of these, newly allowed.
    pub newly_allowed: u64,
    /// Of these, refused for another reason or answered otherwise.
    pub otherwise: u64,
}

/// A clause of the expectation with what it met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clause {
    /// Which differences it allows.
    pub change: Change,
    /// What it says.
    pub says: String,
    /// How many requests fit it.
    pub requests: u64,
    /// Whether they are as many as it says.
    pub holds: bool,
}

/// Differences that nobody stated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unexpected {
    /// How they differ.
    pub change: Change,
    /// How many requests; how many are missing, when fewer were refused or allowed than stated.
    pub requests: u64,
    /// Which, in words.
    pub what: String,
}
