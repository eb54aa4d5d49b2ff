//! # What it does
//! Puts placeholders such as `[EMAIL_1]` in the place of keys and personal data in a prompt before the provider sees it, and puts the
//! data back where the answer mentions them.
//!
//! # When to use
//! People ask a model about what they work with, and that should not leave the house.
//!
//! # Example
//! ```yaml
//! - { id: privacy, kind: redact_prompt, replace: [secret, email, card] }
//! - { id: for_good, kind: redact_prompt, put_back: false }
//! ```
//!
//! # On failure
//! It refuses nothing. The answer's field `Lockgate-Redacted` says how many things of each sort were replaced: `email=2 secret=1`. The
//! same thing has the same placeholder within a call. Instructions, arguments of tools and what tools returned are looked at too; thoughts,
//! pictures and files are not. The prompt is written anew then, in the provider's own language too, and a stream is held back by the few
//! letters that may be the beginning of a placeholder.

use http::{HeaderName, HeaderValue};
use lockgate_config::{Each, OnError, PolicyEntry, Problem, decode};
use lockgate_llm::guard::{Class, Redaction, Shapes};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::env::Env;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::prompt::{Asked, Prompt, Recalled, Rewritten};
use crate::prompt_data::{Data, counted};
use crate::request::RequestView;
use crate::verdict::{Effect, Effects, ResponseEdit, Verdict};

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "redact_prompt",
    phase: Phase::Mediate,
    about: "Replaces keys and personal data in prompts by placeholders, and puts them back in the answer.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: true,
    reasons: &[],
    schema: Settings::json_schema,
    compile,
};

/// How many things of each sort were replaced.
const REDACTED: HeaderName = HeaderName::from_static("lockgate-redacted");

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// What is replaced; everything that is known by default.
    replace: Option<Each<Data>>,
    /// Whether it is put back in the answer.
    #[serde(default = "yes")]
    put_back: bool,
}

const fn yes() -> bool {
    true
}

#[derive(Debug)]
struct Redact {
    shapes: Shapes,
    classes: Vec<Class>,
    put_back: bool,
}

fn compile(entry: &PolicyEntry, _: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let replace = settings
        .replace
        .map_or_else(|| Data::ALL.to_vec(), |replace| replace.to_vec());
    match Shapes::new() {
        Ok(shapes) => Ok(Box::new(Redact {
            shapes,
            classes: replace.into_iter().map(Data::class).collect(),
            put_back: settings.put_back,
        })),
        Err(error) => Err(vec![Problem::new(&entry.span, error.to_string())]),
    }
}

impl Redact {
    /// Of a call that was recorded it says only what it would take out.
    fn judge_recorded(&self, prompt: &Prompt, recalled: &Recalled) -> Verdict {
        let mut recalled = recalled.clone();
        let seen = prompt.texts(&mut |said| {
            for class in said.classes(&self.shapes) {
                if self.classes.contains(&class) && !recalled.redacted.contains(&class) {
                    recalled.redacted.push(class);
                }
            }
        });
        match seen {
            Err(need) => Verdict::Need(need),
            Ok(()) => {
                recalled.redacted.sort_unstable();
                let rewritten = Rewritten {
                    asked: Asked::Recorded(recalled),
                    taken_out: None,
                };
                Verdict::Allow([Effect::Ask(Box::new(rewritten))].into_iter().collect())
            }
        }
    }
}

impl Policy for Redact {
    fn evaluate(&self, request: &RequestView<'_>, _: &mut Env<'_>) -> Verdict {
        let Some(prompt) = request.prompt else {
            return Verdict::Undecided("what is asked was not read".into());
        };
        let mut redaction = Redaction::default();
        if let Asked::Recorded(recalled) = &prompt.asked {
            return self.judge_recorded(prompt, recalled);
        }
        prompt.asked.texts(&mut |said| redaction.spare(said.text));
        let mut change = |name: Option<&str>, text: &str| {
            let known = (&self.shapes, self.classes.as_slice());
            let redacted = match name {
                Some(name) => redaction.redact_member(known, name, text),
                None => redaction.redact(known.0, known.1, text),
            };
            (redacted.replaced > 0).then_some(redacted.text)
        };
        let mut asked = prompt.asked.clone();
        match &mut asked {
            Asked::Chat(chat) | Asked::Count(chat) => chat.change_texts(&mut change),
            Asked::Embeddings(asked) => asked.change_texts(&mut change),
            Asked::Models | Asked::Recorded(_) => return Verdict::Pass,
        }
        let counts = redaction.counts().iter();
        let counts = counted(counts.map(|(class, count)| (*class, *count)));
        if counts.is_empty() {
            return Verdict::allow();
        }
        if let Asked::Chat(chat) | Asked::Count(chat) = &mut asked {
            chat.changed = true;
        }
        let taken_out = self.put_back.then_some(redaction);
        let mut effects = Effects::new();
        effects.push(Effect::Ask(Box::new(Rewritten { asked, taken_out })));
        if let Ok(value) = HeaderValue::from_str(&counts) {
            effects.push(Effect::Response(ResponseEdit::Add(REDACTED, value)));
        }
        Verdict::Allow(effects)
    }
}
