//! Prompts that routes publish.

use std::sync::Arc;

use http::Method;
use lockgate_config::{
    Problem, Prompt as Settings, PromptMessage, Route as RouteEntry, Span, Spanned,
};
use lockgate_llm::{MOST_REQUEST_BYTES, PromptTemplate, PromptVariable, Role, TextWithVariables};
use serde_json::Number;

use crate::router::Conditions;

use super::build::{Build, Scope, VersionScope};
use super::models::CALLS;
use super::route::RouteTarget;

impl Build<'_> {
    /// Who answers a route that publishes a prompt, and what the policies of its model are.
    pub(super) fn prompt(
        &mut self,
        shared: &VersionScope<'_>,
        (route, id): (&RouteEntry, &str),
        settings: &Spanned<Settings>,
        conditions: &mut Conditions,
    ) -> (RouteTarget, Scope) {
        let span = &route.matches.span;
        if conditions
            .methods
            .iter()
            .any(|method| method != Method::POST)
        {
            let problem = Problem::new(span, "a prompt is asked by `POST` alone");
            self.problems
                .push(problem.help("leave `methods` out, or write `methods: [POST]`"));
        }
        conditions.methods = vec![Method::POST];
        self.check_beside_models(shared, (route, id));
        let policies = self.policies_of_model(&settings.model);
        let target = self
            .template(settings)
            .map_or(RouteTarget::Nobody, RouteTarget::Prompt);
        (target, policies)
    }

    /// A version that serves models has routes of its own, which no prompt may stand in for.
    fn check_beside_models(&mut self, shared: &VersionScope<'_>, (route, id): (&RouteEntry, &str)) {
        if shared.settings.models.is_none() {
            return;
        }
        let path = route.matches.path.as_ref();
        for (name, _, taken) in CALLS {
            if path.is_none_or(|path| path.as_str() == *taken) {
                let message = format!("`{taken}` is a path of the version's `models`");
                let problem = Problem::new(&route.matches.span, message);
                self.problems
                    .push(problem.help("write a `path` of the prompt's own, such as `/summaries`"));
                return;
            }
            if *name == id {
                let message = format!("the route `{id}` is one of the version's `models`");
                let problem = Problem::new(&route.matches.span, message);
                self.problems.push(problem.help("give it another `id`"));
            }
        }
    }

    fn template(&mut self, settings: &Spanned<Settings>) -> Option<Arc<PromptTemplate>> {
        let known = self.problems.len();
        if self.document.models.get(&settings.model).is_none() {
            let models = self.document.models.ids();
            let span = &settings.model.span;
            self.problems
                .push(Problem::unknown(span, "model", &settings.model, &models));
        }
        let declared = settings.variables.ids();
        let mut used: Vec<String> = Vec::new();
        let mut messages = Vec::new();
        for message in settings.messages.iter() {
            let text = message.text();
            match TextWithVariables::parse(text) {
                Ok(parsed) => {
                    self.check_declared(&text.span, &parsed, &declared);
                    used.extend(parsed.variables().map(str::to_owned));
                    messages.push((role(message), parsed));
                }
                Err(error) => {
                    self.problems
                        .push(Problem::new(&text.span, error.to_string()).help(
                            "write a variable as `{{name}}`, and `\\{{` for the braces themselves",
                        ))
                }
            }
        }
        let is_asked =
            |message: &Spanned<PromptMessage>| matches!(**message, PromptMessage::User(_));
        if !settings.messages.iter().any(is_asked) {
            let problem = Problem::new(&settings.span, "the prompt asks nothing");
            self.problems
                .push(problem.help("add a message such as `user: \"{{text}}\"`"));
        }
        let is_whole = messages.len() == settings.messages.len();
        for entry in settings.variables.iter() {
            if is_whole && !used.contains(&entry.id) {
                let message = format!("no message uses the variable `{}`", entry.id);
                let help = format!("write `{{{{{}}}}}` in a message, or take it out", entry.id);
                self.problems
                    .push(Problem::new(&entry.span, message).help(help));
            }
            let most = entry.value.max_length.get();
            if let Some(default) = &entry.value.default
                && default.0.chars().count() > most as usize
            {
                let message = format!("the default has more than {most} characters");
                self.problems.push(
                    Problem::new(&default.span, message)
                        .help("write a shorter one, or a larger `max_length`"),
                );
            }
        }
        let temperature = settings.temperature.as_ref().and_then(|wanted| {
            let is_known = (0.0..=2.0).contains(&wanted.value);
            if !is_known {
                let message = format!("`{}` is no temperature", wanted.value);
                self.problems
                    .push(Problem::new(&wanted.span, message).help("write a number from 0 to 2"));
            }
            Number::from_f64(wanted.value)
        });
        let template = PromptTemplate {
            model: Arc::from(settings.model.as_str()),
            messages,
            variables: variables(settings),
            max_output: settings.max_tokens.map(|most| u64::from(most.get())),
            temperature,
        };
        if template.most_bytes() > MOST_REQUEST_BYTES {
            let message = format!("the prompt can have more than {MOST_REQUEST_BYTES} bytes");
            self.problems.push(
                Problem::new(&settings.span, message)
                    .help("write a smaller `max_length` of its variables"),
            );
        }
        (self.problems.len() == known).then(|| Arc::new(template))
    }

    fn check_declared(&mut self, span: &Span, text: &TextWithVariables, declared: &[&str]) {
        let mut named: Vec<&str> = Vec::new();
        for name in text.variables() {
            if declared.contains(&name) || named.contains(&name) {
                continue;
            }
            named.push(name);
            self.problems.push(match declared {
                [] => Problem::new(span, format!("the variable `{name}` is not declared")).help(
                    format!("write `variables: {{ {name}: {{}} }}` beside `messages`"),
                ),
                declared => Problem::unknown(span, "variable", name, declared),
            });
        }
    }
}

fn role(message: &PromptMessage) -> Role {
    match message {
        PromptMessage::System(_) => Role::System,
        PromptMessage::User(_) => Role::User,
        PromptMessage::Assistant(_) => Role::Assistant,
    }
}

fn variables(settings: &Settings) -> Vec<PromptVariable> {
    let entries = settings.variables.iter();
    let variables = entries.map(|entry| PromptVariable {
        name: entry.id.clone(),
        default: entry.value.default.as_ref().map(|value| value.0.clone()),
        max_length: entry.value.max_length.get() as usize,
    });
    variables.collect()
}
