//! What a case expects, and how it differs from what came.

use indexmap::IndexMap;
use lockgate_policy::Word;
use serde::{Deserialize, Serialize};

use crate::came::Came;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// It goes to the service.
    Forward,
    /// The gateway answers itself.
    Respond,
    /// It is refused.
    Refuse,
    /// Nothing: a fact is needed that the case does not give.
    Need,
}

impl Decision {
    /// The word as traces and events hold it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Respond => "respond",
            Self::Refuse => "refuse",
            Self::Need => "need",
        }
    }
}

/// What a policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Said {
    /// The request may go on.
    Allow,
    /// It is refused.
    Deny,
    /// The gateway answers.
    Respond,
    /// Nothing.
    Pass,
    /// It does not apply.
    Skip,
    /// It cannot decide.
    Undecided,
    /// It is not asked.
    Unreached,
}

impl Said {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => Word::Allow.as_str(),
            Self::Deny => Word::Deny.as_str(),
            Self::Respond => Word::Respond.as_str(),
            Self::Pass => Word::Pass.as_str(),
            Self::Skip => Word::Skip.as_str(),
            Self::Undecided => Word::Undecided.as_str(),
            Self::Unreached => UNREACHED,
        }
    }
}

const UNREACHED: &str = "unreached";

/// What is expected of one request. What is absent is not looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Expect {
    /// What becomes of it.
    pub decision: Decision,
    /// The reason code.
    pub code: Option<String>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// Fields of the answer, with all their values.
    pub headers: Vec<(String, String)>,
    /// Fields that the answer has not.
    pub without: Vec<String>,
    /// The body of the answer.
    pub body: Option<String>,
    /// The application that was identified.
    pub application: Option<String>,
    /// The id of the route.
    pub route: Option<String>,
    /// What policies say, by id.
    pub policies: IndexMap<String, Said>,
    /// The rules of policies that find something, those that are only tried out among them, by the id of the policy.
    pub rules: IndexMap<String, Vec<String>>,
    /// What the service gets.
    pub forwarded: ExpectForwarded,
}

/// What is expected of the forwarded request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpectForwarded {
    /// Its path.
    pub path: Option<String>,
    /// Its query; empty for none.
    pub query: Option<String>,
    /// Fields that it has, with all their values.
    pub headers: Vec<(String, String)>,
    /// Fields that it has not.
    pub without: Vec<String>,
    /// Whether the answer may come from the cache, or go there.
    pub cache: Option<bool>,
}

/// Something that is not as it was expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What, such as `status` or `header Retry-After`.
    pub what: String,
    /// What was expected.
    pub expected: String,
    /// What came.
    pub came: String,
}

const NOTHING: &str = "nothing";

impl Expect {
    /// Whether the case shows what an allowed request is given: a caller, changed fields, another path, an answer.
    pub fn shows_an_effect(&self) -> bool {
        self.decision == Decision::Respond
            || self.application.is_some()
            || self.body.is_some()
            || !self.headers.is_empty()
            || !self.without.is_empty()
            || self.forwarded != ExpectForwarded::default()
    }

    /// Compares.
    pub fn differences(&self, came: &Came) -> Vec<Difference> {
        let mut found = Differences(Vec::new());
        found.one(
            "decision",
            Some(self.decision.as_str()),
            Some(came.decision),
        );
        if self.code.is_some() {
            found.one("code", self.code.as_deref(), came.code.as_deref());
        }
        if let Some(status) = self.status {
            let text = |status: u16| status.to_string();
            let came = came.status.map(text);
            found.one("status", Some(&text(status)), came.as_deref());
        }
        if self.application.is_some() {
            let came = came.application.as_deref();
            found.one("application", self.application.as_deref(), came);
        }
        if self.route.is_some() {
            found.one("route", self.route.as_deref(), came.route.as_deref());
        }
        found.fields("header", &self.headers, &self.without, &came.headers);
        if self.body.is_some() {
            found.one("body", self.body.as_deref(), came.body.as_deref());
        }
        for (id, said) in &self.policies {
            let what = format!("policy {id}");
            match came.verdicts.iter().find(|verdict| *verdict.id == **id) {
                None => found.push(what, "a policy of the route", "no such policy"),
                Some(verdict) => {
                    let came = verdict.word.as_deref().unwrap_or(UNREACHED);
                    found.one(&what, Some(said.as_str()), Some(came));
                }
            }
        }
        for (id, rules) in &self.rules {
            let what = format!("rules of {id}");
            match came.verdicts.iter().find(|verdict| *verdict.id == **id) {
                None => found.push(what, "a policy of the route", "no such policy"),
                Some(verdict) => {
                    let came: Vec<&str> = verdict.rules.iter().map(|rule| &**rule).collect();
                    let text = |rules: String| (!rules.is_empty()).then_some(rules);
                    let (wanted, came) = (text(rules.join(", ")), text(came.join(", ")));
                    found.one(&what, wanted.as_deref(), came.as_deref());
                }
            }
        }
        self.forwarded.compare(came, &mut found);
        found.0
    }
}

impl ExpectForwarded {
    fn compare(&self, came: &Came, found: &mut Differences) {
        if *self == Self::default() || came.decision != Decision::Forward.as_str() {
            return;
        }
        let Some(forwarded) = &came.forwarded else {
            return found.push("forwarded".into(), "a request to the service", NOTHING);
        };
        if self.path.is_some() {
            let path = Some(forwarded.path.as_str());
            found.one("forwarded path", self.path.as_deref(), path);
        }
        if let Some(query) = &self.query {
            let given = |query: &str| (!query.is_empty()).then(|| query.to_owned());
            let came = forwarded.query.as_deref().and_then(given);
            found.one("forwarded query", given(query).as_deref(), came.as_deref());
        }
        found.fields(
            "forwarded header",
            &self.headers,
            &self.without,
            &forwarded.headers,
        );
        if let Some(cache) = self.cache {
            let text = |cache| if cache { "used" } else { "not used" };
            found.one("cache", Some(text(cache)), Some(text(forwarded.cache)));
        }
    }
}

struct Differences(Vec<Difference>);

impl Differences {
    fn push(&mut self, what: String, expected: &str, came: &str) {
        self.0.push(Difference {
            what,
            expected: expected.into(),
            came: came.into(),
        });
    }

    fn one(&mut self, what: &str, expected: Option<&str>, came: Option<&str>) {
        if expected != came {
            let (expected, came) = (expected.unwrap_or(NOTHING), came.unwrap_or(NOTHING));
            self.push(what.into(), expected, came);
        }
    }

    fn fields(
        &mut self,
        what: &str,
        expected: &[(String, String)],
        without: &[String],
        came: &[(String, String)],
    ) {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in expected {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        for name in names {
            let (wanted, found) = (values(expected, name), values(came, name));
            self.one(
                &format!("{what} {name}"),
                wanted.as_deref(),
                found.as_deref(),
            );
        }
        for name in without {
            let found = values(came, name);
            self.one(&format!("{what} {name}"), None, found.as_deref());
        }
    }
}

/// All values of a field, joined as RFC 9110 §5.3 allows.
pub fn values(fields: &[(String, String)], name: &str) -> Option<String> {
    let values: Vec<&str> = fields
        .iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
        .collect();
    (!values.is_empty()).then(|| values.join(", "))
}
