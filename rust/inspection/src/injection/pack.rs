//! The rule pack: detectors, a shared prefilter and the budget of one request.

use std::ops::ControlFlow;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};

use super::decode::views;
use super::field::Field;
use super::finding::{Class, Finding, Sensitivity};
use super::pattern::PackError;
use super::{
    Detector, Engine, FIELDS_MAX, FINDINGS_MAX, INSPECTED_BYTES_MAX, Inspection, OverBudget, Viewer,
};
use super::{command, jndi, sql, ssrf, traversal, xss};

/// What of the own rules is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackSettings {
    /// The classes that are looked for. Empty means none.
    pub classes: Vec<Class>,
    /// How readily detectors flag.
    pub sensitivity: Sensitivity,
}

impl Default for PackSettings {
    fn default() -> Self {
        Self {
            classes: Class::ALL.to_vec(),
            sensitivity: Sensitivity::default(),
        }
    }
}

/// A named, versioned set of detectors.
pub struct RulePack {
    name: String,
    version: String,
    detectors: Vec<Box<dyn Detector>>,
    /// Finds the needles of all detectors in one pass.
    prefilter: AhoCorasick,
    /// The detectors that each needle belongs to, as bits.
    needle_bits: Vec<u64>,
    /// The detectors without needles, as bits.
    always: u64,
}

impl RulePack {
    /// This crate's own rules.
    ///
    /// # Errors
    /// None in practice: the patterns are constants, and a test compiles them all.
    pub fn own(settings: &PackSettings) -> Result<Self, PackError> {
        let mut detectors: Vec<Box<dyn Detector>> = Vec::new();
        for class in Class::ALL
            .into_iter()
            .filter(|class| settings.classes.contains(class))
        {
            detectors.push(match class {
                Class::SqlInjection => Box::new(sql::SqlInjection::new(settings.sensitivity)?),
                Class::CrossSiteScripting => {
                    Box::new(xss::CrossSiteScripting::new(settings.sensitivity)?)
                }
                Class::PathTraversal => {
                    Box::new(traversal::PathTraversal::new(settings.sensitivity)?)
                }
                Class::CommandInjection => {
                    Box::new(command::CommandInjection::new(settings.sensitivity)?)
                }
                Class::Log4shell => Box::new(jndi::Log4shell::new(settings.sensitivity)),
                Class::Ssrf => Box::new(ssrf::Ssrf::new(settings.sensitivity)?),
            });
        }
        Self::of("lockgate", env!("CARGO_PKG_VERSION"), detectors)
    }

    /// A pack of other detectors, at most 64.
    ///
    /// # Errors
    /// More than 64 detectors, or needles that cannot be compiled.
    pub fn of(
        name: &str,
        version: &str,
        detectors: Vec<Box<dyn Detector>>,
    ) -> Result<Self, PackError> {
        if detectors.len() > 64 {
            return Err(PackError {
                reason: format!("{} detectors, 64 are allowed", detectors.len()),
            });
        }
        let (mut needles, mut needle_bits, mut always) = (Vec::new(), Vec::new(), 0);
        for (index, detector) in detectors.iter().enumerate() {
            let bit = 1_u64 << index;
            if detector.needles().is_empty() {
                always |= bit;
            }
            needles.extend_from_slice(detector.needles());
            needle_bits.resize(needles.len(), bit);
        }
        let prefilter = AhoCorasickBuilder::new()
            .ascii_case_insensitive(true)
            .build(&needles);
        let prefilter = prefilter.map_err(|error| PackError {
            reason: error.to_string(),
        })?;
        Ok(Self {
            name: name.to_owned(),
            version: version.to_owned(),
            detectors,
            prefilter,
            needle_bits,
            always,
        })
    }

    /// The detectors that may flag a value, as bits.
    fn candidates(&self, value: &[u8]) -> u64 {
        let mut bits = self.always;
        let all = self.needle_bits.iter().fold(bits, |all, bit| all | bit);
        for found in self.prefilter.find_overlapping_iter(value) {
            bits |= self
                .needle_bits
                .get(found.pattern().as_usize())
                .copied()
                .unwrap_or(0);
            if bits == all {
                break;
            }
        }
        bits
    }
}

impl Engine for RulePack {
    fn name(&self) -> &str {
        &self.name
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn begin(&self) -> Box<dyn Inspection + '_> {
        Box::new(PackInspection {
            pack: self,
            bytes: 0,
            fields: 0,
            findings: Vec::new(),
            over: None,
        })
    }
}

struct PackInspection<'p> {
    pack: &'p RulePack,
    bytes: usize,
    fields: usize,
    findings: Vec<Finding>,
    over: Option<OverBudget>,
}

impl PackInspection<'_> {
    fn inspect_view(&mut self, field: &Field<'_>, done: &mut u64) {
        let candidates = self.pack.candidates(field.value) & !*done;
        for (index, detector) in self.pack.detectors.iter().enumerate() {
            let bit = 1_u64 << index;
            if candidates & bit != 0
                && let Some(finding) = detector.inspect(field)
            {
                *done |= bit;
                self.findings.push(finding);
            }
        }
    }
}

impl Viewer for PackInspection<'_> {
    fn field(&mut self, field: &Field<'_>) -> ControlFlow<()> {
        if self.over.is_some() || self.findings.len() >= FINDINGS_MAX {
            return ControlFlow::Break(());
        }
        self.fields += 1;
        if self.fields > FIELDS_MAX {
            self.over = Some(OverBudget::Fields { limit: FIELDS_MAX });
            return ControlFlow::Break(());
        }
        // Refused before it is decoded, so an oversized value costs nothing.
        if self.bytes.saturating_add(field.value.len()) > INSPECTED_BYTES_MAX {
            self.over = Some(OverBudget::Bytes {
                limit: INSPECTED_BYTES_MAX,
            });
            return ControlFlow::Break(());
        }
        let mut done = 0;
        for (layers, view) in &views(field.location, field.value) {
            self.bytes = self.bytes.saturating_add(view.len());
            if self.bytes > INSPECTED_BYTES_MAX {
                self.over = Some(OverBudget::Bytes {
                    limit: INSPECTED_BYTES_MAX,
                });
                return ControlFlow::Break(());
            }
            self.inspect_view(
                &Field {
                    value: view,
                    decodings: field.decodings.saturating_add(*layers),
                    ..*field
                },
                &mut done,
            );
        }
        self.findings.truncate(FINDINGS_MAX);
        ControlFlow::Continue(())
    }
}

impl Inspection for PackInspection<'_> {
    fn finish(self: Box<Self>) -> Result<Vec<Finding>, OverBudget> {
        match self.over {
            // What was found stands, however much was left unseen.
            Some(over) if self.findings.is_empty() => Err(over),
            _ => Ok(self.findings),
        }
    }
}
