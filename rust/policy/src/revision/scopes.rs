//! The effective policies of a route: what each scope declares, and how inner scopes change it.

use std::collections::HashMap;
use std::sync::Arc;

use lockgate_config::{Mode, PolicyEntry, Problem, Purposes, Span, Version};

use crate::bind::bind;
use crate::chain::Chain;
use crate::policy::{BoundPolicy, Compiling, Origin, Phase};
use crate::router::Template;

use super::build::{Build, Scope, VersionScope};

impl Build<'_> {
    pub(super) fn scope(
        &mut self,
        entries: &[PolicyEntry],
        origin: &Origin,
        version: Option<&Version>,
        template: Option<&Template>,
    ) -> Scope {
        let mut ids: HashMap<&str, u32> = HashMap::new();
        let mut scope = Scope::new();
        for entry in entries {
            if let Some(first) = ids.insert(entry.id.as_str(), entry.span.line) {
                self.problems.push(
                    Problem::new(
                        &entry.id.span,
                        format!("the policy `{}` exists twice in this scope", entry.id.value),
                    )
                    .help(format!(
                        "the first stands at line {first}; give each its own `id`"
                    )),
                );
                continue;
            }
            let compiling = Compiling {
                document: self.document,
                base: self.base,
                secrets: self.secrets,
                directory: self.directory,
                origin,
                openapi: version
                    .and_then(|version| version.openapi.as_ref())
                    .map(|path| path.as_str()),
                version_base: version.map(|version| version.base.as_str()),
                template,
                bind,
            };
            match bind(entry, &compiling) {
                Ok(bound) => scope.push(Arc::new(bound)),
                Err(mut found) => {
                    let kind = crate::catalogue::kind(&entry.kind);
                    self.lost_callers |= kind.is_none_or(|kind| kind.phase == Phase::Identify);
                    self.problems.append(&mut found);
                }
            }
            if entry.purpose.is_none() && self.document.purposes != Purposes::Optional {
                let problem = Problem::new(
                    &entry.id.span,
                    format!("the policy `{}` has no `purpose`", entry.id.value),
                )
                .help("write `purpose: { why: …, owner: … }`");
                self.problems
                    .push(if self.document.purposes == Purposes::Required {
                        problem
                    } else {
                        problem.warning()
                    });
            }
        }
        scope
    }

    /// The effective policies: outer scopes first; an inner policy of the same id takes the place of an outer one.
    pub(super) fn chain(
        &mut self,
        outer: &[Arc<BoundPolicy>],
        inner: &[Arc<BoundPolicy>],
        span: &Span,
    ) -> Arc<Chain> {
        let effective = self.effective(outer, inner);
        self.in_order(effective, span)
    }

    /// Those of a route on which a model answers: all, but for what concerns services alone.
    pub(super) fn chain_of_models(
        &mut self,
        shared: &VersionScope<'_>,
        inner: &[Arc<BoundPolicy>],
        span: &Span,
    ) -> Arc<Chain> {
        let effective = self.effective(&shared.of_prompts, inner);
        let of_services = |bound: &Arc<BoundPolicy>| bound.policy.is_of_services();
        let (left_out, effective) = effective.into_iter().partition(of_services);
        self.left_out.extend::<Scope>(left_out);
        self.in_order(effective, span)
    }

    fn effective(&mut self, outer: &[Arc<BoundPolicy>], inner: &[Arc<BoundPolicy>]) -> Scope {
        let mut effective = Scope::new();
        for policy in outer.iter().chain(inner) {
            // What a model asks for comes on top, and two models may use the same names.
            let of_model = matches!(policy.origin, Origin::Model { .. });
            let same = |other: &Arc<BoundPolicy>| !of_model && other.id == policy.id;
            match effective.iter().position(same) {
                None => effective.push(policy.clone()),
                Some(at) => {
                    if let Some(overridden) = effective.get(at).filter(|other| other.is_final) {
                        self.problems.push(
                            Problem::new(
                                &policy.span,
                                format!(
                                    "the policy `{}` of the {} is final",
                                    overridden.id, overridden.origin
                                ),
                            )
                            .help("give this policy another `id`; both then apply"),
                        );
                    }
                    effective.remove(at);
                    effective.push(policy.clone());
                }
            }
        }
        effective.retain(|policy| policy.mode != Mode::Off);
        effective
    }

    fn in_order(&mut self, mut effective: Scope, span: &Span) -> Arc<Chain> {
        // Of those that open the chain, one that answers preflights comes last: its answers are then what the others say too.
        effective.sort_by_key(|bound| {
            let policy = &bound.policy;
            (
                !policy.opens(),
                policy.answers_preflights(),
                bound.kind.phase,
            )
        });
        self.check_order(&effective, span);
        let key: Vec<*const BoundPolicy> = effective.iter().map(Arc::as_ptr).collect();
        self.chains
            .entry(key)
            .or_insert_with(|| Arc::new(Chain::new(effective)))
            .clone()
    }

    fn check_order(&mut self, effective: &[Arc<BoundPolicy>], span: &Span) {
        // With two, a caller needs only the weaker one: an inner policy meant to add a demand would take one away.
        let identifying: Vec<_> = effective
            .iter()
            .filter(|policy| policy.kind.phase == Phase::Identify && policy.mode == Mode::Enforce)
            .collect();
        if let [first, .., last] = identifying.as_slice()
            && identifying.iter().any(|policy| policy.when.is_none())
        {
            self.problems.push(
                Problem::new(&last.span, format!("the policies `{}` and `{}` both identify callers", first.id, last.id))
                    .help("put them into one `any_of`, give the inner one the `id` of the outer to replace it, or give each a `when`"),
            );
        }
        let pages: Vec<_> = effective
            .iter()
            .filter(|policy| policy.policy.answers_preflights() && policy.mode == Mode::Enforce)
            .collect();
        if let [first, .., last] = pages.as_slice()
            && pages.iter().any(|policy| policy.when.is_none())
        {
            let message = format!(
                "the policies `{}` and `{}` both answer preflights",
                first.id, last.id
            );
            self.problems.push(Problem::new(&last.span, message).help(
                "give the inner one the `id` of the outer to replace it, or give each a `when`",
            ));
        }
        let identifies = |shadow: bool| {
            effective.iter().any(|policy| {
                policy.kind.phase == Phase::Identify && (shadow || policy.mode == Mode::Enforce)
            })
        };
        if self.lost_callers {
            return;
        }
        for policy in effective.iter().filter(|policy| policy.kind.needs_identity) {
            if !identifies(policy.mode == Mode::Shadow) {
                self.problems.push(Problem::new(&policy.span, format!("the policy `{}` needs to know who calls, and nothing before it finds out", policy.id))
                    .help(format!("add an enforced `identify` policy such as `api_key` or `jwt` for the route at line {}", span.line)));
            }
        }
    }
}
