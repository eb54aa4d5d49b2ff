//! Decisions of two revisions about the same requests, and where they differ.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockgate_policy::{Chain, Outcome, Route, VerdictRecord, Word};
use lockgate_rollout::Change;
use serde::Serialize;

use super::expected::Expected;

/// Groups that are told apart; what comes after them is counted together.
const MOST_GROUPS: usize = 256;
/// Requests that are shown of a group.
const MOST_SAMPLES: usize = 3;

/// What a revision decided about a request. Fields of answers are no part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Ruling {
    /// What becomes of the request.
    pub decision: &'static str,
    /// The reason code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// The status of an answer that the gateway gives itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

impl Ruling {
    /// What an outcome is.
    pub fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Forward => Self {
                decision: "forward",
                code: None,
                status: None,
            },
            Outcome::Respond(reply) => Self {
                decision: "respond",
                code: Some(reply.code),
                status: Some(reply.status.as_u16()),
            },
            Outcome::Refuse(refusal) => Self::refusal(refusal),
        }
    }

    /// A refusal.
    pub const fn refusal(refusal: &lockgate_policy::Refusal) -> Self {
        Self {
            decision: "refuse",
            code: Some(refusal.reason.code),
            status: Some(refusal.reason.status),
        }
    }

    fn refuses(self) -> bool {
        self.decision == "refuse"
    }
}

/// How the candidate's decision differs from the base's; nothing when they are alike.
pub fn change(base: Ruling, candidate: Ruling) -> Option<Change> {
    if base == candidate {
        return None;
    }
    Some(match (base.refuses(), candidate.refuses()) {
        (true, false) => Change::NewlyAllowed,
        (false, true) => Change::NewlyRefused,
        _ => Change::Other,
    })
}

/// A decision with what is shown of it.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The decision.
    pub ruling: Ruling,
    /// Who called, as this revision sees it.
    pub application: Option<Arc<str>>,
    /// The route.
    pub route: Option<Place>,
    /// The policy that refused or answered.
    pub policy: Option<Arc<str>>,
}

/// Where a request went.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The API.
    pub api: Arc<str>,
    /// Its version.
    pub version: Arc<str>,
    /// The route.
    pub route: Arc<str>,
    /// The path with variables in place of what was sent: a path may name people.
    pub path: Arc<str>,
}

impl Place {
    /// The place of a route.
    pub fn of(route: &Route) -> Self {
        Self {
            api: route.api.clone(),
            version: route.version.clone(),
            route: route.id.clone(),
            path: route.path.clone(),
        }
    }
}

/// The policy that made the decision: the last one that refused or answered.
pub fn deciding(chain: &Chain, verdicts: &[VerdictRecord], ruling: Ruling) -> Option<Arc<str>> {
    let code = ruling.code?;
    let last = verdicts.iter().rev().find(|verdict| {
        matches!(verdict.word, Word::Deny | Word::Respond | Word::Undecided)
            && !verdict.tried
            && verdict.code == Some(code)
    })?;
    let policy = chain.policies().get(usize::from(last.policy))?;
    Some(policy.id.clone())
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Key {
    change: &'static str,
    approved: bool,
    application: Option<Arc<str>>,
    #[serde(flatten)]
    place: Option<Place>,
    policy: Option<Arc<str>>,
    base: Ruling,
    candidate: Ruling,
}

/// A request of a group; nothing of it that a caller wrote, but the method.
#[derive(Debug, Clone, Serialize)]
struct Sample {
    id: String,
    at: u64,
    method: String,
}

#[derive(Debug, Default, Serialize)]
struct Group {
    count: u64,
    samples: Vec<Sample>,
}

/// A request about which two revisions decided.
pub struct Pair<'a> {
    /// Its id.
    pub id: &'a str,
    /// Microseconds since 1970.
    pub at: u64,
    /// The method.
    pub method: &'a str,
    /// What the base said.
    pub base: Decided,
    /// What the candidate said.
    pub candidate: Decided,
}

/// All differences of a rollout.
#[derive(Debug, Default)]
pub struct Differences {
    groups: BTreeMap<Key, Group>,
    more: u64,
    approved: BTreeMap<&'static str, u64>,
}

const fn name(change: Change) -> &'static str {
    match change {
        Change::NewlyAllowed => "newly_allowed",
        Change::NewlyRefused => "newly_refused",
        Change::Other => "other",
    }
}

impl Differences {
    /// Takes a pair. When the two differ: how, and whether that is expected.
    pub fn add(&mut self, pair: Pair<'_>, expected: &Expected) -> Option<(Change, bool)> {
        let (base, candidate) = (pair.base, pair.candidate);
        let change = change(base.ruling, candidate.ruling)?;
        // The revision that lets a caller in knows better who it is.
        let application = base.application.or(candidate.application);
        let before = self.approved.entry(name(change)).or_default();
        let approved = expected.approves(change, application.as_deref(), *before);
        *before += u64::from(approved);
        let key = Key {
            change: name(change),
            approved,
            application,
            place: base.route.or(candidate.route),
            policy: match change {
                Change::NewlyAllowed => base.policy,
                Change::NewlyRefused | Change::Other => candidate.policy.or(base.policy),
            },
            base: base.ruling,
            candidate: candidate.ruling,
        };
        if self.groups.len() >= MOST_GROUPS && !self.groups.contains_key(&key) {
            self.more += 1;
            return Some((change, approved));
        }
        let group = self.groups.entry(key).or_default();
        group.count += 1;
        if group.samples.len() < MOST_SAMPLES {
            group.samples.push(Sample {
                id: pair.id.to_owned(),
                at: pair.at,
                method: pair.method.chars().take(16).collect(),
            });
        }
        Some((change, approved))
    }

    /// All groups, those with the most requests first, and how many differences are in none.
    pub fn to_json(&self) -> serde_json::Value {
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.count));
        let groups: Vec<serde_json::Value> = groups
            .into_iter()
            .map(|(key, group)| {
                let mut shown = serde_json::to_value(key).unwrap_or_default();
                if let (Some(shown), Ok(serde_json::Value::Object(group))) =
                    (shown.as_object_mut(), serde_json::to_value(group))
                {
                    shown.extend(group);
                }
                shown
            })
            .collect();
        serde_json::json!({ "groups": groups, "in_no_group": self.more, "approved": self.approved })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::expected::Allowance;

    fn decided(decision: &'static str, code: Option<&'static str>) -> Decided {
        Decided {
            ruling: Ruling {
                decision,
                code,
                status: code.map(|_| 403),
            },
            application: Some("shop".into()),
            route: None,
            policy: code.map(|_| "scope".into()),
        }
    }

    fn pair(base: Decided, candidate: Decided) -> Pair<'static> {
        Pair {
            id: "r1",
            at: 7,
            method: "GET",
            base,
            candidate,
        }
    }

    #[test]
    fn each_direction_of_a_difference_has_its_name() {
        let (forward, refuse) = (decided("forward", None), decided("refuse", Some("a.b")));
        let respond = decided("respond", Some("c.d"));
        for (base, candidate, expected) in [
            (&forward, &forward, None),
            (&forward, &refuse, Some(Change::NewlyRefused)),
            (&refuse, &respond, Some(Change::NewlyAllowed)),
            (&forward, &respond, Some(Change::Other)),
            (
                &refuse,
                &decided("refuse", Some("e.f")),
                Some(Change::Other),
            ),
        ] {
            assert_eq!(change(base.ruling, candidate.ruling), expected);
        }
    }

    #[test]
    fn differences_are_approved_up_to_their_number_and_grouped() {
        let expected = Expected {
            newly_refused: Some(Allowance {
                applications: vec!["shop".into()],
                at_most: 2,
            }),
            ..Expected::default()
        };
        let mut differences = Differences::default();
        let mut add = || {
            let pair = pair(decided("forward", None), decided("refuse", Some("a.b")));
            differences.add(pair, &expected)
        };
        let found: Vec<_> = (0..3).map(|_| add()).collect();
        let refused = |approved| Some((Change::NewlyRefused, approved));
        assert_eq!(found, [refused(true), refused(true), refused(false)]);
        let shown = differences.to_json();
        assert_eq!(shown["groups"][0]["count"], 2);
        assert_eq!(shown["groups"][0]["policy"], "scope");
        assert_eq!(shown["groups"][1]["approved"], false);
        assert_eq!(shown["groups"][1]["samples"][0]["id"], "r1");
    }
}
