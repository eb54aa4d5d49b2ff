//! Server-side request forgery: URLs that lead the upstream to itself, its network, its metadata or its files.

use regex::bytes::Regex;

use super::Detector;
use super::field::{Field, Location};
use super::finding::{Class, Finding, Sensitivity};
use super::pattern::PackError;
use super::pattern::compile;
use super::ssrf_host::{Target, target_of};

const ID: &str = "ssrf.target";
/// Addresses in one value that are looked at.
const ADDRESSES_MAX: usize = 64;
/// Headers that name the caller's own site, or its proxies.
const OWN_HEADERS: [&str; 8] = [
    "host",
    "origin",
    "referer",
    "user-agent",
    "via",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
];

/// A scheme and its authority; also the slips that URL parsers forgive.
const ADDRESS: &str =
    r#" \b (?: https? | ftps? | wss? ) : [\\/]+ ([^\s\\/?\#"'<>]+) | ^ \s* // ([^\s\\/?\#"'<>]+) "#;
/// Schemes that no client of an API sends for a good reason.
const SCHEMES: &str = r" ^ \s* (?: url: )? (?: gopher | dict | ldaps? | ldapi | tftp | sftp | netdoc | expect | jar | phar ) : [\w/.:\\] | ^ \s* (?: url: )? file: [\\/] | \b (?: gopher | dict | jar:\w+ ) :// ";

pub(super) struct Ssrf {
    sensitivity: Sensitivity,
    address: Regex,
    schemes: Regex,
}

impl Ssrf {
    pub(super) fn new(sensitivity: Sensitivity) -> Result<Self, PackError> {
        Ok(Self {
            sensitivity,
            address: compile(ADDRESS)?,
            schemes: compile(SCHEMES)?,
        })
    }

    /// A value that is nothing but a host, with or without port and path.
    fn bare_target(&self, value: &[u8]) -> bool {
        let host = value
            .trim_ascii()
            .split(|byte| matches!(byte, b'/' | b'\\' | b'?' | b'#'))
            .next();
        match target_of(host.unwrap_or_default()) {
            Some(Target::Metadata) => true,
            Some(Target::Internal) => self.sensitivity == Sensitivity::Strict,
            None => false,
        }
    }
}

impl Detector for Ssrf {
    fn id(&self) -> &'static str {
        ID
    }

    fn class(&self) -> Class {
        Class::Ssrf
    }

    fn needles(&self) -> &'static [&'static str] {
        match self.sensitivity {
            Sensitivity::Standard => &[":", "//", "169.254.", "metadata", "100.100.", "fd00:ec2"],
            Sensitivity::Strict => &[],
        }
    }

    fn inspect(&self, field: &Field<'_>) -> Option<Finding> {
        if field.location == Location::Header
            && OWN_HEADERS
                .iter()
                .any(|each| field.name.eq_ignore_ascii_case(each))
        {
            return None;
        }
        let value = field.value.trim_ascii();
        // Developers write about their own machine; an address inside prose counts only where fields are narrow.
        let is_prose = value.contains(&b' ') && self.sensitivity == Sensitivity::Standard;
        let mut addresses = self.address.captures_iter(value).take(ADDRESSES_MAX);
        let leads_inside = addresses.find_map(|found| {
            let host = found.get(1).or_else(|| found.get(2))?;
            let counts = match target_of(host.as_bytes())? {
                Target::Metadata => true,
                Target::Internal => !is_prose,
            };
            counts.then(|| found.get(0).map(|whole| whole.start()))?
        });
        let scheme = || {
            self.schemes
                .find(value)
                .filter(|_| !is_prose)
                .map(|found| found.start())
        };
        let bare = || self.bare_target(value).then_some(0);
        let at = leads_inside.or_else(scheme).or_else(bare)?;
        Some(Finding::new(
            Class::Ssrf,
            ID,
            &Field { value, ..*field },
            at,
        ))
    }
}
