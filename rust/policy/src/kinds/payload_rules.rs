//! Rules of `payload_guard` that a document writes.

use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderName;
use lockgate_config::{Each, Mode, PolicyEntry, Problem, Spanned};
use lockgate_inspection::injection::{
    PATTERN_BYTES_MAX, PATTERNS_BYTES_MAX, Part, PatternError, RULES_MAX, Rule, Rules, RulesError,
    RulesInspection,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::directory::MARK;
use crate::request::RequestView;

/// The most bytes of the id of a rule.
const ID_BYTES_MAX: usize = 64;

/// A rule as a document writes it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenRule {
    /// Its name: refusals and recordings hold it.
    id: Spanned<String>,
    /// What is refused: a regular expression without look-around and back-references, of at most 4,096 bytes. Letter case does not
    /// matter unless it begins with `(?-i)`, and `.` is any byte, ends of lines too.
    pattern: Spanned<String>,
    /// The parts that are looked at; by default path, query, headers and body.
    #[serde(rename = "in")]
    parts: Option<Each<Spanned<Part>>>,
    /// What it is against, such as the number of a CVE, for those who run the gateway.
    #[serde(default)]
    #[expect(dead_code, reason = "it is for whoever reads the document")]
    why: Option<String>,
    /// Whether it refuses, only says what it would refuse, or is not looked for.
    #[serde(default)]
    mode: Mode,
}

/// Compiled, with what each does.
#[derive(Debug)]
pub(super) struct OwnRules {
    pub(super) names: Vec<Arc<str>>,
    tried: Vec<bool>,
    rules: Rules,
    /// Parts with a name that rules look at and refuse by.
    named: Vec<Part>,
}

impl OwnRules {
    pub(super) fn compile(
        written: Each<WrittenRule>,
        entry: &PolicyEntry,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        check_numbers(&written, entry, &mut problems);
        check_names(&written, &mut problems);
        let listed = written.iter().filter_map(|rule| rule.parts.as_deref());
        problems.extend(listed.flatten().filter_map(check_part));
        if !problems.is_empty() {
            return Err(problems);
        }
        let rule = |rule: &WrittenRule, parts: Vec<Part>| Rule {
            pattern: rule.pattern.value.clone(),
            parts,
        };
        let all = written.iter().map(|each| rule(each, parts_of(each)));
        let rules = Rules::compile(all.collect());
        let rules = rules.map_err(|error| refused(error, &written, entry))?;
        let names = written.iter().map(|rule| Arc::from(rule.id.as_str()));
        let acting = written.iter().filter(|rule| rule.mode == Mode::Enforce);
        let named = acting
            .flat_map(parts_of)
            .filter(|part| matches!(part, Part::Header(_) | Part::Cookie(_) | Part::Parameter(_)));
        Ok(Self {
            names: names.collect(),
            tried: written
                .iter()
                .map(|rule| rule.mode == Mode::Shadow)
                .collect(),
            named: named.collect(),
            rules,
        })
    }

    pub(super) fn begin(&self) -> RulesInspection<'_> {
        self.rules.begin()
    }

    pub(super) fn look_at_bodies(&self) -> bool {
        self.rules.look_at_bodies()
    }

    /// Whether a rule only says what it would refuse.
    pub(super) fn is_tried(&self, rule: usize) -> bool {
        self.tried.get(rule).copied().unwrap_or(false)
    }

    /// Whether a rule that refuses names a field of a recorded request whose value a mark stands for.
    pub(super) fn name_what_is_hidden(&self, request: &RequestView<'_>) -> bool {
        let mark = MARK.as_bytes();
        let hides = |value: &[u8]| value.windows(mark.len()).any(|window| window == mark);
        self.named.iter().any(|part| match part {
            Part::Header(name) => {
                let mut values = request.headers.get_all(name.as_str()).iter();
                values.any(|value| hides(value.as_bytes()))
            }
            Part::Cookie(name) => request
                .cookies()
                .any(|(known, value)| known == name.as_bytes() && hides(value)),
            Part::Parameter(name) => request
                .query_pairs()
                .any(|(known, value)| *known == **name && hides(value.as_bytes())),
            _ => false,
        })
    }
}

/// The parts that a rule looks at; none when it is off.
fn parts_of(rule: &WrittenRule) -> Vec<Part> {
    if rule.mode == Mode::Off {
        return Vec::new();
    }
    match &rule.parts {
        None => Part::EVERYWHERE.to_vec(),
        Some(parts) => parts.iter().map(|part| part.value.clone()).collect(),
    }
}

fn check_numbers(rules: &[WrittenRule], entry: &PolicyEntry, problems: &mut Vec<Problem>) {
    if rules.len() > RULES_MAX {
        let message = format!(
            "the policy `{}` has {} rules, {RULES_MAX} are allowed",
            entry.id.value,
            rules.len()
        );
        problems.push(Problem::new(&entry.span, message).help("write several policies"));
    }
    for rule in rules {
        let bytes = rule.pattern.len();
        if bytes > PATTERN_BYTES_MAX {
            let message = format!(
                "the pattern of `{}` has {bytes} bytes, {PATTERN_BYTES_MAX} are allowed",
                rule.id.value
            );
            problems.push(
                Problem::new(&rule.pattern.span, message)
                    .help("write the part of it that tells the attack apart, or several rules"),
            );
        }
    }
    let bytes: usize = rules.iter().map(|rule| rule.pattern.len()).sum();
    if bytes > PATTERNS_BYTES_MAX {
        let message = format!(
            "the patterns of `{}` have {bytes} bytes together, {PATTERNS_BYTES_MAX} are allowed",
            entry.id.value
        );
        problems.push(Problem::new(&entry.span, message).help("write several policies"));
    }
}

fn check_names(rules: &[WrittenRule], problems: &mut Vec<Problem>) {
    let mut known: HashMap<&str, u32> = HashMap::new();
    for rule in rules {
        let (id, span) = (rule.id.as_str(), &rule.id.span);
        let sound = id.len() <= ID_BYTES_MAX
            && id.starts_with(|each: char| each.is_ascii_alphanumeric())
            && id
                .chars()
                .all(|each| each.is_ascii_alphanumeric() || matches!(each, '-' | '_' | '.'));
        if !sound {
            let shown: String = id.chars().take(ID_BYTES_MAX).collect();
            let help = format!(
                "write letters, digits, `-`, `_` or `.`, at most {ID_BYTES_MAX}, such as `cve-2026-1234`"
            );
            let message = format!("`{shown}` cannot be the name of a rule");
            problems.push(Problem::new(span, message).help(help));
        } else if let Some(first) = known.insert(id, span.line) {
            let message = format!("the rule `{id}` exists twice in this policy");
            let help = format!("the first stands at line {first}; give each its own `id`");
            problems.push(Problem::new(span, message).help(help));
        }
    }
}

fn check_part(part: &Spanned<Part>) -> Option<Problem> {
    let (sort, name, help) = match &part.value {
        Part::Header(name) if HeaderName::from_bytes(name.as_bytes()).is_err() => {
            ("header field", name, "write a name such as `User-Agent`")
        }
        Part::Cookie(name) if name.contains(['"', '\\', ';', '=', ' ', ',']) => {
            ("cookie", name, "write a name such as `session`")
        }
        _ => return None,
    };
    let message = format!("`{name}` cannot be the name of a {sort}");
    Some(Problem::new(&part.span, message).help(help))
}

/// What is wrong with rules, each at its pattern.
fn refused(error: RulesError, rules: &[WrittenRule], entry: &PolicyEntry) -> Vec<Problem> {
    match error {
        RulesError::Patterns(wrong) => wrong
            .into_iter()
            .filter_map(|(at, error)| {
                let rule = rules.get(at)?;
                let message = format!("the pattern of `{}`: {error}", rule.id.value);
                Some(Problem::new(&rule.pattern.span, message).help(help(&error)))
            })
            .collect(),
        RulesError::TooLargeTogether => {
            let message = format!("the rules of `{}` are too large together", entry.id.value);
            let help =
                "write several policies, or `.*` in place of counted repeats such as `.{0,50}`";
            vec![Problem::new(&entry.span, message).help(help)]
        }
    }
}

const fn help(error: &PatternError) -> &'static str {
    match error {
        PatternError::Syntax(_) => r"write one such as `\$\{jndi:` or `class\.module`",
        PatternError::FindsEmpty => "write a pattern that needs at least one character",
        PatternError::FindsNothing => "write what the attack holds",
        PatternError::FindsAll => "write what tells the attack apart from other values",
        PatternError::TooLarge => {
            "write `.*` or `[^>]*` in place of counted repeats such as `.{0,500}`"
        }
    }
}
