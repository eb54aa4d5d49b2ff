//! What a document says of the attacks and the rules that are looked for.

use lockgate_config::{ByteSize, Each, PolicyEntry, Problem, Raw, Value, decode, nearest};
use lockgate_inspection::injection::Class;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::kinds::payload_rules::WrittenRule;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The attacks that are looked for: some of them, `all` or `none`; all by default. Beside `rules` it must be written.
    #[schemars(with = "Option<Classes>")]
    pub classes: Option<Raw>,
    /// Rules of your own, at most 500.
    pub rules: Option<Each<WrittenRule>>,
    /// Whether also what only may be an attack is refused. Expect false alarms on prose and code.
    #[serde(default)]
    pub strict: bool,
    /// The largest body.
    #[serde(default = "up_to")]
    pub up_to: ByteSize,
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

/// The attacks that are looked for.
pub fn classes(
    settings: &Settings,
    entry: &PolicyEntry,
    problems: &mut Vec<Problem>,
) -> Vec<Class> {
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
