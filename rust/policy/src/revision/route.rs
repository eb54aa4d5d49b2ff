//! Requests that are treated alike.

use std::sync::Arc;

use http::Method;
use http::header::ALLOW;
use lockgate_config::{RecordBody, RecordPrompts};
use lockgate_llm::{Call, PromptTemplate, Surface};

use crate::chain::{Chain, Halt, Outcome, Progress, Step};
use crate::env::Env;
use crate::need::Need;
use crate::problem_details::Form;
use crate::prompt::Asked;
use crate::prompt_keeping::kept_of;
use crate::prompt_reading::{self, Reading, Unread};
use crate::reason;
use crate::request::RequestView;
use crate::router::{Template, takes};
use crate::verdict::Refusal;

/// Requests that are treated alike.
#[derive(Debug)]
pub struct Route {
    /// Its stable name within the version.
    pub id: Arc<str>,
    /// The API.
    pub api: Arc<str>,
    /// The version.
    pub version: Arc<str>,
    /// The methods it takes; empty means any.
    pub methods: Vec<Method>,
    /// The full path template.
    pub template: Template,
    /// The path template as text.
    pub path: Arc<str>,
    /// Its effective policies.
    pub chain: Arc<Chain>,
    /// Who answers.
    pub target: RouteTarget,
    /// How many bytes at the start of the path are taken off before forwarding.
    pub strip: usize,
    /// How much of bodies is recorded.
    pub record_body: Option<RecordBody>,
    /// How much of what models are asked, and answer, is recorded.
    pub record_prompts: Option<RecordPrompts>,
}

/// Who answers a route's requests.
#[derive(Debug, Clone)]
pub enum RouteTarget {
    /// Nobody: policies answer, or it is 404.
    Nobody,
    /// A service.
    Upstream(Arc<str>),
    /// Several by weight: cumulative weights.
    Split(Vec<(u32, Arc<str>)>),
    /// Several together.
    Aggregate(Vec<Part>),
    /// A model that the caller names.
    Models(Arc<[Arc<str>]>),
    /// A model, by a prompt that the caller fills.
    Prompt(Arc<PromptTemplate>),
}

impl RouteTarget {
    /// Whether a model answers.
    pub const fn is_model(&self) -> bool {
        matches!(self, Self::Models(_) | Self::Prompt(_))
    }
}

/// One part of an aggregated answer.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its name in the answer.
    pub name: Arc<str>,
    /// The service.
    pub upstream: Arc<str>,
    /// The path to ask, with `{name}` for variables.
    pub path: Arc<str>,
    /// Whether the answer may come without it.
    pub optional: bool,
    /// What stands in for it.
    pub default: serde_json::Value,
    /// How long it may take.
    pub within: Option<std::time::Duration>,
}

impl Route {
    /// Advances its chain. A preflight that its policies leave alone is no request of this route when it takes no `OPTIONS`.
    pub fn advance(
        &self,
        request: &RequestView<'_>,
        progress: &mut Progress,
        env: &mut Env<'_>,
    ) -> Step {
        let step = self.decide(request, progress, env);
        let takes = takes(&self.methods, request.method);
        match step {
            Step::Decided(Outcome::Forward) if !takes => {
                Step::Decided(Outcome::Refuse(wrong_method(&self.methods)))
            }
            step => step,
        }
    }

    /// The form in which a caller of this route wants errors.
    pub fn form(&self, request: &RequestView<'_>) -> Form {
        let surface = match &self.target {
            RouteTarget::Models(_) => {
                let path = self.forwarded_path(request.path);
                Call::of(request.method.as_str(), path).map(|call| surface(&call))
            }
            _ => None,
        };
        surface.map_or_else(|| Form::of(request.headers), Form::Model)
    }

    /// Advances through what policies say. What is asked of a model is read where the first of them needs it.
    fn decide(
        &self,
        request: &RequestView<'_>,
        progress: &mut Progress,
        env: &mut Env<'_>,
    ) -> Step {
        loop {
            let unread = self.target.is_model() && progress.prompt.is_none();
            match self.chain.advance(request, &self.id, progress, env) {
                Halt::Step(Step::Decided(Outcome::Forward)) if unread => {}
                Halt::Step(step) => return step,
                Halt::Prompt => {}
            }
            let recorded = env.facts.recorded_prompt();
            let words = self.record_prompts.as_ref();
            let words = words.map(|settings| settings.up_to.as_usize());
            let mut to_record = None;
            let mut note = |model: &str, asked: &Asked| {
                if env.facts.are_to_record() {
                    to_record = Some(kept_of(model, asked, words));
                }
            };
            let read = match &self.target {
                RouteTarget::Models(models) => {
                    let reading = Reading {
                        request,
                        path: self.forwarded_path(request.path),
                        models,
                        recorded,
                    };
                    prompt_reading::read(&reading, &mut note)
                }
                RouteTarget::Prompt(template) => {
                    prompt_reading::fill(request, template, recorded, &mut note)
                }
                // Its policies that judge prompts were left out when it was compiled: what is left is a fault, and no request passes it.
                _ => Err(Unread::from(Refusal::new(
                    &reason::UNDECIDED,
                    "a policy could not decide about this request",
                ))),
            };
            match read {
                Ok(prompt) => progress.prompt = Some(Box::new(prompt)),
                Err(Unread::Need(limit)) => return Step::Need(Need::Body(limit)),
                Err(Unread::Refused(refusal)) => {
                    let unreadable = refusal.reason.code == reason::MODEL_REQUEST.code;
                    if unreadable && env.facts.are_to_record() {
                        to_record.get_or_insert_default();
                    }
                    progress.to_record = to_record.map(Box::new);
                    return Step::Decided(Outcome::Refuse(refusal));
                }
            }
            progress.to_record = to_record.map(Box::new);
        }
    }

    /// The path as it is forwarded: the canonical path without the base, byte for byte.
    pub fn forwarded_path<'a>(&self, path: &'a str) -> &'a str {
        match path.get(self.strip..) {
            Some("") | None => "/",
            Some(rest) => rest,
        }
    }
}

/// The language of a call, in which its errors are said.
const fn surface(call: &Call) -> Surface {
    match call {
        Call::Chat { surface, .. } | Call::Models(surface) => *surface,
        Call::Count => Surface::AnthropicMessages,
        Call::Embeddings => Surface::OpenaiChat,
    }
}

impl std::fmt::Display for RouteTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nobody => f.write_str("the gateway"),
            Self::Upstream(name) => f.write_str(name),
            Self::Split(several) => {
                let names: Vec<&str> = several.iter().map(|(_, name)| &**name).collect();
                f.write_str(&names.join(", "))
            }
            Self::Aggregate(parts) => {
                let names: Vec<&str> = parts.iter().map(|part| &*part.upstream).collect();
                f.write_str(&names.join(" + "))
            }
            Self::Models(names) => write!(f, "models {}", names.join(", ")),
            Self::Prompt(template) => write!(f, "a prompt for model {}", template.model),
        }
    }
}

/// The refusal of a method that a path does not take.
pub(super) fn wrong_method(methods: &[Method]) -> Box<Refusal> {
    let mut names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    if !methods.contains(&Method::HEAD) && takes(methods, &Method::HEAD) {
        names.push(Method::HEAD.as_str());
    }
    let detail = format!("this path takes `{}`", names.join("`, `"));
    let refusal = Refusal::new(&reason::WRONG_METHOD, detail);
    Box::new(refusal.header(ALLOW, &names.join(", ")))
}
