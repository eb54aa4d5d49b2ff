//! # What it does
//! Refuses prompts that try to talk the model out of its instructions, and prompts that hold keys, passwords or personal data.
//!
//! # When to use
//! Callers hand on what strangers wrote, or might send what should not leave the house. Begin with `mode: shadow` and see whom it
//! would refuse.
//!
//! # Example
//! ```yaml
//! - { id: injections, kind: prompt_guard, mode: shadow, look_for: [override, persona, delimiter], threshold: 2 }
//! - { id: secrets, kind: prompt_guard, look_for: [secret, card] }
//! ```
//!
//! # On failure
//! 403 with what was found, never its words. Attempts are looked for in what users and tools say, as acts of speech: a question about an
//! attack, and one that is quoted, pass. Data is looked for in every text; thoughts, pictures and files are not looked at. Known forms of
//! attack are found, new ones about every second time: what a model may do should not depend on what a prompt says.

use std::num::NonZeroU8;

use lockgate_config::{Each, OnError, PolicyEntry, Problem, Spanned, decode};
use lockgate_llm::Role;
use lockgate_llm::guard::{Class, Injection, Shapes, Signal};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::env::Env;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::prompt::Said;
use crate::prompt_data::named;
use crate::reason::Reason;
use crate::request::RequestView;
use crate::verdict::Verdict;

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "prompt_guard",
    phase: Phase::Payload,
    about: "Refuses prompts that try to talk a model out of its instructions, or that hold keys or personal data.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: true,
    reasons: &[&INJECTION, &DATA],
    schema: Settings::json_schema,
    compile,
};

static INJECTION: Reason = Reason::new(
    "prompt_guard.injection",
    403,
    "Looks like an attack on the model",
    "say it in other words, or put what is only spoken of in quotation marks; tell the API's owner when the prompt is right",
);
static DATA: Reason = Reason::new(
    "prompt_guard.data",
    403,
    "Prompt holds what may not leave",
    "take out what `detail` names; change a key that has been sent",
);

/// What is looked for in prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum LookFor {
    /// Taking back the instructions: "ignore all previous instructions".
    Override,
    /// A part without limits for the model: "you are now DAN".
    Persona,
    /// Asking for the instructions.
    Extraction,
    /// Imitated marks between turns: `<|im_start|>`.
    Delimiter,
    /// Asking to send what is known to an address.
    Exfiltration,
    /// Keys, tokens and passwords, by their shape.
    Secret,
    /// E-mail addresses, those of documentation aside.
    Email,
    /// Numbers of payment cards whose check digit is right.
    Card,
    /// Account numbers (IBAN) whose check digits are right.
    Iban,
    /// Social security numbers of the United States.
    SocialSecurity,
}

enum Sought {
    Signal(Signal),
    Class(Class),
}

impl LookFor {
    const DEFAULT: [Self; 6] = [
        Self::Override,
        Self::Persona,
        Self::Extraction,
        Self::Delimiter,
        Self::Exfiltration,
        Self::Secret,
    ];

    const fn sought(self) -> Sought {
        match self {
            Self::Override => Sought::Signal(Signal::Override),
            Self::Persona => Sought::Signal(Signal::Persona),
            Self::Extraction => Sought::Signal(Signal::Extraction),
            Self::Delimiter => Sought::Signal(Signal::Delimiter),
            Self::Exfiltration => Sought::Signal(Signal::Exfiltration),
            Self::Secret => Sought::Class(Class::Secret),
            Self::Email => Sought::Class(Class::Email),
            Self::Card => Sought::Class(Class::Card),
            Self::Iban => Sought::Class(Class::Iban),
            Self::SocialSecurity => Sought::Class(Class::SocialSecurity),
        }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// What is looked for; by default all attempts to talk the model out of its instructions, and `secret`.
    look_for: Option<Each<LookFor>>,
    /// How many different attempts a text must hold to be refused; 1 by default. Data is refused wherever it is found.
    threshold: Option<Spanned<NonZeroU8>>,
}

#[derive(Debug)]
struct Guard {
    injection: Injection,
    shapes: Shapes,
    signals: Vec<Signal>,
    classes: Vec<Class>,
    threshold: usize,
}

fn compile(entry: &PolicyEntry, _: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let sought = match &settings.look_for {
        Some(listed) => listed.to_vec(),
        None => LookFor::DEFAULT.to_vec(),
    };
    let (mut signals, mut classes) = (Vec::new(), Vec::new());
    for sought in sought {
        match sought.sought() {
            Sought::Signal(signal) => signals.push(signal),
            Sought::Class(class) => classes.push(class),
        }
    }
    if let Some(threshold) = &settings.threshold
        && usize::from(threshold.value.get()) > signals.len()
    {
        let message = format!(
            "the threshold {} is never reached: {} sorts of attempts are looked for",
            threshold.value,
            signals.len()
        );
        return Err(vec![
            Problem::new(&threshold.span, message)
                .help("write a smaller one, or list more attempts in `look_for`"),
        ]);
    }
    let threshold = settings.threshold;
    let built = Injection::new().and_then(|injection| Ok((injection, Shapes::new()?)));
    match built {
        Ok((injection, shapes)) => Ok(Box::new(Guard {
            injection,
            shapes,
            signals,
            classes,
            threshold: threshold.map_or(1, |threshold| usize::from(threshold.value.get())),
        })),
        Err(error) => Err(vec![Problem::new(&entry.span, error.to_string())]),
    }
}

impl Guard {
    fn attempts(&self, said: Said<'_>) -> Option<Vec<&'static str>> {
        if self.signals.is_empty() {
            return None;
        }
        let mut found = match said.taken_out {
            Some(known) => known.signals.clone(),
            None => self.injection.signals(said.text),
        };
        found.retain(|signal| self.signals.contains(signal));
        (found.len() >= self.threshold).then(|| found.iter().map(|signal| words(*signal)).collect())
    }

    fn data(&self, said: Said<'_>) -> Option<&'static str> {
        if self.classes.is_empty() {
            return None;
        }
        let found = said.classes(&self.shapes);
        let found = found
            .into_iter()
            .find(|class| self.classes.contains(class))?;
        Some(named(found.name()))
    }
}

const fn words(signal: Signal) -> &'static str {
    match signal {
        Signal::Override => "to take back the model's instructions",
        Signal::Persona => "to give the model a part without limits",
        Signal::Extraction => "to get at the model's instructions",
        Signal::Delimiter => "to imitate the marks between turns",
        Signal::Exfiltration => "to have what the model knows sent away",
    }
}

impl Policy for Guard {
    fn evaluate(&self, request: &RequestView<'_>, _: &mut Env<'_>) -> Verdict {
        let Some(prompt) = request.prompt else {
            return Verdict::Undecided("what is asked was not read".into());
        };
        let (mut attempts, mut data, mut texts) = (None, None, 0_usize);
        let seen = prompt.texts(&mut |said| {
            texts += 1;
            if attempts.is_none() && matches!(said.role, Role::User | Role::Tool) {
                attempts = self.attempts(said);
            }
            if data.is_none() {
                data = self.data(said);
            }
        });
        if let Err(need) = seen {
            return Verdict::Need(need);
        }
        match (data, attempts) {
            (Some(what), _) => Verdict::deny(&DATA, format!("the prompt holds {what}")),
            (None, Some(attempts)) => {
                let what = attempts.join(" and ");
                Verdict::deny(&INJECTION, format!("the prompt seems to try {what}"))
            }
            (None, None) if texts == 0 => Verdict::Pass,
            (None, None) => Verdict::allow(),
        }
    }
}
