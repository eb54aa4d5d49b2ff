//! A document compiled into what serves requests.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::{HeaderName, Method};
use lockgate_config::{
    Api, Document, Entry, Loaded, MAX_ROUTES, Mode, PolicyEntry, Problem, Purposes, RecordBody,
    RevisionId, Route as RouteEntry, Span, Spanned, Unlisted, Version,
};

use crate::chain::Chain;
use crate::condition::Condition;
use crate::directory::{Directory, read_time};
use crate::policy::{BoundPolicy, Compiling, Origin, Phase, Secrets};
use crate::router::{Conditions, Router, Template};

/// A compiled document. Immutable: a change is a new revision.
#[derive(Debug)]
pub struct Revision {
    /// The SHA-256 of the document's canonical form.
    pub id: RevisionId,
    /// The document.
    pub document: Document,
    /// The folder that files are relative to.
    pub base: PathBuf,
    /// All routes.
    pub routes: Vec<Route>,
    /// Requests to routes.
    pub router: Router,
    /// Who may call.
    pub directory: Directory,
}

/// Requests that are treated alike.
#[derive(Debug)]
pub struct Route {
    /// Its stable name within the version.
    pub id: Arc<str>,
    /// The API.
    pub api: Arc<str>,
    /// The version.
    pub version: Arc<str>,
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
    /// The path as it is forwarded: the canonical path without the base, byte for byte.
    pub fn forwarded_path<'a>(&self, path: &'a str) -> &'a str {
        match path.get(self.strip..) {
            Some("") | None => "/",
            Some(rest) => rest,
        }
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
        }
    }
}

impl Revision {
    /// Compiles a document. Returns the revision and warnings.
    ///
    /// # Errors
    /// Every problem found.
    pub fn compile(loaded: Loaded, secrets: Secrets) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let mut problems = Vec::new();
        let directory = Directory::compile(&loaded.document, &mut problems);
        let mut build = Build {
            document: &loaded.document,
            base: &loaded.base,
            secrets,
            directory: &directory,
            problems,
            routes: Vec::new(),
            router: Router::default(),
            chains: HashMap::new(),
        };
        build.all();
        let Build {
            mut problems,
            routes,
            router,
            ..
        } = build;
        problems.dedup();
        if problems.iter().any(Problem::is_error) {
            return Err(problems);
        }
        let Loaded {
            document, id, base, ..
        } = loaded;
        Ok((
            Self {
                id,
                document,
                base,
                routes,
                router,
                directory,
            },
            problems,
        ))
    }

    /// Reads, compiles and checks a source without reading secrets.
    ///
    /// # Errors
    /// Every problem found.
    pub fn check(source: &lockgate_config::Source) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        Self::compile(lockgate_config::load_document(source)?, Secrets::Skip)
    }
}

type Scope = Vec<Arc<BoundPolicy>>;

struct Build<'a> {
    document: &'a Document,
    base: &'a Path,
    secrets: Secrets,
    directory: &'a Directory,
    problems: Vec<Problem>,
    routes: Vec<Route>,
    router: Router,
    /// Chains by the addresses of their policies: routes without own policies share one.
    chains: HashMap<Vec<*const BoundPolicy>, Arc<Chain>>,
}

/// Everything that the routes of one version share.
struct VersionScope<'a> {
    api: Arc<str>,
    version: Arc<str>,
    settings: &'a Version,
    hosts: Vec<Option<&'a str>>,
    /// The policies of gateway, API and version, outer scopes first.
    outer: Scope,
}

impl<'a> Build<'a> {
    fn all(&mut self) {
        let document = self.document;
        let gateway = self.scope(&document.policies, &Origin::Gateway, None, None);
        for api in &document.apis {
            self.api(api, &gateway);
        }
        if self.routes.len() > MAX_ROUTES {
            self.problems.push(Problem::in_file(
                "document",
                format!("more than {MAX_ROUTES} routes"),
            ));
        }
    }

    fn api(&mut self, api: &'a Entry<Api>, gateway: &Scope) {
        let name: Arc<str> = Arc::from(api.id.as_str());
        let scope = self.scope(
            &api.value.policies,
            &Origin::Api { api: name.clone() },
            None,
            None,
        );
        if api.value.versions.is_empty() {
            self.problems.push(
                Problem::new(&api.span, format!("the API `{name}` has no version"))
                    .help("add one under `versions`"),
            );
        }
        let hosts: Vec<Option<&str>> = match &api.value.hosts {
            None => vec![None],
            Some(hosts) => hosts.iter().map(|host| Some(host.as_str())).collect(),
        };
        for entry in &api.value.versions {
            let version: Arc<str> = Arc::from(entry.id.as_str());
            let origin = Origin::Version {
                api: name.clone(),
                version: version.clone(),
            };
            let inner = self.scope(&entry.value.policies, &origin, Some(&entry.value), None);
            let shared = VersionScope {
                api: name.clone(),
                version,
                settings: &entry.value,
                hosts: hosts.clone(),
                outer: [gateway.as_slice(), &scope, &inner].concat(),
            };
            self.version(&shared, &entry.span);
        }
    }

    fn version(&mut self, shared: &VersionScope<'a>, span: &Span) {
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
        let target = match &shared.settings.upstream {
            Some(name) => self.upstream(name),
            None => None,
        };
        let chain = self.chain(&shared.outer, &[], span);
        if target.is_none() && shared.settings.upstream.is_none() && !answers_itself(&chain) {
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
        self.add(
            shared,
            "*",
            &path,
            Conditions::default(),
            target.map_or(RouteTarget::Nobody, RouteTarget::Upstream),
            chain.clone(),
            None,
        );
        if base.as_str() != "/" {
            let target = shared
                .settings
                .upstream
                .as_ref()
                .map_or(RouteTarget::Nobody, |name| {
                    RouteTarget::Upstream(Arc::from(name.as_str()))
                });
            self.add(
                shared,
                "*",
                base,
                Conditions::default(),
                target,
                chain,
                None,
            );
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
        let chain = self.chain(&shared.outer, &inner, &route.matches.span);
        let target = self.target(shared, route, &chain, &template);
        let conditions = self.conditions(route);
        self.add(
            shared,
            id,
            &path,
            conditions.clone(),
            target.clone(),
            chain.clone(),
            route.record_body.clone(),
        );
        if route.matches.path.is_none() && !base.is_empty() {
            self.add(
                shared,
                id,
                base,
                conditions,
                target,
                chain,
                route.record_body.clone(),
            );
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one call site shape; each is a column of the route table"
    )]
    fn add(
        &mut self,
        shared: &VersionScope<'_>,
        id: &str,
        path: &str,
        conditions: Conditions,
        target: RouteTarget,
        chain: Arc<Chain>,
        record_body: Option<RecordBody>,
    ) {
        let Ok(template) = Template::parse(path) else {
            return;
        };
        let at = self.routes.len();
        for host in &shared.hosts {
            self.router.add(*host, &template, conditions.clone(), at);
        }
        let strip = if shared.settings.strip_base && shared.settings.base.as_str() != "/" {
            shared.settings.base.len()
        } else {
            0
        };
        self.routes.push(Route {
            id: Arc::from(id),
            api: shared.api.clone(),
            version: shared.version.clone(),
            template,
            path: Arc::from(path),
            chain,
            target,
            strip,
            record_body,
        });
    }

    fn upstream(&mut self, name: &Spanned<String>) -> Option<Arc<str>> {
        if self.document.upstreams.get(name).is_some() {
            return Some(Arc::from(name.as_str()));
        }
        self.problems.push(Problem::unknown(
            &name.span,
            "upstream",
            name,
            &self.document.upstreams.ids(),
        ));
        None
    }

    fn target(
        &mut self,
        shared: &VersionScope<'_>,
        route: &RouteEntry,
        chain: &Chain,
        template: &Template,
    ) -> RouteTarget {
        let span = &route.matches.span;
        let written = [
            route.upstream.is_some(),
            route.split.is_some(),
            route.aggregate.is_some(),
        ];
        if written.iter().filter(|is| **is).count() > 1 {
            self.problems.push(Problem::new(
                span,
                "a route has only one of `upstream`, `split` and `aggregate`",
            ));
        }
        if let Some(parts) = &route.aggregate {
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

    fn conditions(&mut self, route: &RouteEntry) -> Conditions {
        let mut conditions = Conditions::default();
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

    fn scope(
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
            };
            match bind(entry, &compiling) {
                Ok(bound) => scope.push(Arc::new(bound)),
                Err(mut found) => self.problems.append(&mut found),
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
    fn chain(
        &mut self,
        outer: &[Arc<BoundPolicy>],
        inner: &[Arc<BoundPolicy>],
        span: &Span,
    ) -> Arc<Chain> {
        let mut effective: Vec<Arc<BoundPolicy>> = Vec::new();
        for policy in outer.iter().chain(inner) {
            match effective.iter().position(|other| other.id == policy.id) {
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
        effective.sort_by_key(|policy| policy.kind.phase);
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
        let identifies = |shadow: bool| {
            effective.iter().any(|policy| {
                policy.kind.phase == Phase::Identify && (shadow || policy.mode == Mode::Enforce)
            })
        };
        for policy in effective.iter().filter(|policy| policy.kind.needs_identity) {
            if !identifies(policy.mode == Mode::Shadow) {
                self.problems.push(Problem::new(&policy.span, format!("the policy `{}` needs to know who calls, and nothing before it finds out", policy.id))
                    .help(format!("add an enforced `identify` policy such as `api_key` or `jwt` for the route at line {}", span.line)));
            }
        }
    }
}

fn answers_itself(chain: &Chain) -> bool {
    chain
        .policies()
        .iter()
        .any(|policy| matches!(policy.kind.name, "respond" | "redirect"))
}

fn route_id(route: &RouteEntry) -> String {
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

/// Compiles one policy with what every kind has.
pub(crate) fn bind(
    entry: &PolicyEntry,
    compiling: &Compiling<'_>,
) -> Result<BoundPolicy, Vec<Problem>> {
    let mut problems = Vec::new();
    let Some(kind) = crate::catalogue::kind(&entry.kind) else {
        let names: Vec<&str> = crate::catalogue::KINDS
            .iter()
            .map(|kind| kind.name)
            .collect();
        return Err(vec![Problem::unknown(
            &entry.kind.span,
            "policy kind",
            &entry.kind,
            &names,
        )]);
    };
    let when = entry.when.as_ref().and_then(|text| {
        Condition::compile(text)
            .map_err(|problem| problems.push(problem))
            .ok()
    });
    let expires = entry.expires.as_ref().and_then(|text| {
        let time = read_time(text);
        if time.is_none() {
            problems.push(
                Problem::new(&text.span, format!("`{}` is not a time", text.value))
                    .help("write a date such as `2027-01-31` or an RFC 3339 time"),
            );
        }
        time
    });
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share is between 0 and 100"
    )]
    let share = (entry.percent.get() * 100.0).round() as u32;
    match (kind.compile)(entry, compiling) {
        Ok(policy) if problems.is_empty() => Ok(BoundPolicy {
            id: Arc::from(entry.id.as_str()),
            kind,
            origin: compiling.origin.clone(),
            mode: entry.mode,
            share,
            when,
            on_error: entry.on_error.unwrap_or(kind.on_error),
            expires,
            is_final: entry.is_final,
            declared: serde_json::to_value(entry).unwrap_or_default(),
            span: entry.span.clone(),
            policy,
        }),
        Ok(_) => Err(problems),
        Err(mut found) => {
            problems.append(&mut found);
            Err(problems)
        }
    }
}
