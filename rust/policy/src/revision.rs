//! A document compiled into what serves requests.

mod scopes;
mod targets;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::Method;
use http::header::{ALLOW, HeaderMap};
use lockgate_config::{
    Api, Document, Entry, Loaded, MAX_ROUTES, PolicyEntry, Problem, RecordBody, RevisionId,
    Route as RouteEntry, Span, Unlisted, Version,
};

use crate::chain::Chain;
use crate::condition::Condition;
use crate::directory::{Directory, read_time};
use crate::policy::{BoundPolicy, Compiling, Origin, Secrets};
use crate::reason;
use crate::router::{Conditions, Found, Router, Template};
use crate::verdict::Refusal;

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

    /// The route of a request; `path` is canonical, `host` in lower case without port.
    ///
    /// # Errors
    /// The refusal of a request that no route takes; with `Allow` when only its method is wrong (RFC 9110 §15.5.6).
    pub fn route(
        &self,
        host: &str,
        path: &str,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<&Route, Box<Refusal>> {
        let found = match self.router.find(host, path, method, headers) {
            Found::Route(at) => self.routes.get(at),
            Found::Nothing => None,
            Found::OtherMethods(methods) => {
                let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
                let detail = format!("this path takes `{}`", names.join("`, `"));
                let refusal = Refusal::new(&reason::WRONG_METHOD, detail);
                return Err(Box::new(refusal.header(ALLOW, &names.join(", "))));
            }
        };
        found.ok_or_else(|| {
            Box::new(Refusal::new(
                &reason::NO_ROUTE,
                "no route takes this request",
            ))
        })
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
        self.add(
            shared,
            "*",
            &path,
            Conditions::default(),
            target.clone(),
            chain.clone(),
            None,
        );
        if base.as_str() != "/" {
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
            scope: Arc::from(compiling.origin.to_string()),
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
