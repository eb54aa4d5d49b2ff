//! Rules that a document writes: expressions, each looked for in the parts of a request that it names.

mod automaton;

use std::ops::ControlFlow;

pub use automaton::PatternError;
use automaton::{Group, TooLargeTogether, group, read};

use super::decode::views;
use super::excerpt::printable_name;
use super::field::{Field, Location};
use super::{FIELDS_MAX, INSPECTED_BYTES_MAX, OverBudget, Viewer};

/// The most rules of a set.
pub const RULES_MAX: usize = 500;
/// The most bytes of one pattern.
pub const PATTERN_BYTES_MAX: usize = 4_096;
/// The most bytes of all patterns of a set together.
pub const PATTERNS_BYTES_MAX: usize = 256 * 1024;

/// A part of a request that a rule looks at.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The path, as it is forwarded.
    Path,
    /// Names and values of the query.
    Query,
    /// The values of all header fields, those of cookies included.
    Headers,
    /// The values of all cookies.
    Cookies,
    /// The body as it was sent, of whatever type, and the values in it.
    Body,
    /// Names and values of a form.
    Form,
    /// Names and texts of JSON, without their escapes.
    Json,
    /// Texts and attributes of XML, without their escapes.
    Xml,
    /// The values of one header field.
    Header(String),
    /// The values of one cookie.
    Cookie(String),
    /// The values of one parameter of the query or field of a form.
    Parameter(String),
}

impl Part {
    /// The parts that are looked at when a rule names none.
    pub const EVERYWHERE: [Self; 4] = [Self::Path, Self::Query, Self::Headers, Self::Body];

    const fn locations(&self) -> u16 {
        let form = Location::FormName.bit() | Location::FormValue.bit();
        let json = Location::JsonKey.bit() | Location::JsonValue.bit();
        let xml = Location::XmlText.bit() | Location::XmlAttribute.bit();
        let query = Location::QueryName.bit() | Location::QueryValue.bit();
        match self {
            Self::Path => Location::Path.bit(),
            Self::Query => query,
            Self::Headers | Self::Header(_) => Location::Header.bit() | Location::Cookie.bit(),
            Self::Cookies | Self::Cookie(_) => Location::Cookie.bit(),
            Self::Body => form | json | xml | Location::Body.bit(),
            Self::Form => form,
            Self::Json => json,
            Self::Xml => xml,
            Self::Parameter(_) => Location::QueryValue.bit() | Location::FormValue.bit(),
        }
    }

    fn takes(&self, field: &Field<'_>) -> bool {
        self.locations() & field.location.bit() != 0
            && match self {
                Self::Header(name) if field.location == Location::Cookie => {
                    name.eq_ignore_ascii_case("cookie")
                }
                Self::Header(name) => name.eq_ignore_ascii_case(field.name),
                Self::Cookie(name) => name == field.name,
                // Whoever writes `f%69le` means `file`.
                Self::Parameter(name) => views(Location::QueryName, field.name.as_bytes())
                    .iter()
                    .any(|(_, view)| **view == *name.as_bytes()),
                _ => true,
            }
    }
}

/// A rule of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What is looked for: an expression without look-around and back-references. Letter case does not matter, and `.` is any byte.
    pub pattern: String,
    /// Where. Empty means nowhere.
    pub parts: Vec<Part>,
}

/// Why rules cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RulesError {
    /// These cannot, by their place in the list.
    Patterns(Vec<(usize, PatternError)>),
    /// Together they would need too much memory.
    TooLargeTogether,
}

/// Rules, compiled.
#[derive(Debug)]
pub struct Rules {
    groups: Vec<(u16, Group)>,
    parts: Vec<Vec<Part>>,
}

impl Rules {
    /// Compiles rules; they are bounded by whoever reads them, with [`RULES_MAX`] and its like.
    ///
    /// # Errors
    /// Every rule that cannot be compiled, or that all of them are too large together.
    pub fn compile(rules: Vec<Rule>) -> Result<Self, RulesError> {
        let (mut hirs, mut wrong) = (Vec::with_capacity(rules.len()), Vec::new());
        for (at, rule) in rules.iter().enumerate() {
            match read(&rule.pattern) {
                Ok(hir) => hirs.push(hir),
                Err(error) => wrong.push((at, error)),
            }
        }
        if !wrong.is_empty() {
            return Err(RulesError::Patterns(wrong));
        }
        let groups = group(&hirs).map_err(|TooLargeTogether| RulesError::TooLargeTogether)?;
        let parts: Vec<Vec<Part>> = rules.into_iter().map(|rule| rule.parts).collect();
        let looks_at = |group: &Group| {
            let rules = group.rules.iter().filter_map(|rule| parts.get(*rule));
            rules
                .flatten()
                .fold(0, |bits, part| bits | part.locations())
        };
        Ok(Self {
            groups: groups
                .into_iter()
                .map(|group| (looks_at(&group), group))
                .collect(),
            parts,
        })
    }

    /// How many automata a value is shown to.
    #[must_use]
    pub fn automata(&self) -> usize {
        self.groups.len()
    }

    /// Whether some rule looks at bodies.
    #[must_use]
    pub fn look_at_bodies(&self) -> bool {
        let body = Part::Body.locations();
        self.groups.iter().any(|(bits, _)| bits & body != 0)
    }

    /// Opens the inspection of one request.
    #[must_use]
    pub fn begin(&self) -> RulesInspection<'_> {
        RulesInspection {
            rules: self,
            bytes: 0,
            fields: 0,
            found: Vec::new(),
            over: None,
        }
    }
}

/// A rule that found something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFinding {
    /// The rule, by its place in the list.
    pub rule: usize,
    /// Where the value stands.
    pub location: Location,
    /// The field's name, printable and cut to 64 characters.
    pub field: String,
}

/// What rules found in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesFound {
    /// Each rule that found something, with the first field in which it did.
    pub found: Vec<RuleFinding>,
    /// Whether there was more than may be looked at.
    pub over: Option<OverBudget>,
}

/// The inspection of one request by rules.
#[derive(Debug)]
pub struct RulesInspection<'r> {
    rules: &'r Rules,
    bytes: usize,
    fields: usize,
    found: Vec<RuleFinding>,
    over: Option<OverBudget>,
}

impl RulesInspection<'_> {
    /// What was found.
    #[must_use]
    pub fn finish(self) -> RulesFound {
        RulesFound {
            found: self.found,
            over: self.over,
        }
    }

    fn look(&mut self, field: &Field<'_>, value: &[u8]) {
        let bit = field.location.bit();
        for (bits, group) in &self.rules.groups {
            if bits & bit == 0 {
                continue;
            }
            for rule in group.find(value) {
                let parts = self.rules.parts.get(rule).into_iter().flatten();
                if self.found.iter().all(|found| found.rule != rule)
                    && parts.into_iter().any(|part| part.takes(field))
                {
                    self.found.push(RuleFinding {
                        rule,
                        location: field.location,
                        field: printable_name(field.name),
                    });
                }
            }
        }
    }

    fn over(&mut self, over: OverBudget) -> ControlFlow<()> {
        self.over = Some(over);
        ControlFlow::Break(())
    }
}

impl Viewer for RulesInspection<'_> {
    fn field(&mut self, field: &Field<'_>) -> ControlFlow<()> {
        if self.over.is_some() {
            return ControlFlow::Break(());
        }
        // The whole body is one value, bounded by whoever read it, and is looked at once.
        if field.location == Location::Body {
            self.look(field, field.value);
            return ControlFlow::Continue(());
        }
        self.fields += 1;
        if self.fields > FIELDS_MAX {
            return self.over(OverBudget::Fields { limit: FIELDS_MAX });
        }
        let limit = INSPECTED_BYTES_MAX;
        // Refused before it is decoded, so an oversized value costs nothing.
        if self.bytes.saturating_add(field.value.len()) > limit {
            return self.over(OverBudget::Bytes { limit });
        }
        for (_, view) in &views(field.location, field.value) {
            self.bytes = self.bytes.saturating_add(view.len());
            if self.bytes > limit {
                return self.over(OverBudget::Bytes { limit });
            }
            self.look(field, view);
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "rules_fuzz.rs"]
mod fuzz;
