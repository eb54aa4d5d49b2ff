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

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use http::header;
use lockgate_config::{ByteSize, Each, OnError, PolicyEntry, Problem, Raw, Value, decode, nearest};
use lockgate_inspection::injection::{
    Class, Engine, Field, Finding, Inspection, Location, OverBudget, PackSettings, RuleFinding,
    RulePack, RulesInspection, Sensitivity, Viewer, show_cookies, show_form, show_json, show_query,
    show_xml,
};
use lockgate_inspection::{json, xml};
use schemars::JsonSchema;
use serde::Deserialize;

use super::payload_rules::{OwnRules, WrittenRule};
use crate::env::Env;
use crate::payload::{self, ENCODED};
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::{BODY_TOO_LARGE, Reason};
use crate::request::RequestView;
use crate::verdict::{Effect, Effects, Refusal, Verdict};

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

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The attacks that are looked for: some of them, `all` or `none`; all by default. Beside `rules` it must be written.
    #[schemars(with = "Option<Classes>")]
    classes: Option<Raw>,
    /// Rules of your own, at most 500.
    rules: Option<Each<WrittenRule>>,
    /// Whether also what only may be an attack is refused. Expect false alarms on prose and code.
    #[serde(default)]
    strict: bool,
    /// The largest body.
    #[serde(default = "up_to")]
    up_to: ByteSize,
}

/// What `classes` may be; read by hand, so that a wrong name is told with its place and the nearest right one.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is only described")]
enum Classes {
    Listed(Each<Class>),
    Word(ClassesWord),
}

#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "it is only described")]
enum ClassesWord {
    /// All attacks.
    All,
    /// None: only `rules` are looked for.
    None,
}

const WORDS: [&str; 2] = ["all", "none"];

const fn up_to() -> ByteSize {
    ByteSize::new(1024 * 1024)
}

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

fn classes(settings: &Settings, entry: &PolicyEntry, problems: &mut Vec<Problem>) -> Vec<Class> {
    let Some(Raw(node)) = &settings.classes else {
        if settings.rules.is_some() {
            // All of them beside a rule would surprise whoever writes the rule, and none whoever adds it to a guard.
            let message = format!(
                "the policy `{}` has `rules`, and does not say which `classes` it looks for",
                entry.id.value
            );
            let help = "write `classes: none` for these rules alone, `classes: all`, or a list";
            problems.push(Problem::new(&entry.span, message).help(help));
        }
        return Class::ALL.to_vec();
    };
    let word = match &node.value {
        Value::Text(word) => word.as_str(),
        _ => {
            let listed = decode::<Each<Class>>(node);
            return listed
                .map(|listed| listed.to_vec())
                .unwrap_or_else(|mut found| {
                    problems.append(&mut found);
                    Vec::new()
                });
        }
    };
    match word {
        "all" => Class::ALL.to_vec(),
        "none" => {
            if settings.rules.is_none() {
                let message = format!("the policy `{}` looks for nothing", entry.id.value);
                let help = "write `rules`, or the `classes` that are looked for";
                problems.push(Problem::new(&node.span, message).help(help));
            }
            Vec::new()
        }
        other => {
            let message = format!("`{other}` is neither `all` nor `none`, and no list");
            let problem = Problem::new(&node.span, message);
            problems.push(match nearest(other, &WORDS) {
                Some(word) => problem.help(format!("did you mean `{word}`?")),
                None => problem.help("write a list such as `[sql_injection, log4shell]`"),
            });
            Vec::new()
        }
    }
}

/// Attacks and rules look at the same fields, one after the other.
struct Looking<'g> {
    attacks: Option<Box<dyn Inspection + 'g>>,
    rules: Option<RulesInspection<'g>>,
}

struct Seen {
    attack: Option<Finding>,
    rules: Vec<RuleFinding>,
    over: Option<OverBudget>,
}

impl Viewer for Looking<'_> {
    fn field(&mut self, field: &Field<'_>) -> ControlFlow<()> {
        let attacks = match &mut self.attacks {
            // Attacks are looked for in values.
            Some(attacks) if field.location != Location::Body => attacks.field(field),
            _ => ControlFlow::Break(()),
        };
        let rules = match &mut self.rules {
            Some(rules) => rules.field(field),
            None => ControlFlow::Break(()),
        };
        if rules.is_continue() { rules } else { attacks }
    }
}

impl Looking<'_> {
    fn finish(self) -> Seen {
        let attacks = self.attacks.map(|attacks| attacks.finish());
        let rules = self.rules.map(RulesInspection::finish);
        let (attack, over) = match attacks {
            None => (None, None),
            Some(Ok(found)) => (found.into_iter().next(), None),
            Some(Err(over)) => (None, Some(over)),
        };
        let (rules, too) = rules.map_or((Vec::new(), None), |rules| (rules.found, rules.over));
        Seen {
            attack,
            rules,
            over: over.or(too),
        }
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

fn show_head(viewer: &mut dyn Viewer, request: &RequestView<'_>) {
    let _ = viewer.field(&Field::new(Location::Path, "path", request.path.as_bytes()));
    if let Some(query) = request.query {
        let _ = show_query(viewer, query.as_bytes());
    }
    for (name, value) in request.headers {
        let _ = if name == header::COOKIE {
            show_cookies(viewer, value.as_bytes())
        } else {
            viewer.field(&Field::new(
                Location::Header,
                name.as_str(),
                value.as_bytes(),
            ))
        };
    }
}

/// Shows the body as it is, as what it says it is, and as what it looks like.
fn show_body(
    viewer: &mut dyn Viewer,
    request: &RequestView<'_>,
    body: &[u8],
) -> Result<(), String> {
    if body.is_empty() {
        return Ok(());
    }
    let _ = viewer.field(&Field::new(Location::Body, "the body", body));
    let (says_json, says_xml) = (
        payload::claims(request, "json"),
        payload::claims(request, "xml"),
    );
    if payload::claims(request, "x-www-form-urlencoded") {
        let _ = show_form(viewer, body);
    }
    if (says_json || json::looks_like_json(body))
        && let Err(violation) = show_json(viewer, body)
        && says_json
    {
        return Err(format!("the body is not JSON: {violation}"));
    }
    if (says_xml || xml::looks_like_xml(body))
        && let Err(violation) = show_xml(viewer, body)
        && says_xml
    {
        return Err(format!("the body is not XML: {violation}"));
    }
    Ok(())
}
