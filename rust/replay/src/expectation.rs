//! What a change is expected to do, as its author states it.

use std::collections::BTreeSet;

use lockgate_config::{Each, Problem, Raw, Spanned, Value, decode, parse};
use lockgate_policy::{Revision, reasons};
use serde::Deserialize;

use crate::report::{Change, Clause, Group, Outcome, RouteName, Totals, Unexpected};

/// The most requests that may not be judged, in hundredths of a percent, when nobody says.
const USUAL_UNJUDGED: u32 = 100;
/// The same for decisions of the base that are not those that were recorded.
const USUAL_DISAGREEMENT: u32 = 100;

/// The most differences that a clause may expect which names nothing: what is never reached expects anything (F16).
const MOST_OF_ANYTHING: u64 = 10_000;

/// A stated expectation. Without one, no difference is expected.
#[derive(Debug)]
pub struct Expectation {
    clauses: Vec<Stated>,
    unjudged: u32,
    disagreement: u32,
    requests: u64,
}

impl Default for Expectation {
    fn default() -> Self {
        Self {
            clauses: Vec::new(),
            unjudged: USUAL_UNJUDGED,
            disagreement: USUAL_DISAGREEMENT,
            requests: 1,
        }
    }
}

#[derive(Debug)]
struct Stated {
    change: Change,
    says: Says,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    newly_refused: Option<Raw>,
    newly_allowed: Option<Raw>,
    changed_reason: Option<Raw>,
    answered_otherwise: Option<Raw>,
    unjudged: Option<Share>,
    disagreement: Option<Share>,
    requests: Option<Least>,
}

/// Which differences of one sort are expected; all that it names must fit.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Says {
    #[serde(default)]
    applications: Each<Spanned<String>>,
    #[serde(default)]
    routes: Each<Spanned<String>>,
    #[serde(default)]
    policies: Each<Spanned<String>>,
    #[serde(default)]
    reasons: Each<Spanned<String>>,
    at_most: Option<u64>,
    at_least: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Share {
    at_most: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Least {
    at_least: u64,
}

/// The names that an expectation may use: those of both revisions.
#[derive(Debug, Default)]
pub struct Known {
    applications: BTreeSet<String>,
    routes: BTreeSet<String>,
    policies: BTreeSet<String>,
}

impl Known {
    /// The names of two revisions.
    pub fn of(revisions: [&Revision; 2]) -> Self {
        let mut known = Self::default();
        for revision in revisions {
            let applications = revision.directory.ids();
            known
                .applications
                .extend(applications.into_iter().map(str::to_owned));
            for route in &revision.routes {
                known
                    .routes
                    .insert(crate::tally::route_name(route).to_string());
                let policies = route.chain.policies().iter();
                known
                    .policies
                    .extend(policies.map(|policy| policy.id.to_string()));
            }
        }
        known
    }
}

impl Expectation {
    /// Reads an expectation from YAML or JSON; `name` is the file, for messages.
    ///
    /// # Errors
    /// Every problem found.
    pub fn read(name: &str, text: &str, known: &Known) -> Result<Self, Vec<Problem>> {
        let node = parse(name, text).map_err(|problem| vec![problem])?;
        let file: File = decode(&node)?;
        let mut problems = Vec::new();
        let mut clauses = Vec::new();
        for (change, stated) in [
            (Change::NewlyRefused, file.newly_refused),
            (Change::NewlyAllowed, file.newly_allowed),
            (Change::ChangedReason, file.changed_reason),
            (Change::AnsweredOtherwise, file.answered_otherwise),
        ] {
            let Some(Raw(node)) = stated else { continue };
            let nodes = match &node.value {
                Value::List(items) if items.is_empty() => {
                    problems.push(Problem::new(&node.span, "the list is empty").help(
                        "write at least one entry, or leave the field out: then nothing is expected",
                    ));
                    continue;
                }
                Value::List(items) => items.iter().collect(),
                _ => vec![&node],
            };
            for node in nodes {
                match decode::<Says>(node) {
                    Err(mut found) => problems.append(&mut found),
                    Ok(says) => {
                        says.check(&node.span, known, &mut problems);
                        clauses.push(Stated { change, says });
                    }
                }
            }
        }
        let mut share = |share: Option<Share>, usual| match share {
            None => usual,
            Some(share) => percent(&share.at_most).unwrap_or_else(|problem| {
                problems.push(problem);
                usual
            }),
        };
        let expectation = Self {
            clauses,
            unjudged: share(file.unjudged, USUAL_UNJUDGED),
            disagreement: share(file.disagreement, USUAL_DISAGREEMENT),
            requests: file.requests.map_or(1, |least| least.at_least.max(1)),
        };
        if problems.is_empty() {
            Ok(expectation)
        } else {
            Err(problems)
        }
    }

    /// Compares differences with what was stated: the clauses with what they met, and what nobody stated.
    pub fn judge(&self, groups: &[Group]) -> (Vec<Clause>, Vec<Unexpected>) {
        let mut clauses: Vec<Clause> = self
            .clauses
            .iter()
            .map(|stated| Clause {
                change: stated.change,
                says: stated.says.to_string(),
                requests: 0,
                holds: true,
            })
            .collect();
        let mut unexpected = Vec::new();
        for group in groups {
            let fitting = self
                .clauses
                .iter()
                .zip(&mut clauses)
                .find(|(stated, _)| stated.change == group.change && stated.says.fits(group));
            match fitting {
                Some((_, clause)) => clause.requests += group.requests,
                None => unexpected.push(Unexpected {
                    change: group.change,
                    requests: group.requests,
                    what: describe(group),
                }),
            }
        }
        for (stated, clause) in self.clauses.iter().zip(&mut clauses) {
            let (most, least) = (stated.says.at_most, stated.says.at_least);
            let beyond = most.map_or(0, |most| clause.requests.saturating_sub(most));
            let missing = least.map_or(0, |least| least.saturating_sub(clause.requests));
            clause.holds = beyond == 0 && missing == 0;
            for (requests, what) in [(beyond, "more than"), (missing, "fewer than")] {
                if requests > 0 {
                    unexpected.push(Unexpected {
                        change: clause.change,
                        requests,
                        what: format!("{what} stated: {}", clause.says),
                    });
                }
            }
        }
        (clauses, unexpected)
    }

    /// What to make of it all. A difference that nobody stated is one, however much else is not known.
    pub fn outcome(&self, totals: &Totals, compared: (u64, u64), unexpected: bool) -> Outcome {
        let of_all = |part: u64, all: u64, most: u32| {
            u128::from(part) * 10_000 > u128::from(all) * u128::from(most)
        };
        let (compared, differ) = compared;
        let asked = totals.judged + totals.unjudged;
        if unexpected {
            Outcome::Unexpected
        } else if totals.judged + totals.unjudged < self.requests {
            Outcome::NoData
        } else if of_all(totals.unjudged, asked, self.unjudged) {
            Outcome::TooMuchUnjudged
        } else if of_all(differ, compared, self.disagreement) {
            Outcome::NotTrustworthy
        } else if totals.unchanged == totals.judged {
            Outcome::NoChange
        } else {
            Outcome::AsExpected
        }
    }
}

impl Says {
    fn check(&self, span: &lockgate_config::Span, known: &Known, problems: &mut Vec<Problem>) {
        let names = [
            &self.applications,
            &self.routes,
            &self.policies,
            &self.reasons,
        ];
        if names.iter().all(|names| names.is_empty()) && self.at_most.is_none() {
            problems.push(
                Problem::new(span, "this expects anything, so it expects nothing").help(
                    "name `applications`, `routes`, `policies` or `reasons`, or write `at_most`",
                ),
            );
        }
        if names.iter().all(|names| names.is_empty())
            && let Some(most) = self.at_most.filter(|most| *most > MOST_OF_ANYTHING)
        {
            let message = format!("`at_most: {most}` of anything is anything");
            problems.push(Problem::new(span, message).help(format!(
                "write at most {MOST_OF_ANYTHING}, or name `applications`, `routes`, `policies` or `reasons`"
            )));
        }
        let reasons: BTreeSet<String> = reasons().map(|reason| reason.code.to_owned()).collect();
        for (names, what, valid) in [
            (&self.applications, "application", &known.applications),
            (&self.routes, "route", &known.routes),
            (&self.policies, "policy", &known.policies),
            (&self.reasons, "reason", &reasons),
        ] {
            for name in names.iter().filter(|name| !valid.contains(name.as_str())) {
                let valid: Vec<&str> = valid.iter().map(String::as_str).collect();
                let problem = Problem::unknown(&name.span, what, name, &[]);
                problems.push(match lockgate_config::nearest(name, &valid) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help(match what {
                        "application" => {
                            "write the id of an application of one of the two documents"
                        }
                        "route" => {
                            "write a route as `API/VERSION ROUTE`, such as `orders/v1 DELETE /{id}`"
                        }
                        "policy" => "write the id of a policy of one of the two documents",
                        _ => "`lockgate policies KIND` lists the reasons of a kind",
                    }),
                });
            }
        }
    }

    fn fits(&self, group: &Group) -> bool {
        let one_of = |names: &[Spanned<String>], name: Option<&str>| {
            names.is_empty() || name.is_some_and(|name| names.iter().any(|known| **known == *name))
        };
        let route = group.route.as_ref().map(RouteName::to_string);
        let reason = match group.change {
            Change::NewlyAllowed => &group.before.code,
            _ => &group.after.code,
        };
        one_of(&self.applications, group.application.as_deref())
            && one_of(&self.routes, route.as_deref())
            && one_of(
                &self.policies,
                group.policy.as_ref().map(|policy| &*policy.id),
            )
            && one_of(&self.reasons, reason.as_deref())
    }
}

impl std::fmt::Display for Says {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = Vec::new();
        for (what, names) in [
            ("applications", &self.applications),
            ("routes", &self.routes),
            ("policies", &self.policies),
            ("reasons", &self.reasons),
        ] {
            if !names.is_empty() {
                let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
                parts.push(format!("{what} {}", names.join(", ")));
            }
        }
        parts.extend(self.at_least.map(|least| format!("at least {least}")));
        parts.extend(self.at_most.map(|most| format!("at most {most}")));
        f.write_str(&parts.join("; "))
    }
}

fn describe(group: &Group) -> String {
    let said = |said: &crate::report::Said| match &said.code {
        Some(code) => format!("{} {code}", said.decision),
        None => said.decision.to_owned(),
    };
    let route = group.route.as_ref().map(RouteName::to_string);
    format!(
        "{} on {}: {} → {}",
        group.application.as_deref().unwrap_or("nobody known"),
        route.as_deref().unwrap_or("no route"),
        said(&group.before),
        said(&group.after),
    )
}

/// A percentage with at most two digits after the point, in hundredths of a percent.
fn percent(text: &Spanned<String>) -> Result<u32, Problem> {
    let problem = || {
        Problem::new(&text.span, format!("`{}` is not a share", text.value))
            .help("write a percentage between `0%` and `100%`, such as `1%` or `0.5%`")
    };
    let number = text.strip_suffix('%').ok_or_else(problem)?;
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 2 {
        return Err(problem());
    }
    let hundredths = |text: &str| text.parse::<u32>().map_err(|_| problem());
    let part = hundredths(part)? * if part.len() == 1 { 10 } else { 1 };
    match hundredths(whole)?.saturating_mul(100).saturating_add(part) {
        share @ 0..=10_000 => Ok(share),
        _ => Err(problem()),
    }
}
