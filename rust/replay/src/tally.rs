//! Counts of what differs, with bounded memory.

mod change;
mod live;
mod names;

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use lockgate_policy::Route;
use lockgate_recording::{Decision, Event};

use crate::judgement::{Decided, Judgement, Lack};
use crate::report::{
    Caller, Change, Disagreement, Group, PolicyName, RouteName, Said, Sample, Totals, Unjudged,
};
use crate::timeline::Timeline;

use change::change;
pub use live::is_outside_policies;
use live::recorded;
pub use names::{policy_name, route_name};

/// The most groups of one sort; what is more is counted in one without names.
const MOST_GROUPS: usize = 10_000;
/// How many requests of a group are shown.
const SAMPLES: usize = 5;

type GroupKey = (
    Change,
    Option<Arc<str>>,
    Option<RouteName>,
    Option<PolicyName>,
    Said,
    Said,
);
type UnjudgedKey = (&'static str, Option<RouteName>, Option<PolicyName>, String);
type Case = (u64, Vec<Arc<str>>);

/// What was counted so far.
#[derive(Debug, Default)]
pub struct Tally {
    pub totals: Totals,
    pub timeline: Timeline,
    groups: HashMap<GroupKey, Group>,
    unjudged: HashMap<UnjudgedKey, Case>,
    cases: HashMap<(Said, Said), Case>,
    pub disagreement: Disagreement,
    callers: HashMap<Option<Arc<str>>, Caller>,
    /// Addresses of routes.
    reached: HashSet<usize>,
}

impl Tally {
    /// Counts a request that a revision could not judge.
    pub fn not_judged(&mut self, event: &Event, by: &'static str, lack: &Lack<'_>) {
        self.totals.unjudged += 1;
        let route = lack.route.map(route_name);
        let policy = lack.policy.map(policy_name);
        let key = (by, route, policy, lack.what.clone().into_owned());
        let (requests, samples) = entry(&mut self.unjudged, key, || {
            (by, None, None, "more than can be named".into())
        });
        *requests += 1;
        sample(samples, &event.id);
    }

    /// Counts a request that both have judged.
    pub fn judged(&mut self, event: &Event, base: &Decided<'_>, candidate: &Decided<'_>) {
        self.totals.judged += 1;
        self.totals.refused_by_base += u64::from(base.decision == Decision::Refuse);
        self.totals.refused_by_candidate += u64::from(candidate.decision == Decision::Refuse);
        let application = base
            .application
            .clone()
            .or_else(|| candidate.application.clone())
            .or_else(|| event.application.clone());
        let change = change(base, candidate);
        let bucket = self.timeline.at(event.at);
        let caller = caller(&mut self.callers, &application);
        bucket.requests += 1;
        caller.requests += 1;
        let Some(change) = change else {
            self.totals.unchanged += 1;
            return;
        };
        let (total, in_time, of_caller) = match change {
            Change::NewlyRefused => (
                &mut self.totals.newly_refused,
                &mut bucket.newly_refused,
                &mut caller.newly_refused,
            ),
            Change::NewlyAllowed => (
                &mut self.totals.newly_allowed,
                &mut bucket.newly_allowed,
                &mut caller.newly_allowed,
            ),
            Change::ChangedReason => (
                &mut self.totals.changed_reason,
                &mut bucket.otherwise,
                &mut caller.otherwise,
            ),
            Change::AnsweredOtherwise => (
                &mut self.totals.answered_otherwise,
                &mut bucket.otherwise,
                &mut caller.otherwise,
            ),
        };
        *total += 1;
        *in_time += 1;
        *of_caller += 1;
        self.group(event, change, application, base, candidate);
    }

    fn group(
        &mut self,
        event: &Event,
        change: Change,
        application: Option<Arc<str>>,
        base: &Decided<'_>,
        candidate: &Decided<'_>,
    ) {
        let cause = if change == Change::NewlyAllowed {
            base
        } else {
            candidate
        };
        let said = |decided: &Decided<'_>| {
            let redacted = decided.redacted.as_deref();
            let redacted = redacted.filter(|_| change == Change::AnsweredOtherwise);
            let said = Said::new(decided.decision, decided.code.or(redacted));
            said.found_by(decided.found_by.clone())
        };
        let policy = match change {
            // What the candidate lets through as it is, the base took something out of.
            Change::AnsweredOtherwise if candidate.redacted.is_none() => cause
                .policy
                .or(base.policy.filter(|_| base.redacted.is_some())),
            _ => cause.policy,
        };
        let key = (
            change,
            application,
            candidate.route.or(base.route).map(route_name),
            policy.map(policy_name),
            said(base),
            said(candidate),
        );
        let other = || {
            let plain = |decision| Said::new(decision, None);
            (
                change,
                None,
                None,
                None,
                plain(base.decision),
                plain(candidate.decision),
            )
        };
        let key = admitted(&self.groups, key, other);
        let group = self.groups.entry(key).or_insert_with_key(|key| {
            let (change, application, route, policy, before, after) = key.clone();
            Group {
                change,
                application,
                route,
                policy,
                before,
                after,
                requests: 0,
                first: event.at,
                last: event.at,
                status: cause.status,
                remedy: cause.remedy,
                samples: Vec::new(),
            }
        });
        group.requests += 1;
        group.first = group.first.min(event.at);
        group.last = group.last.max(event.at);
        if group.samples.len() < SAMPLES {
            group.samples.push(Sample {
                id: event.id.clone(),
                at: event.at,
                method: event.method.clone().into_owned(),
                path: event.path.clone(),
                client: event.client,
                detail: cause.detail.clone().map(std::borrow::Cow::into_owned),
            });
        }
    }

    /// Compares the base, replayed, with what was recorded.
    pub fn compare(&mut self, event: &Event, base_id: &str, base: &Decided<'_>) {
        let Some((decision, code)) = recorded(event) else {
            return;
        };
        let differs = decision != base.decision || code != base.code;
        if *event.revision != *base_id {
            self.disagreement.other_revisions += 1;
            self.disagreement.other_revisions_differ += u64::from(differs);
            return;
        }
        self.disagreement.compared += 1;
        if !differs {
            return;
        }
        self.disagreement.differ += 1;
        let key = (
            Said::new(decision, code),
            Said::new(base.decision, base.code),
        );
        let other = || (Said::new(decision, None), Said::new(base.decision, None));
        let (requests, samples) = entry(&mut self.cases, key, other);
        *requests += 1;
        sample(samples, &event.id);
    }

    /// Notes the routes that a request reaches.
    pub fn reached(&mut self, judgements: [&Judgement<'_>; 2]) {
        for judgement in judgements {
            let route = match judgement {
                Judgement::Decided(decided) => decided.route,
                Judgement::Unjudged(lack) => lack.route,
            };
            if let Some(route) = route {
                self.reached.insert(std::ptr::from_ref(route).addr());
            }
        }
    }

    /// Whether a request has reached a route.
    pub fn has_reached(&self, route: &Route) -> bool {
        self.reached.contains(&std::ptr::from_ref(route).addr())
    }

    /// The groups, most requests first.
    pub fn groups(&mut self) -> Vec<Group> {
        let mut groups: Vec<Group> = std::mem::take(&mut self.groups).into_values().collect();
        groups.sort_by(|a, b| {
            let key = |group: &Group| {
                (
                    group.change,
                    u64::MAX - group.requests,
                    group.application.clone(),
                    group.route.clone(),
                    group.policy.clone(),
                    group.before.clone(),
                    group.after.clone(),
                )
            };
            key(a).cmp(&key(b))
        });
        groups
    }

    /// What could not be judged, most requests first.
    pub fn unjudged(&mut self) -> Vec<Unjudged> {
        let unjudged = std::mem::take(&mut self.unjudged).into_iter();
        let mut unjudged: Vec<(UnjudgedKey, Case)> = unjudged.collect();
        unjudged.sort_by(|(a, (more, _)), (b, (less, _))| less.cmp(more).then_with(|| a.cmp(b)));
        let named = unjudged
            .into_iter()
            .map(|((by, route, policy, what), case)| Unjudged {
                by,
                route,
                policy,
                not_recorded: what,
                requests: case.0,
                samples: case.1,
            });
        named.collect()
    }

    /// How far the base agrees with what was recorded.
    pub fn disagreement(&mut self) -> Disagreement {
        let cases = std::mem::take(&mut self.cases).into_iter();
        let mut cases: Vec<_> = cases
            .map(|((recorded, now), (requests, samples))| (recorded, now, requests, samples))
            .collect();
        cases.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| (&a.0, &a.1).cmp(&(&b.0, &b.1))));
        Disagreement {
            cases,
            ..std::mem::take(&mut self.disagreement)
        }
    }

    /// All callers, most requests first.
    pub fn callers(&mut self) -> Vec<Caller> {
        let mut callers: Vec<Caller> = std::mem::take(&mut self.callers).into_values().collect();
        callers.sort_by(|a, b| {
            let more = b.requests.cmp(&a.requests);
            more.then_with(|| a.application.cmp(&b.application))
        });
        callers
    }
}

fn sample(samples: &mut Vec<Arc<str>>, id: &Arc<str>) {
    if samples.len() < SAMPLES {
        samples.push(id.clone());
    }
}

/// The key, or that of the group for all that is too much.
fn admitted<K: Eq + Hash, V>(groups: &HashMap<K, V>, key: K, other: impl FnOnce() -> K) -> K {
    if groups.len() < MOST_GROUPS || groups.contains_key(&key) {
        key
    } else {
        other()
    }
}

fn entry<K: Eq + Hash>(
    groups: &mut HashMap<K, Case>,
    key: K,
    other: impl FnOnce() -> K,
) -> &mut Case {
    let key = admitted(groups, key, other);
    groups.entry(key).or_default()
}

fn caller<'a>(
    callers: &'a mut HashMap<Option<Arc<str>>, Caller>,
    application: &Option<Arc<str>>,
) -> &'a mut Caller {
    // Applications come from two directories, which bounds their number.
    callers
        .entry(application.clone())
        .or_insert_with(|| Caller {
            application: application.clone(),
            requests: 0,
            newly_refused: 0,
            newly_allowed: 0,
            otherwise: 0,
        })
}
