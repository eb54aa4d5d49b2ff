//! Injection detection over the fields of a request.
//!
//! An [`Engine`] opens one [`Inspection`] per request, is shown each [`Field`] once, and closes with its findings.
//! [`RulePack`] is this crate's own engine: detectors behind the [`Detector`] trait, run over each field as it stands
//! and as bounded decoding passes make of it. A rule-language engine is another implementation of [`Engine`] over the
//! same fields; it may keep scores and transaction variables in its own [`Inspection`]. [`Rules`] are expressions that a document
//! writes, each looked for in the parts of a request that it names.
//!
//! Work is bounded: bytes over [`INSPECTED_BYTES_MAX`] or fields over [`FIELDS_MAX`] end in [`OverBudget`], never in
//! a silent pass, and every detector is linear in the value.

mod command;
mod decode;
mod excerpt;
mod field;
mod finding;
mod jndi;
mod message;
mod pack;
mod pattern;
mod rules;
mod sql;
mod ssrf;
mod ssrf_host;
mod traversal;
mod xss;

use std::ops::ControlFlow;

pub use decode::DECODING_PASSES_MAX;
pub use field::{Field, Location};
pub use finding::{Class, Finding, Sensitivity};
pub use message::{show_cookies, show_form, show_json, show_query, show_xml};
pub use pack::{PackSettings, RulePack};
pub use pattern::PackError;
pub use rules::{
    PATTERN_BYTES_MAX, PATTERNS_BYTES_MAX, Part, PatternError, RULES_MAX, Rule, RuleFinding, Rules,
    RulesError, RulesFound, RulesInspection,
};

/// Bytes inspected in one request, decoded views included.
pub const INSPECTED_BYTES_MAX: usize = 1024 * 1024;
/// Fields inspected in one request.
pub const FIELDS_MAX: usize = 20_000;
/// Findings kept of one request; inspection stops at this many.
pub const FINDINGS_MAX: usize = 16;

/// One way of recognising an attack in one value.
pub trait Detector: Send + Sync {
    /// Stable name, `class.detector`.
    fn id(&self) -> &'static str;

    /// The class its findings belong to.
    fn class(&self) -> Class;

    /// Words, lower case, of which at least one is in every value this detector can flag, in any letter case.
    /// Values without any are not shown to it. Empty: every value is shown.
    fn needles(&self) -> &'static [&'static str] {
        &[]
    }

    /// Looks at one value in one decoding. Linear in the value; must not panic.
    fn inspect(&self, field: &Field<'_>) -> Option<Finding>;
}

/// Something that inspects requests.
pub trait Engine: Send + Sync {
    /// Name of the rules, for records and messages.
    fn name(&self) -> &str;

    /// Version of the rules.
    fn version(&self) -> &str;

    /// Opens the inspection of one request.
    fn begin(&self) -> Box<dyn Inspection + '_>;
}

/// Something that is shown the fields of a request, each once.
pub trait Viewer {
    /// Looks at one field. [`ControlFlow::Break`] means that further fields cannot change the outcome.
    fn field(&mut self, field: &Field<'_>) -> ControlFlow<()>;
}

/// The inspection of one request.
pub trait Inspection: Viewer {
    /// Closes the inspection.
    ///
    /// # Errors
    /// The request was too large to be inspected in full and nothing was found in the part that was.
    fn finish(self: Box<Self>) -> Result<Vec<Finding>, OverBudget>;
}

/// The request holds more than one inspection may look at; the caller decides by its `on_error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OverBudget {
    /// More bytes than [`INSPECTED_BYTES_MAX`].
    #[error("the request has more than {limit} bytes to inspect")]
    Bytes {
        /// Bytes allowed.
        limit: usize,
    },
    /// More fields than [`FIELDS_MAX`].
    #[error("the request has more than {limit} fields to inspect")]
    Fields {
        /// Fields allowed.
        limit: usize,
    },
}

#[cfg(test)]
#[path = "injection_fuzz.rs"]
mod fuzz;
