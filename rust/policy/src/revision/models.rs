//! Versions whose callers name a model in place of a path.

use std::sync::Arc;

use lockgate_config::{Each, Problem, Span, Spanned, Unlisted, Version};

use crate::policy::{BoundPolicy, Origin};
use crate::router::{Conditions, Template};

use super::build::{Build, Row, Scope, VersionScope};
use super::route::RouteTarget;

/// The calls that are taken: their name as a route, method and path. What a Gemini client writes behind `/models/` is a model with a
/// verb.
pub(super) const CALLS: &[(&str, http::Method, &str)] = &[
    ("chat", http::Method::POST, "/v1/chat/completions"),
    ("responses", http::Method::POST, "/v1/responses"),
    ("messages", http::Method::POST, "/v1/messages"),
    ("count", http::Method::POST, "/v1/messages/count_tokens"),
    ("embeddings", http::Method::POST, "/v1/embeddings"),
    ("models", http::Method::GET, "/v1/models"),
    ("generate", http::Method::POST, "/v1beta/models/{call}"),
    ("generate.v1", http::Method::POST, "/v1/models/{call}"),
    ("models.v1beta", http::Method::GET, "/v1beta/models"),
];

/// The most bytes of a prompt, and of an answer, that a recording keeps: a line of it bears no more.
const MOST_WORDS: u64 = 128 << 10;

impl<'a> Build<'a> {
    /// Policies that judge calls to models say nothing where none is served.
    pub(super) fn check_no_prompts(&mut self, declared: &[Arc<BoundPolicy>]) {
        for policy in declared.iter().filter(|policy| policy.needs_prompt()) {
            let message = format!(
                "the policy `{}` judges calls to models, and none is served here",
                policy.id
            );
            self.problems.push(
                Problem::new(&policy.span, message)
                    .help("move it to a version with `models`, to its API or to the gateway"),
            );
        }
    }

    /// Policies that concern services' answers say nothing where models answer: each must stand on another route, too.
    pub(super) fn check_left_out(&mut self) {
        let mut left_out = std::mem::take(&mut self.left_out);
        left_out.sort_by_key(|policy| (policy.span.line, policy.span.column));
        left_out.dedup_by(|one, other| Arc::ptr_eq(one, other));
        for policy in left_out {
            let address = Arc::as_ptr(&policy);
            if self.chains.keys().any(|chain| chain.contains(&address)) {
                continue;
            }
            let message = format!(
                "the policy `{}` keeps answers of services, and only models answer where it stands",
                policy.id
            );
            self.problems
                .push(Problem::new(&policy.span, message).help(
                "write `kind: model_cache` to keep answers of models, or move it to a version with an `upstream`",
            ));
        }
    }

    /// Only calls to models have words to record.
    pub(super) fn check_no_words(&mut self, settings: &Version) {
        if let Some(prompts) = &settings.record_prompts {
            let message = "a version without `models` has no `record_prompts`";
            self.problems
                .push(Problem::new(&prompts.span, message).help(
                "move it to a version with `models`; `record_body` of a route keeps other bodies",
            ));
        }
    }

    /// The policies of a model, which are the same wherever it is served.
    pub(super) fn policies_of_model(&mut self, name: &str) -> Scope {
        if let Some(known) = self.models.get(name) {
            return known.clone();
        }
        let model: Arc<str> = Arc::from(name);
        let origin = Origin::Model {
            model: model.clone(),
        };
        let settings = self.document.models.get(name);
        let scope = settings.map_or_else(Scope::new, |settings| {
            self.scope(&settings.policies, &origin, None, None)
        });
        self.models.insert(model, scope.clone());
        scope
    }

    /// Adds the routes of a version that serves models.
    pub(super) fn models(
        &mut self,
        shared: &VersionScope<'a>,
        names: &Spanned<Each<Spanned<String>>>,
        span: &Span,
    ) {
        let settings = shared.settings;
        let beside = [
            ("upstream", settings.upstream.is_some()),
            (
                "routes",
                settings.routes.iter().any(|route| route.prompt.is_none()),
            ),
            ("openapi", settings.openapi.is_some()),
            ("unlisted", settings.unlisted == Unlisted::Refuse),
        ];
        for (field, _) in beside.iter().filter(|(_, written)| *written) {
            let message = format!("a version with `models` has no `{field}`");
            self.problems.push(
                Problem::new(&names.span, message)
                    .help("serve models by a version of their own; beside them it may have routes with a `prompt`, and all other paths under its base are answered with 404"),
            );
        }
        if let Some(prompts) = &settings.record_prompts
            && prompts.up_to.bytes() > MOST_WORDS
        {
            let message = "`up_to` is more than a recording keeps of a call";
            self.problems
                .push(Problem::new(&prompts.span, message).help("write at most `up_to: 128KiB`"));
        }
        let mut known: Vec<Arc<str>> = Vec::new();
        let mut policies = Scope::new();
        for name in names.iter() {
            match self.document.models.get(name) {
                None => self.problems.push(Problem::unknown(
                    &name.span,
                    "model",
                    name,
                    &self.document.models.ids(),
                )),
                Some(_) if known.iter().any(|other| **other == *name.value) => {
                    let message = format!("the model `{}` is listed twice", name.value);
                    self.problems.push(Problem::new(&name.span, message));
                }
                Some(_) => {
                    policies.extend(self.policies_of_model(name));
                    known.push(Arc::from(name.as_str()));
                }
            }
        }
        let chain = self.chain_of_models(shared, &policies, span);
        let target = RouteTarget::Models(known.into());
        for (id, method, path) in CALLS {
            let conditions = Conditions {
                methods: vec![method.clone()],
                ..Conditions::default()
            };
            let path = format!("{}{path}", settings.base.trim_end_matches('/'));
            // The base was checked, and the rest is ours.
            let Ok(template) = Template::parse(&path) else {
                continue;
            };
            let row = Row {
                id,
                path: &path,
                template,
                conditions,
                target: target.clone(),
                chain: chain.clone(),
                record_body: None,
            };
            self.add(shared, row);
        }
    }
}
