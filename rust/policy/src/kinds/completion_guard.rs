//! # What it does
//! Withholds answers of models that hold keys, personal data or phrases that you ban, inside streams too.
//!
//! # When to use
//! A model has read what its callers may not, or must not say some things in your name.
//!
//! # Example
//! ```yaml
//! - { id: leaks, kind: completion_guard, look_for: [secret, card] }
//! - { id: words, kind: completion_guard, phrases: ["project albatross", "as an AI language model"], mode: shadow }
//! ```
//!
//! # On failure
//! 403 in the caller's language with what was found, never its words; a stream that has begun ends with an error in the caller's language.
//! A stream is held back by some words, as what is found must be whole before any of it goes on. What a provider has said is paid for, and
//! counts. Phrases are found in whatever case and with whatever white space between their words; pictures are not looked at.

use std::sync::Arc;

use lockgate_config::{Each, OnError, PolicyEntry, Problem, Spanned, decode};
use lockgate_llm::guard::{Banned, Class};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::env::Env;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::prompt::{Asked, AskedFor, Recalled};
use crate::prompt_data::{Data, named};
use crate::reason::Reason;
use crate::request::RequestView;
use crate::verdict::{Effect, Refusal, Verdict};

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "completion_guard",
    phase: Phase::Response,
    about: "Withholds answers of models that hold keys, personal data or banned phrases, inside streams too.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: true,
    reasons: &[&WITHHELD],
    schema: Settings::json_schema,
    compile,
};

/// The reason of an answer that may not reach its caller.
pub static WITHHELD: Reason = Reason::new(
    "completion_guard.withheld",
    403,
    "Answer withheld",
    "ask for something else; tell the API's owner when the answer should be let through",
);

/// The most phrases of a policy, and the most letters of one.
const MOST_PHRASES: usize = 256;
const LONGEST_PHRASE: usize = 200;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// What may not stand in an answer: `secret`, `email`, `card`, `iban`, `social_security`.
    look_for: Option<Each<Data>>,
    /// Phrases that may not stand in an answer.
    phrases: Option<Each<Spanned<String>>>,
}

#[derive(Debug)]
struct Guard(Arc<Banned>);

fn compile(entry: &PolicyEntry, _: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    if settings.look_for.is_none() && settings.phrases.is_none() {
        return Err(vec![
            Problem::new(&entry.span, "the policy looks for nothing")
                .help("write `look_for: [secret]` or `phrases: [\"project albatross\"]`"),
        ]);
    }
    let mut problems = Vec::new();
    let phrases: Vec<&Spanned<String>> = settings
        .phrases
        .iter()
        .flat_map(|list| list.iter())
        .collect();
    for phrase in &phrases {
        if phrase.chars().count() > LONGEST_PHRASE {
            let message = format!("the phrase has more than {LONGEST_PHRASE} letters");
            let problem = Problem::new(&phrase.span, message);
            problems.push(problem.help("write the part of it that tells it apart"));
        }
    }
    if phrases.len() > MOST_PHRASES {
        let message = format!("the policy has more than {MOST_PHRASES} phrases");
        problems.push(Problem::new(&entry.span, message).help("write several policies"));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let listed = settings.look_for.iter().flat_map(|list| list.iter());
    let classes: Vec<Class> = listed.map(|data| data.class()).collect();
    let phrases: Vec<&str> = phrases.iter().map(|phrase| phrase.as_str()).collect();
    match Banned::new(&classes, &phrases) {
        Ok(banned) => Ok(Box::new(Guard(Arc::new(banned)))),
        Err(error) => Err(vec![Problem::new(&entry.span, error.to_string())]),
    }
}

/// The refusal of an answer in which this was found.
pub(crate) fn withheld(what: &str) -> Refusal {
    Refusal::new(&WITHHELD, format!("the answer holds {}", named(what)))
}

impl Policy for Guard {
    fn evaluate(&self, request: &RequestView<'_>, _: &mut Env<'_>) -> Verdict {
        let Some(prompt) = request.prompt else {
            return Verdict::Undecided("what is asked was not read".into());
        };
        match &prompt.asked {
            Asked::Chat(_)
            | Asked::Recorded(Recalled {
                asked_for: AskedFor::Answer,
                ..
            }) => {
                let watch = Effect::WatchAnswer(self.0.clone());
                Verdict::Allow([watch].into_iter().collect())
            }
            // Vectors and lists of models say nothing.
            Asked::Count(_) | Asked::Embeddings(_) | Asked::Models | Asked::Recorded(_) => {
                Verdict::Pass
            }
        }
    }
}
