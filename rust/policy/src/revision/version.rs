//! The routes of one version.

use std::collections::HashMap;
use std::sync::Arc;

use lockgate_config::{Problem, Route as RouteEntry, Span, Unlisted};

use crate::chain::Chain;
use crate::policy::Origin;
use crate::router::{Conditions, Template};

use super::build::{Build, Row, Scope, VersionScope};
use super::route::RouteTarget;
use super::targets::answers_itself;

impl<'a> Build<'a> {
    /// Adds all routes of a version.
    pub(super) fn version(&mut self, shared: &VersionScope<'a>, span: &Span) {
        let base = &shared.settings.base;
        if base.ends_with('/') && base.len() > 1
            || Template::parse(base).is_err()
            || base.contains('{')
        {
            self.problems.push(
                Problem::new(&base.span, format!("`{}` is not a base path", base.value))
                    .help("write a path such as `/orders/v1`"),
            );
            return;
        }
        self.outer_chain = None;
        if shared.settings.models.is_none() {
            self.check_no_words(shared.settings);
        }
        let mut ids = HashMap::new();
        for route in shared.settings.routes.iter() {
            let id = route_id(route);
            if let Some(first) = ids.insert(id.clone(), route.matches.span.line) {
                self.problems.push(
                    Problem::new(
                        &route.matches.span,
                        format!("the route `{id}` exists twice"),
                    )
                    .help(format!(
                        "the first stands at line {first}; change the match or give it an `id`"
                    )),
                );
                continue;
            }
            self.route(shared, route, &id);
        }
        if let Some(names) = &shared.settings.models {
            return self.models(shared, names, span);
        }
        if shared.settings.unlisted == Unlisted::Refuse {
            if shared.settings.routes.is_empty() {
                self.problems.push(
                    Problem::new(
                        span,
                        format!("no request can reach `{}/{}`", shared.api, shared.version),
                    )
                    .help("add `routes`, or leave out `unlisted: refuse`"),
                );
            }
            return;
        }
        let upstream = shared.settings.upstream.as_ref();
        let target = upstream
            .and_then(|name| self.upstream(name))
            .map_or(RouteTarget::Nobody, RouteTarget::Upstream);
        let chain = self.chain(&shared.outer, &[], span);
        if upstream.is_none() && !answers_itself(&chain) {
            self.problems.push(
                Problem::new(
                    span,
                    format!(
                        "nobody answers requests to `{}/{}`",
                        shared.api, shared.version
                    ),
                )
                .help("name an `upstream`, or write `unlisted: refuse`"),
            );
        }
        let path = format!("{}/{{*rest}}", base.trim_end_matches('/'));
        let rest = Template::parse(&path)
            .ok()
            .map(|template| (path.as_str(), template));
        let plain = base_template(base).map(|template| (base.as_str(), template));
        for (path, template) in rest.into_iter().chain(plain) {
            let row = Row {
                id: "*",
                path,
                template,
                conditions: Conditions::default(),
                target: target.clone(),
                chain: chain.clone(),
                record_body: None,
            };
            self.add(shared, row);
        }
    }

    fn route(&mut self, shared: &VersionScope<'a>, route: &'a RouteEntry, id: &str) {
        let base = shared.settings.base.trim_end_matches('/');
        let (path, path_span) = match &route.matches.path {
            Some(path) => (
                format!(
                    "{base}{}",
                    if path.as_str() == "/" && !base.is_empty() {
                        ""
                    } else {
                        path.as_str()
                    }
                ),
                &path.span,
            ),
            None => (format!("{base}/{{*rest}}"), &route.matches.span),
        };
        let template = match Template::parse(&path) {
            Ok(template) => template,
            Err(message) => return self.problems.push(Problem::new(path_span, message)),
        };
        let origin = Origin::Route {
            api: shared.api.clone(),
            version: shared.version.clone(),
            route: Arc::from(id),
        };
        let inner = self.scope(
            &route.policies,
            &origin,
            Some(shared.settings),
            Some(&template),
        );
        let mut conditions = self.conditions(route);
        self.check_one_target(route);
        let (target, chain) = match &route.prompt {
            Some(prompt) => {
                let (target, of_model) = self.prompt(shared, (route, id), prompt, &mut conditions);
                let inner = [inner, of_model].concat();
                let chain = self.chain_of_models(shared, &inner, &route.matches.span);
                (target, chain)
            }
            None => {
                self.check_no_prompts(&inner);
                let chain = self.route_chain(shared, &inner, &route.matches.span);
                let target = self.target(shared, route, &chain, &template);
                (target, chain)
            }
        };
        let row = Row {
            id,
            path: &path,
            template,
            conditions,
            target,
            chain,
            record_body: route.record_body.clone(),
        };
        if route.matches.path.is_none()
            && let Some(template) = base_template(base)
        {
            self.add(shared, row.clone());
            let path = base;
            return self.add(
                shared,
                Row {
                    path,
                    template,
                    ..row
                },
            );
        }
        self.add(shared, row);
    }

    /// The chain of a route. Most have no policies of their own, and share one without anybody putting it together again.
    fn route_chain(&mut self, shared: &VersionScope<'_>, inner: &Scope, span: &Span) -> Arc<Chain> {
        if !inner.is_empty() {
            return self.chain(&shared.outer, inner, span);
        }
        if let Some(chain) = &self.outer_chain {
            return chain.clone();
        }
        let problems = self.problems.len();
        let chain = self.chain(&shared.outer, inner, span);
        // Problems name the route, so each has its own.
        if self.problems.len() == problems {
            self.outer_chain = Some(chain.clone());
        }
        chain
    }
}

/// The template of a version's base, which its routes for any path take as well; nothing when it is `/`.
fn base_template(base: &str) -> Option<Template> {
    let is_root = base.trim_end_matches('/').is_empty();
    (!is_root).then(|| Template::parse(base).ok()).flatten()
}

/// The name of a route within its version: what it is called, or what it takes.
pub(crate) fn route_id(route: &RouteEntry) -> String {
    if let Some(id) = &route.id {
        return id.value.clone();
    }
    let methods = route.matches.methods.as_ref().map_or_else(
        || "*".to_owned(),
        |methods| {
            methods
                .iter()
                .map(|method| method.as_str())
                .collect::<Vec<_>>()
                .join(",")
        },
    );
    let path = route
        .matches
        .path
        .as_ref()
        .map_or("*", |path| path.as_str());
    let headers = route
        .matches
        .headers
        .iter()
        .flat_map(|headers| headers.iter());
    headers.fold(format!("{methods} {path}"), |id, (name, value)| {
        format!("{id} {name}={value}")
    })
}
