//! Path traversal: ways out of a folder, and files that only an attacker asks for.

use regex::bytes::Regex;

use super::Detector;
use super::field::{Field, Location};
use super::finding::{Class, Finding, Sensitivity};
use super::pattern::PackError;
use super::pattern::compile;

const ID: &str = "path_traversal.path";

/// Sequences that ordinary relative paths do not have.
const STRUCTURES: &str = r#"
    \.\. [\\/]+ (?: [^\s]{0,100}? \.\. [\\/]+ )? [^\s]{0,200}? (?: etc[\\/]+ | passwd | shadow | windows | win\.ini | boot\.ini | system32 | proc[\\/] | \.env\b | \.git[\\/]
        | \.ssh | \.aws | id_rsa | web-inf | web\.config | wp-config | \x00 )
  | (?: ^ | [^\w.] ) \.\. [\\/]+ \.\. [\\/]+ \.\. [\\/]
  | [\w-] [\\/]+ \.\. [\\/]+ \.\. [\\/]
  | = \.\. [\\/]+ \.\. [\\/]
  | \.\. ; [\\/] | \.{3,} [\\/]+ \.{2,} [\\/] | \.\. \\ \.\. \\
  | ^ \.\. [\\/] [^\s]* \x00
  | ^ [\w./\\-]* \x00
"#;

/// Files that name themselves as a target when the value is nothing but a path.
const TARGETS: &str = r#"
  ^ \s* (?: file= )? (?: [a-z]: )? [\\/~]* (?: [\w.-]+ [\\/]+ ){0,6}? (?:
      etc[\\/]+ (?: passwd | shadow | group | hosts | issue | fstab | motd | hostname | resolv\.conf | my\.cnf | php | httpd | sudoers | crontab | ssh[\\/] | nginx[\\/] | apache2[\\/] | mysql[\\/] )
    | proc[\\/]+ (?: self | version | \d+ | cpuinfo | mounts )
    | \.git[\\/]+ (?: config | head ) | \.ssh[\\/]+ (?: id_ | authorized_keys ) | \.aws[\\/]+ credentials
    | web-inf[\\/] | windows[\\/]+ (?: win\.ini | system\.ini | system32 ) | boot\.ini
    | var[\\/]+ run[\\/]+ secrets[\\/] | var[\\/]+ log[\\/]+ (?: auth | apache2 | nginx | syslog | messages | secure )
    | \.env \s* $ | \.htpasswd | \.htaccess \s* $ ) [^\s]* \s* $
  | ^ \s* php://
"#;

/// Any step up, for decoded values, paths and strict fields.
const STEP_UP: &str = r" (?: ^ | [^\w.] | [\\/] ) \.\. [\\/] ";

pub(super) struct PathTraversal {
    sensitivity: Sensitivity,
    structures: Regex,
    targets: Regex,
    step_up: Regex,
}

impl PathTraversal {
    pub(super) fn new(sensitivity: Sensitivity) -> Result<Self, PackError> {
        let (structures, targets) = (compile(STRUCTURES)?, compile(TARGETS)?);
        Ok(Self {
            sensitivity,
            structures,
            targets,
            step_up: compile(STEP_UP)?,
        })
    }
}

impl Detector for PathTraversal {
    fn id(&self) -> &'static str {
        ID
    }

    fn class(&self) -> Class {
        Class::PathTraversal
    }

    fn needles(&self) -> &'static [&'static str] {
        &["..", "/", "\\", "\0", "boot.ini", ".env", ".ht"]
    }

    fn inspect(&self, field: &Field<'_>) -> Option<Finding> {
        // Where percent-encoding is the ordinary form, one layer of it says nothing.
        let hidden = field.decodings > u8::from(field.location.is_percent_encoded())
            && !self.step_up.is_match(field.raw);
        let any_step =
            hidden || field.location == Location::Path || self.sensitivity == Sensitivity::Strict;
        let step = || any_step.then(|| self.step_up.find(field.value)).flatten();
        let found = self
            .structures
            .find(field.value)
            .or_else(|| self.targets.find(field.value))
            .or_else(step)?;
        Some(Finding::new(Class::PathTraversal, ID, field, found.start()))
    }
}
