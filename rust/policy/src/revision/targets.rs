//! Which requests a route takes, and who answers them.

use std::sync::Arc;

use http::{HeaderName, Method};
use lockgate_config::{Match, Mode, Problem, Route as RouteEntry, Spanned};

use crate::chain::Chain;
use crate::policy::Origin;
use crate::router::{Conditions, Template};

use super::build::{Build, VersionScope};
use super::route::{Part, RouteTarget};

impl Build<'_> {
    pub(super) fn upstream(&mut self, name: &Spanned<String>) -> Option<Arc<str>> {
        if let Some(known) = self.upstreams.get(name.as_str()) {
            return Some(known.clone());
        }
        self.problems.push(Problem::unknown(
            &name.span,
            "upstream",
            name,
            &self.document.upstreams.ids(),
        ));
        None
    }

    pub(super) fn check_one_target(&mut self, route: &RouteEntry) {
        let written = [
            route.upstream.is_some(),
            route.split.is_some(),
            route.aggregate.is_some(),
            route.prompt.is_some(),
        ];
        if written.iter().filter(|is| **is).count() > 1 {
            self.problems.push(Problem::new(
                &route.matches.span,
                "a route has only one of `upstream`, `split`, `aggregate` and `prompt`",
            ));
        }
    }

    pub(super) fn target(
        &mut self,
        shared: &VersionScope<'_>,
        route: &RouteEntry,
        chain: &Chain,
        template: &Template,
    ) -> RouteTarget {
        let span = &route.matches.span;
        if let Some(parts) = &route.aggregate {
            self.check_rewrites(chain);
            self.check_asked_by_get(route);
            return RouteTarget::Aggregate(
                parts
                    .iter()
                    .filter_map(|(name, part)| self.part(name, part, template))
                    .collect(),
            );
        }
        if let Some(split) = &route.split {
            let mut total = 0u32;
            let weights = split.iter().filter_map(|(name, weight)| {
                let name = self.upstream(&Spanned {
                    span: split.span.clone(),
                    value: name.clone(),
                })?;
                total = total.saturating_add(weight.get());
                Some((total, name))
            });
            return RouteTarget::Split(weights.collect());
        }
        match route
            .upstream
            .as_ref()
            .or(shared.settings.upstream.as_ref())
        {
            Some(name) => self
                .upstream(name)
                .map_or(RouteTarget::Nobody, RouteTarget::Upstream),
            None => {
                if !answers_itself(chain) {
                    self.problems.push(
                        Problem::new(span, "nobody answers this route")
                            .help("name an `upstream` here or in the version"),
                    );
                }
                RouteTarget::Nobody
            }
        }
    }

    /// Parts are asked by `GET`, whatever the caller does: a route that says otherwise would do nothing of it.
    fn check_asked_by_get(&mut self, route: &RouteEntry) {
        let methods = route.matches.methods.iter().flat_map(|all| all.iter());
        for method in methods.filter(|method| !matches!(method.as_str(), "GET" | "HEAD")) {
            let message = format!(
                "an aggregation is asked by `GET`, and not by `{}`",
                method.value
            );
            self.problems
                .push(Problem::new(&method.span, message).help("write `methods: [GET]`"));
        }
    }

    /// Parts of an answer have paths of their own: what a route rewrites would never be asked.
    fn check_rewrites(&mut self, chain: &Chain) {
        let rewrites = chain.policies().iter().find(|bound| {
            bound.kind.name == "rewrite" && matches!(bound.origin, Origin::Route { .. })
        });
        if let Some(bound) = rewrites {
            let message = format!(
                "the policy `{}` rewrites what an aggregated route does not forward",
                bound.id
            );
            self.problems.push(
                Problem::new(&bound.span, message).help(
                    "write the paths of the parts under `aggregate`, and take the policy out",
                ),
            );
        }
    }

    fn part(
        &mut self,
        name: &str,
        part: &lockgate_config::Part,
        template: &Template,
    ) -> Option<Part> {
        let upstream = self.upstream(&part.upstream)?;
        let known = template.names();
        for variable in part
            .path
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split_once('}'))
            .map(|(name, _)| name)
        {
            if !known.contains(&variable) {
                self.problems.push(Problem::unknown(
                    &part.path.span,
                    "variable",
                    variable,
                    &known,
                ));
            }
        }
        if !part.path.starts_with('/') {
            self.problems.push(Problem::new(
                &part.path.span,
                format!("`{}` does not start with `/`", part.path.value),
            ));
        }
        if let Some(default) = part.default.as_ref().filter(|_| !part.optional) {
            let message = format!("the part `{name}` has a `default` and is not optional");
            self.problems.push(
                Problem::new(&default.0.span, message)
                    .help("write `optional: true` beside it, or take the `default` out"),
            );
        }
        Some(Part {
            name: Arc::from(name),
            upstream,
            path: Arc::from(part.path.as_str()),
            optional: part.optional,
            default: part
                .default
                .as_ref()
                .map_or(serde_json::Value::Null, |raw| raw.0.to_json()),
            within: part.within.map(lockgate_config::Duration::get),
        })
    }

    pub(super) fn conditions(&mut self, route: &RouteEntry) -> Conditions {
        let mut conditions = Conditions::default();
        let Match {
            methods,
            path,
            headers,
        } = &*route.matches;
        if methods.is_none() && path.is_none() && headers.is_none() {
            let problem = Problem::new(&route.matches.span, "the match names nothing");
            self.problems.push(problem.help(
                "write `path: \"/{*rest}\"` for every request, or name `methods`, a `path` or `headers`",
            ));
        }
        for name in route
            .matches
            .methods
            .iter()
            .flat_map(|methods| methods.iter())
        {
            match Method::from_bytes(name.as_bytes()) {
                Ok(method) if name.chars().all(|c| c.is_ascii_uppercase() || c == '-') => {
                    conditions.methods.push(method)
                }
                _ => self.problems.push(
                    Problem::new(&name.span, format!("`{}` is not a method", name.value))
                        .help("write methods in capitals, such as `GET`"),
                ),
            }
        }
        if let Some(headers) = &route.matches.headers {
            for (name, value) in headers.iter() {
                match HeaderName::from_bytes(name.as_bytes()) {
                    Ok(name) => conditions
                        .headers
                        .push((name, (value != "*").then(|| value.clone()))),
                    Err(_) => self.problems.push(Problem::new(
                        &headers.span,
                        format!("`{name}` is not a field name"),
                    )),
                }
            }
        }
        conditions
    }
}

/// Whether a policy of the chain answers in place of a service.
pub(super) fn answers_itself(chain: &Chain) -> bool {
    chain.policies().iter().any(|policy| {
        policy.mode == Mode::Enforce && matches!(policy.kind.name, "respond" | "redirect")
    })
}
