//! Cross-site scripting: markup and script that run, and ways out of attributes, script strings and templates.

use regex::bytes::Regex;

use super::Detector;
use super::field::Field;
use super::finding::{Class, Finding, Sensitivity};
use super::pattern::PackError;
use super::pattern::compile;

const ID: &str = "cross_site_scripting.markup";

/// Markup and script that have no use but to run.
const STRUCTURES: &str = r#"
    (?: ^ | [^:] ) < \s* script (?: [\s/+]+ [a-z-]+ | \s* > \s* [^<`\s] [^<]{0,400}? (?: [\w\])] [(`] | \w \s* = ) )
  | </script> \s* <script
  | < [^>]{0,400}? [\s/"'] on[a-z]{3,24} \s* =
  | < \s* (?: iframe | object | embed | applet | base | frameset | frame | meta | link | isindex | layer | portal ) [\s/]+ [a-z:-]+ \s* =
  | (?: j\s*a\s*v\s*a | v\s*b ) \s* s\s*c\s*r\s*i\s*p\s*t \s* : \s* (?: [\w.$\[\]%*+'"-]* \s* [(`=] | /[/*] )
  | \b data \s* : \s* (?: text/html | text/xml | application/xhtml | image/svg ) \s* [\w+;=-]* ,
  | \b style \s* = [^>]{0,200}? (?: expression \s* \( | -moz-binding | behavior \s* : )
  | < \s* style [^>]{0,100} > [^<]{0,200}? (?: @import | expression \s* \( | url \s* \( )
  | \b srcdoc \s* = | <!--\[if \s | <! \s* entity \s
  | ^ [^"'<>]{0,100} ["'] [\s/]+ (?: [a-z]+ [\s/]+ ){0,3} on[a-z]{3,24} \s* =
  | ^ [^"'`]{0,100} ["'`] \s* [;+*,)\]}|&-]+ \s* (?: alert | confirm | prompt | eval | fetch | import | document | window | location | self | top | parent
        | settimeout | setinterval | new \s+ image | constructor ) \s* [(.`\[=]
  | \{\{ [^}]{0,200}? (?: constructor | \$eval | \$on\b | __proto__ | alert \s* \( )
"#;

/// Counts with a verdict of libinjection.
const ACTIVE: &str = r#" \bon[a-z]{3,24} \s* = | script \s* : | < \s* (?: (?: iframe | object | embed | applet | frameset ) [\s/] | (?: svg | math | xsl ) [\s/>] ) "#;

pub(super) struct CrossSiteScripting {
    sensitivity: Sensitivity,
    structures: Regex,
    active: Regex,
}

impl CrossSiteScripting {
    pub(super) fn new(sensitivity: Sensitivity) -> Result<Self, PackError> {
        Ok(Self {
            sensitivity,
            structures: compile(STRUCTURES)?,
            active: compile(ACTIVE)?,
        })
    }
}

impl Detector for CrossSiteScripting {
    fn id(&self) -> &'static str {
        ID
    }

    fn class(&self) -> Class {
        Class::CrossSiteScripting
    }

    fn needles(&self) -> &'static [&'static str] {
        &["<", "=", ":", "'", "\"", "`", "{{"]
    }

    fn inspect(&self, field: &Field<'_>) -> Option<Finding> {
        let at = if let Some(found) = self.structures.find(field.value) {
            found.start()
        } else {
            let strict = self.sensitivity == Sensitivity::Strict;
            let at = if strict {
                0
            } else {
                self.active.find(field.value)?.start()
            };
            libinjectionrs::detect_xss(field.value)
                .is_injection()
                .then_some(at)?
        };
        Some(Finding::new(Class::CrossSiteScripting, ID, field, at))
    }
}
