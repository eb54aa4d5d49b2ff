//! What detectors say.

use super::field::{Field, Location};

/// A class of attacks.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// SQL that changes the statement it is put into (CWE-89).
    SqlInjection,
    /// Markup or script that runs in a browser (CWE-79).
    CrossSiteScripting,
    /// File paths that leave their folder or name system files (CWE-22).
    PathTraversal,
    /// Shell commands (CWE-78).
    CommandInjection,
    /// JNDI look-ups of Log4j (CVE-2021-44228).
    Log4shell,
    /// Addresses that make the upstream call itself or its network (CWE-918).
    Ssrf,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 6] = [
        Self::SqlInjection,
        Self::CrossSiteScripting,
        Self::PathTraversal,
        Self::CommandInjection,
        Self::Log4shell,
        Self::Ssrf,
    ];

    /// The name in settings and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SqlInjection => "sql_injection",
            Self::CrossSiteScripting => "cross_site_scripting",
            Self::PathTraversal => "path_traversal",
            Self::CommandInjection => "command_injection",
            Self::Log4shell => "log4shell",
            Self::Ssrf => "ssrf",
        }
    }
}

/// How readily detectors flag.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sensitivity {
    /// Flags what has the structure of an attack; meant for free text, names and code as well.
    #[default]
    Standard,
    /// Also flags what only may be one; meant for narrow fields. Expect false alarms on prose and code.
    Strict,
}

/// A value that a detector flagged.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// The class of attack.
    pub class: Class,
    /// The detector's name.
    pub detector: &'static str,
    /// Where the value stands.
    pub location: Location,
    /// The field's name, printable and cut to 64 characters.
    pub field: String,
    /// The part that was flagged: printable, cut to 40 characters, with what may be a secret masked.
    pub excerpt: String,
}

impl Finding {
    /// A finding whose excerpt starts at byte `at` of the value.
    #[must_use]
    pub fn new(class: Class, detector: &'static str, field: &Field<'_>, at: usize) -> Self {
        Self {
            class,
            detector,
            location: field.location,
            field: super::excerpt::printable_name(field.name),
            excerpt: super::excerpt::excerpt(field.name, field.value, at),
        }
    }
}
