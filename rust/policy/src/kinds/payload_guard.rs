//! # What it does
//! Refuses requests that carry attacks: SQL injection, cross-site scripting, path traversal, command injection, log4shell and
//! addresses of the inside (SSRF). It looks at path, query, headers, cookies, and form, JSON and XML bodies. Rules of your own refuse
//! what a regular expression finds in the parts that you name, bodies of any type among them.
//!
//! # When to use
//! In front of services that were not written by you, or not yesterday, and on the day on which a weakness of one becomes known. Begin
//! with `mode: shadow`, of the policy or of one rule, and see whom it would refuse.
//!
//! # Example
//! ```yaml
//! - { id: injections, kind: payload_guard, mode: shadow, classes: [sql_injection, log4shell] }
//! - id: known
//!   kind: payload_guard
//!   classes: none
//!   rules:
//!     - { id: cve-2026-1234, pattern: 'class\.module\.classloader', in: [query, body], why: CVE-2026-1234 }
//!     - { id: old-agents, pattern: '^sqlmap/', in: [{ header: User-Agent }], mode: shadow }
//! ```
//!
//! # On failure
//! 403 with the name of the field, never its value, and with the name of the rule when one of yours found it. A body that says it is
//! JSON or XML and is neither is refused with 400: what cannot be looked at is not forwarded. Only rules look at bodies of other types.

mod looking;
mod settings;

use std::fmt;
use std::sync::Arc;

use lockgate_config::{OnError, PolicyEntry, Problem, decode};
use lockgate_inspection::injection::{Engine, Location, PackSettings, RulePack, Sensitivity};
use schemars::JsonSchema;

use super::payload_rules::OwnRules;
use crate::env::Env;
use crate::payload::{self, ENCODED};
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::{BODY_TOO_LARGE, Reason};
use crate::request::RequestView;
use crate::verdict::{Effect, Effects, Refusal, Verdict};

use looking::{Looking, Seen, show_body, show_head};
use settings::{Settings, classes};

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "payload_guard",
    phase: Phase::Payload,
    about: "Refuses requests that carry attacks such as SQL injection and log4shell, or what rules of your own find.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: false,
    reasons: &[&ATTACK, &RULE, &UNREADABLE, &ENCODED, &BODY_TOO_LARGE],
    schema: Settings::json_schema,
    compile,
};

static ATTACK: Reason = Reason::new(
    "payload_guard.attack",
    403,
    "Looks like an attack",
    "write the field that `detail` names in other words; tell the API's owner when the value is right",
);
static RULE: Reason = Reason::new(
    "payload_guard.rule",
    403,
    "Refused by a rule",
    "take what the rule refuses out of the field that `detail` names; tell the API's owner the name of the rule when the value is right",
);
static UNREADABLE: Reason = Reason::new(
    "payload_guard.unreadable",
    400,
    "Body cannot be read",
    "send a body of the type that `Content-Type` says",
);

struct Guard {
    engine: Option<Box<dyn Engine>>,
    rules: Option<OwnRules>,
    up_to: usize,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(engine) = &self.engine {
            write!(f, "{} {} ", engine.name(), engine.version())?;
        }
        match &self.rules {
            // Their tables are of no use to anybody.
            Some(rules) => write!(f, "{} rules", rules.names.len()),
            None => Ok(()),
        }
    }
}

fn compile(entry: &PolicyEntry, _: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let mut problems = Vec::new();
    let classes = classes(&settings, entry, &mut problems);
    let rules = settings.rules.and_then(|written| {
        OwnRules::compile(written, entry)
            .map_err(|mut found| problems.append(&mut found))
            .ok()
    });
    let pack = PackSettings {
        classes,
        sensitivity: if settings.strict {
            Sensitivity::Strict
        } else {
            Sensitivity::Standard
        },
    };
    let engine = if pack.classes.is_empty() {
        None
    } else {
        RulePack::own(&pack)
            .map_err(|error| problems.push(Problem::new(&entry.span, error.to_string())))
            .ok()
            .map(|pack| Box::new(pack) as Box<dyn Engine>)
    };
    if problems.is_empty() {
        Ok(Box::new(Guard {
            engine,
            rules,
            up_to: settings.up_to.as_usize(),
        }))
    } else {
        Err(problems)
    }
}

impl Guard {
    fn looks_at_bodies(&self) -> bool {
        self.engine.is_some() || self.rules.as_ref().is_some_and(OwnRules::look_at_bodies)
    }

    fn says(&self, seen: Seen) -> Verdict {
        let mut tried = Effects::new();
        for found in &seen.rules {
            let Some(rules) = &self.rules else { break };
            let Ok(place) = u16::try_from(found.rule) else {
                continue;
            };
            if rules.is_tried(found.rule) {
                tried.push(Effect::Tried(&RULE, place));
                continue;
            }
            let name = rules.names.get(found.rule).map_or("", |name| name);
            let what = match found.location {
                Location::Body => "the body".to_owned(),
                _ => format!("the value of `{}`", found.field),
            };
            let detail = format!("{what} holds what the rule `{name}` refuses");
            let refusal = Refusal::new(&RULE, detail)
                .found_by(place)
                .member("rule", name);
            return Verdict::Deny(Box::new(refusal));
        }
        match (seen.attack, seen.over) {
            (Some(found), _) => Verdict::deny(
                &ATTACK,
                format!(
                    "the value of `{}` looks like {}",
                    found.field,
                    found.class.name().replace('_', " ")
                ),
            ),
            (None, Some(over)) => Verdict::Undecided(over.to_string().into()),
            (None, None) => Verdict::Allow(tried),
        }
    }
}

impl Policy for Guard {
    fn evaluate(&self, request: &RequestView<'_>, env: &mut Env<'_>) -> Verdict {
        let body = if self.looks_at_bodies() {
            match payload::readable_body(request, self.up_to) {
                Ok(body) => body,
                Err(verdict) => return verdict,
            }
        } else {
            &[]
        };
        if env.facts.are_recorded()
            && let Some(rules) = &self.rules
            && rules.name_what_is_hidden(request)
        {
            return env.not_recorded("the value of a field that a rule names");
        }
        let mut looking = Looking {
            attacks: self.engine.as_ref().map(|engine| engine.begin()),
            rules: self.rules.as_ref().map(OwnRules::begin),
        };
        show_head(&mut looking, request);
        if let Err(why) = show_body(&mut looking, request, body) {
            return Verdict::deny(&UNREADABLE, why);
        }
        self.says(looking.finish())
    }

    fn own_rules(&self) -> &[Arc<str>] {
        self.rules.as_ref().map_or(&[], |rules| &rules.names)
    }
}
