use std::fmt;

use serde::{Deserialize, Serialize};

use crate::node::Span;

/// How much a [`Problem`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The document is refused.
    Error,
    /// The document is accepted; a person should look.
    Warning,
}

/// Something wrong in a document: what, where, and what to write instead.
///
/// `line` and `column` count from 1; both are 0 when the problem concerns a whole file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Whether the document is refused because of it.
    pub severity: Severity,
    /// The file, as the person named it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What was wrong; lower case, no full stop.
    pub message: String,
    /// What to write instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Problem {
    /// An error at `span`.
    pub fn new(span: &Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: span.file.to_string(),
            line: span.line,
            column: span.column,
            message: message.into(),
            help: None,
        }
    }

    /// An error about a whole file.
    pub fn in_file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: file.into(),
            line: 0,
            column: 0,
            message: message.into(),
            help: None,
        }
    }

    /// A problem of a whole document, under the name that the person knows the document by; another one as it is.
    #[must_use]
    pub fn known_as(mut self, name: impl FnOnce() -> String) -> Self {
        if self.line == 0 {
            self.file = name();
        }
        self
    }

    /// The same problem, as a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// Adds what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// An unknown name where one of `valid` was expected, with the nearest of them.
    pub fn unknown(span: &Span, what: &str, name: &str, valid: &[&str]) -> Self {
        let problem = Self::new(span, format!("unknown {what} `{name}`"));
        match nearest(name, valid) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None if valid.is_empty() => problem,
            None => problem.help(format!("expected one of {}", quoted(valid))),
        }
    }

    /// Something else than one of these names.
    pub(crate) fn one_of(span: &Span, message: String, valid: &[&str]) -> Self {
        let problem = Self::new(span, message);
        if valid.is_empty() {
            return problem;
        }
        problem.help(format!("write one of {}", quoted(valid)))
    }

    /// Whether the document is refused because of it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        f.write_str(": ")?;
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

fn quoted(names: &[&str]) -> String {
    let mut names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.sort_unstable();
    names.join(", ")
}

/// The valid name nearest to `name`, when one is near enough to be what was meant.
pub fn nearest<'a>(name: &str, valid: &[&'a str]) -> Option<&'a str> {
    let flat = |text: &str| text.to_ascii_lowercase().replace(['-', ' '], "_");
    let wanted = flat(name);
    valid
        .iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&wanted, &flat(candidate)),
                *candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Problems in one line.
pub fn one_line(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("; ")
}
