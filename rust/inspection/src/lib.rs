//! Bounded parsers and detectors for request payloads. Nothing here does I/O, panics on any input, recurses with the
//! nesting of its input, or takes more than linear time in it.
//!
//! | module | entry points |
//! |---|---|
//! | [`json`] | [`json::check`], [`json::looks_like_json`], [`json::walk_strings`] |
//! | [`xml`] | [`xml::check`], [`xml::looks_like_xml`], [`xml::walk_values`] |
//! | [`graphql`] | [`graphql::check_json`], [`graphql::check_document`], [`graphql::check_parameters`] |
//! | [`injection`] | [`injection::RulePack`] behind [`injection::Engine`]; `show_query`, `show_form`, `show_cookies`, `show_json`, `show_xml` |
//!
//! ```
//! use lockgate_inspection::injection::{Engine, PackSettings, RulePack, show_json, show_query};
//!
//! let pack = RulePack::own(&PackSettings::default())?;
//! let mut inspection = pack.begin();
//! let _ = show_query(&mut *inspection, b"name=O%27Brien&page=2");
//! show_json(&mut *inspection, br#"{"comment": "x' OR 1=1 --"}"#)?;
//! let findings = inspection.finish()?;
//! assert_eq!(findings[0].class.name(), "sql_injection");
//! assert_eq!(findings[0].field, "/comment");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod graphql;
pub mod injection;
pub mod json;
pub mod xml;
