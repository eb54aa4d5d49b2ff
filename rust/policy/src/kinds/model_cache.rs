//! # What it does
//! Gives the answer of a model again when the same question is asked again, without asking the provider.
//!
//! # When to use
//! Callers ask the same things often: a page that explains an error, a classifier, embeddings of the same texts.
//!
//! # Example
//! ```yaml
//! - { id: again, kind: model_cache, for: 1h }
//! - { id: shared, kind: model_cache, for: 1d, by: everyone, tags: [help] }
//! ```
//!
//! # On failure
//! It never refuses. The same question is the same in every word and setting, for the same provider's model, streamed or not. Each
//! application has answers of its own unless `by` says otherwise, and callers who are not identified have none. Answers are kept that came
//! to an end of their own, those of streams too when all that was said is known; errors, what broke off and what a policy withheld are
//! not. An answer that is given again takes nothing from limits and budgets, which must have room for the call all the same, and is judged by `completion_guard` again.
//! `Cache-Status` and the recording say what came from here; `Cache-Control: no-cache` of the caller asks the provider.

use std::sync::Arc;

use lockgate_config::{ByteSize, Duration, Each, OnError, PolicyEntry, decode};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::answer_keeping::{KeepRule, Keeping};
use crate::env::Env;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::prompt::Prompt;
use crate::request::RequestView;
use crate::verdict::{Effect, Verdict};

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "model_cache",
    phase: Phase::Mediate,
    about: "Gives a model's answer to the same question again, apart for each application.",
    on_error: OnError::Allow,
    needs_identity: false,
    needs_prompt: true,
    reasons: &[],
    schema: Settings::json_schema,
    compile,
};

/// Who shares answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum By {
    /// The calls of one application.
    #[default]
    Application,
    /// The applications of one team.
    Team,
    /// All callers, those who are not identified too.
    Everyone,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// How long an answer is given again.
    #[serde(rename = "for")]
    fresh: Duration,
    /// Who shares answers: `application` (the default), `team` or `everyone`.
    #[serde(default)]
    by: By,
    /// The largest answer that is kept.
    #[serde(default = "up_to")]
    up_to: ByteSize,
    /// Names by which answers can be purged together.
    tags: Option<Each<String>>,
}

const fn up_to() -> ByteSize {
    ByteSize::new(256 * 1024)
}

#[derive(Debug)]
struct Cache {
    by: By,
    rule: Arc<KeepRule>,
}

fn compile(entry: &PolicyEntry, _: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    Ok(Box::new(Cache {
        by: settings.by,
        rule: Arc::new(KeepRule {
            fresh: settings.fresh.get(),
            up_to: settings.up_to.as_usize(),
            tags: settings.tags.map(|tags| tags.to_vec()).unwrap_or_default(),
        }),
    }))
}

impl Cache {
    /// Whose answers a caller shares; nobody's when it is not known who calls.
    fn whose(&self, request: &RequestView<'_>) -> Option<Arc<str>> {
        let whose = match self.by {
            By::Application => format!("application {}", request.identity?.key()?),
            By::Team => {
                let application = request.identity?.application.as_ref()?;
                format!("team {}", application.team.as_deref()?)
            }
            By::Everyone => "everyone".to_owned(),
        };
        Some(whose.into())
    }
}

impl Policy for Cache {
    fn evaluate(&self, request: &RequestView<'_>, _: &mut Env<'_>) -> Verdict {
        let asks = request.prompt.is_some_and(Prompt::is_answered);
        // RFC 9111 §5.2.1: of what callers may demand, these two are heard.
        let demands = request.header("cache-control").unwrap_or_default();
        let demands = |name: &str| {
            let mut demands = demands.split(',');
            demands.any(|demand| demand.trim().eq_ignore_ascii_case(name))
        };
        match self.whose(request) {
            Some(whose) if asks && !demands("no-store") => {
                let keeping = Keeping {
                    rule: self.rule.clone(),
                    whose,
                    look: !demands("no-cache"),
                };
                Verdict::Allow([Effect::KeepAnswer(keeping)].into_iter().collect())
            }
            _ => Verdict::Pass,
        }
    }
}
