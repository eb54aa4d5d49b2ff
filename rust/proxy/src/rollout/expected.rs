//! What a change says of itself: which decisions will be others.

use lockgate_rollout::Change;
use serde::{Deserialize, Serialize};

/// The most decisions that may be expected of everybody, and of named applications: what is never reached approves everything (F16).
const MOST_OF_EVERYBODY: u64 = 10_000;
const MOST_OF_NAMED: u64 = 1_000_000;

/// Callers and a number of decisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowance {
    /// The applications; `*` is everybody, also who is not identified.
    pub applications: Vec<String>,
    /// The most decisions.
    pub at_most: u64,
}

/// What is expected to differ. What is absent is not expected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    /// Calls that the candidate refuses and the live revision allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newly_refused: Option<Allowance>,
    /// Calls that it allows and the live revision refuses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newly_allowed: Option<Allowance>,
    /// Calls that both refuse or both answer, and not alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<Allowance>,
}

impl Allowance {
    fn is_of_everybody(&self) -> bool {
        self.applications.iter().any(|name| name == "*")
    }

    fn covers(&self, application: Option<&str>) -> bool {
        self.applications
            .iter()
            .any(|name| name == "*" || application == Some(name.as_str()))
    }
}

impl Expected {
    /// Checks that nothing empty is taken for everything.
    ///
    /// # Errors
    /// What to write instead.
    pub fn check(&self) -> Result<(), String> {
        let all = [
            ("newly_refused", &self.newly_refused),
            ("newly_allowed", &self.newly_allowed),
            ("other", &self.other),
        ];
        for (name, allowance) in all {
            let Some(allowance) = allowance else {
                continue;
            };
            if allowance.applications.is_empty() {
                return Err(format!(
                    "`expect.{name}.applications` is empty; name applications, or write `[\"*\"]` for everybody"
                ));
            }
            if allowance.at_most == 0 {
                return Err(format!(
                    "`expect.{name}.at_most` is 0; write the most decisions, or leave `{name}` out"
                ));
            }
            let (whose, most, instead) = if allowance.is_of_everybody() {
                (
                    "everybody's",
                    MOST_OF_EVERYBODY,
                    ", or name the applications",
                )
            } else {
                ("these applications'", MOST_OF_NAMED, "")
            };
            if allowance.at_most > most {
                return Err(format!(
                    "`expect.{name}.at_most` approves {} of {whose} decisions, which no rollout reaches; write at most {most}{instead}",
                    allowance.at_most
                ));
            }
        }
        Ok(())
    }

    const fn of(&self, change: Change) -> Option<&Allowance> {
        match change {
            Change::NewlyRefused => self.newly_refused.as_ref(),
            Change::NewlyAllowed => self.newly_allowed.as_ref(),
            Change::Other => self.other.as_ref(),
        }
    }

    /// Whether a difference is expected, after so many that were.
    pub fn approves(&self, change: Change, application: Option<&str>, before: u64) -> bool {
        self.of(change)
            .is_some_and(|allowance| allowance.covers(application) && before < allowance.at_most)
    }

    /// Whether refusals of an application are expected.
    pub fn refusals_of(&self, application: Option<&str>) -> bool {
        self.newly_refused
            .as_ref()
            .is_some_and(|allowance| allowance.covers(application))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(applications: &[&str], at_most: u64) -> Expected {
        Expected {
            newly_refused: Some(Allowance {
                applications: applications.iter().map(|name| (*name).to_owned()).collect(),
                at_most,
            }),
            ..Expected::default()
        }
    }

    #[test]
    fn only_named_applications_and_so_many_decisions_are_approved() {
        let expected = expected(&["batch"], 2);
        let approves =
            |application, before| expected.approves(Change::NewlyRefused, application, before);
        assert!(approves(Some("batch"), 0) && approves(Some("batch"), 1));
        assert!(!approves(Some("batch"), 2) && !approves(Some("shop"), 0) && !approves(None, 0));
        assert!(!expected.approves(Change::NewlyAllowed, Some("batch"), 0));
    }

    #[test]
    fn everybody_must_be_said() {
        assert!(expected(&["*"], 1).approves(Change::NewlyRefused, None, 0));
        assert_eq!(
            expected(&[], 1).check().unwrap_err(),
            "`expect.newly_refused.applications` is empty; name applications, or write `[\"*\"]` for everybody"
        );
        assert_eq!(
            expected(&["batch"], 0).check().unwrap_err(),
            "`expect.newly_refused.at_most` is 0; write the most decisions, or leave `newly_refused` out"
        );
    }

    #[test]
    fn a_number_that_is_never_reached_approves_nothing() {
        assert!(expected(&["*"], 10_000).check().is_ok());
        assert!(expected(&["batch"], 1_000_000).check().is_ok());
        assert_eq!(
            expected(&["*", "batch"], 10_001).check().unwrap_err(),
            "`expect.newly_refused.at_most` approves 10001 of everybody's decisions, which no rollout reaches; write at most 10000, or name the applications"
        );
        assert_eq!(
            expected(&["batch"], 1_000_001).check().unwrap_err(),
            "`expect.newly_refused.at_most` approves 1000001 of these applications' decisions, which no rollout reaches; write at most 1000000"
        );
    }
}
