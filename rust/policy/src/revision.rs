//! A document compiled into what serves requests.

mod models;
mod prompts;
mod reach;
mod route;
mod scopes;
mod targets;

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;
use http::header::HeaderMap;
use lockgate_config::{
    Api, Base, Document, Entries, Entry, Loaded, MAX_ROUTES, Mode, Problem, RecordBody, RevisionId,
    Route as RouteEntry, Span, Unlisted, Version,
};
use smallvec::SmallVec;

use crate::chain::{Chain, Progress};
use crate::directory::Directory;
use crate::endpoint::Endpoint;
use crate::env::Env;
use crate::policy::{BoundPolicy, Origin, Secrets};
use crate::preflight;
use crate::reason;
use crate::request::RequestView;
use crate::router::{Conditions, Found, Router, Template};
use crate::verdict::{Refusal, ResponseEdit};

pub use reach::is_host;
use route::wrong_method;
pub use route::{Part, Route, RouteTarget};
pub(crate) use scopes::bind;

/// A compiled document. Immutable: a change is a new revision.
#[derive(Debug)]
pub struct Revision {
    /// The SHA-256 of the document's canonical form, and of the files that its policies are made from.
    pub id: RevisionId,
    /// The document without its applications, which the directory holds.
    pub document: Document,
    /// Where files come from.
    pub base: Base,
    /// All routes.
    pub routes: Vec<Route>,
    /// Requests to routes.
    pub router: Router,
    /// Who may call.
    pub directory: Arc<Directory>,
    /// What opens the chain of a request that no route takes.
    unrouted: Chain,
}

impl Revision {
    /// Compiles a document. Returns the revision and warnings.
    ///
    /// # Errors
    /// Every problem found.
    pub fn compile(loaded: Loaded, secrets: Secrets) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let mut problems = Vec::new();
        let directory = Arc::new(Directory::compile(&loaded.document, &mut problems));
        let mut build = Build {
            document: &loaded.document,
            base: &loaded.base,
            secrets,
            directory: &directory,
            problems,
            routes: Vec::new(),
            router: Router::default(),
            unrouted: Chain::default(),
            upstreams: names(&loaded.document.upstreams),
            outer_chain: None,
            lost_callers: false,
            chains: HashMap::new(),
            models: HashMap::new(),
            left_out: Vec::new(),
        };
        build.all();
        let Build {
            mut problems,
            routes,
            router,
            unrouted,
            ..
        } = build;
        reach::check(&loaded.document, &loaded.base, &mut problems);
        problems.dedup();
        if problems.iter().any(Problem::is_error) {
            return Err(problems);
        }
        let Loaded {
            mut document,
            id,
            base,
            ..
        } = loaded;
        // Ten thousand of them would take more memory than all else of a revision.
        document.applications = Entries::default();
        Ok((
            Self {
                id: id.with_files(&base.digests()),
                document,
                base,
                routes,
                router,
                directory,
                unrouted,
            },
            problems,
        ))
    }

    /// The route of a request; `path` is canonical, `host` in lower case without port.
    ///
    /// A preflight belongs to the route of the request that it asks for, when that route's policies answer preflights.
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
        let Some(asked) = preflight::asked_method(method, headers) else {
            return self.find(host, path, method, headers);
        };
        let answers = |route: &Route| route.chain.answers_preflights();
        match self.find(host, path, &asked, headers) {
            Ok(route) if answers(route) => Ok(route),
            asked_for => match self.find(host, path, method, headers) {
                // Its policies must not answer for a route that is not theirs, or for none.
                Ok(route) if answers(route) => {
                    asked_for.and_then(|_| Err(wrong_method(std::slice::from_ref(&asked))))
                }
                found => found,
            },
        }
    }

    /// Where issuers publish the key sets that policies ask for, each once.
    #[must_use]
    pub fn key_sets(&self) -> Vec<Arc<Endpoint>> {
        let policies = self.routes.iter().flat_map(|route| route.chain.policies());
        let mut found: Vec<Arc<Endpoint>> = Vec::new();
        for endpoint in policies.flat_map(|policy| policy.policy.key_sets()) {
            if !found.contains(endpoint) {
                found.push(endpoint.clone());
            }
        }
        found
    }

    fn find(
        &self,
        host: &str,
        path: &str,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<&Route, Box<Refusal>> {
        let found = match self.router.find(host, path, method, headers) {
            Found::Route(at) => self.routes.get(at),
            Found::Nothing => None,
            Found::OtherMethods(methods) => return Err(wrong_method(&methods)),
        };
        found.ok_or_else(|| {
            Box::new(Refusal::new(
                &reason::NO_ROUTE,
                "no route takes this request",
            ))
        })
    }

    /// What happens to the refusal of a request that no route takes: what the gateway's own policies that open chains say.
    ///
    /// `request` has an empty host and path when they could not be read.
    pub fn unrouted_edits(
        &self,
        request: &RequestView<'_>,
        env: &mut Env<'_>,
    ) -> SmallVec<[ResponseEdit; 4]> {
        let mut progress = Progress::default();
        // Whatever they would decide, the request is refused already.
        let _ = self.unrouted.advance(request, "", &mut progress, env);
        progress.edits
    }

    /// Reads, compiles and checks a source without reading secrets.
    ///
    /// # Errors
    /// Every problem found.
    pub fn check(source: &lockgate_config::Source) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        Self::compile(lockgate_config::load_document(source)?, Secrets::Skip)
    }
}

fn names<T>(entries: &Entries<T>) -> HashMap<&str, Arc<str>> {
    let ids = entries.iter().map(|entry| entry.id.as_str());
    ids.map(|id| (id, Arc::from(id))).collect()
}

type Scope = Vec<Arc<BoundPolicy>>;

struct Build<'a> {
    document: &'a Document,
    base: &'a Base,
    secrets: Secrets,
    directory: &'a Directory,
    problems: Vec<Problem>,
    routes: Vec<Route>,
    router: Router,
    unrouted: Chain,
    upstreams: HashMap<&'a str, Arc<str>>,
    /// The chain of the running version's routes without own policies, once it is known to be in order.
    outer_chain: Option<Arc<Chain>>,
    /// Whether a policy that identifies callers has problems of its own: then it is not said of others that they miss one.
    lost_callers: bool,
    /// Chains by the addresses of their policies: routes without own policies share one.
    chains: HashMap<Vec<*const BoundPolicy>, Arc<Chain>>,
    /// The policies of models that are served.
    models: HashMap<Arc<str>, Scope>,
    /// Policies of services that were left out of routes on which a model answers.
    left_out: Scope,
}

/// Everything that the routes of one version share.
struct VersionScope<'a> {
    api: Arc<str>,
    version: Arc<str>,
    settings: &'a Version,
    hosts: Vec<Option<&'a str>>,
    /// The policies of gateway, API and version, outer scopes first, without those that judge prompts.
    outer: Scope,
    /// All of them.
    of_prompts: Scope,
}

impl<'a> Build<'a> {
    fn all(&mut self) {
        let document = self.document;
        let gateway = self.scope(&document.policies, &Origin::Gateway, None, None);
        for api in &document.apis {
            self.api(api, &gateway);
        }
        self.check_left_out();
        let opening = |bound: &Arc<BoundPolicy>| bound.mode != Mode::Off && bound.policy.opens();
        let mut opening: Scope = gateway.into_iter().filter(opening).collect();
        opening.sort_by_key(|bound| bound.policy.answers_preflights());
        self.unrouted = Chain::new(opening);
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
            let of_prompts = [gateway.as_slice(), &scope, &inner].concat();
            let publishes = |route: &RouteEntry| route.prompt.is_some();
            if entry.value.models.is_none() && !entry.value.routes.iter().any(publishes) {
                self.check_no_prompts(&inner);
            }
            // Those that judge prompts are for the routes on which a model answers, and for no others.
            let mut outer = of_prompts.clone();
            outer.retain(|policy| !policy.needs_prompt());
            let shared = VersionScope {
                api: name.clone(),
                version,
                settings: &entry.value,
                hosts: hosts.clone(),
                outer,
                of_prompts,
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
        for path in rest.into_iter().chain(plain) {
            let (target, chain) = (target.clone(), chain.clone());
            self.add(
                shared,
                "*",
                path,
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
        if route.matches.path.is_none()
            && let Some(plain) = base_template(base)
        {
            self.add(
                shared,
                id,
                (&path, template),
                conditions.clone(),
                target.clone(),
                chain.clone(),
                route.record_body.clone(),
            );
            return self.add(
                shared,
                id,
                (base, plain),
                conditions,
                target,
                chain,
                route.record_body.clone(),
            );
        }
        self.add(
            shared,
            id,
            (&path, template),
            conditions,
            target,
            chain,
            route.record_body.clone(),
        );
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

    #[expect(
        clippy::too_many_arguments,
        reason = "one call site shape; each is a column of the route table"
    )]
    fn add(
        &mut self,
        shared: &VersionScope<'_>,
        id: &str,
        (path, template): (&str, Template),
        conditions: Conditions,
        target: RouteTarget,
        chain: Arc<Chain>,
        record_body: Option<RecordBody>,
    ) {
        let at = self.routes.len();
        for host in &shared.hosts {
            self.router.add(*host, &template, conditions.clone(), at);
        }
        let methods = conditions.methods;
        let strip = shared.settings.stripped();
        self.routes.push(Route {
            id: Arc::from(id),
            api: shared.api.clone(),
            version: shared.version.clone(),
            methods,
            template,
            path: Arc::from(path),
            chain,
            target,
            strip,
            record_body,
            record_prompts: shared.settings.record_prompts.as_deref().cloned(),
        });
    }
}

/// The template of a version's base, which its routes for any path take as well; nothing when it is `/`.
fn base_template(base: &str) -> Option<Template> {
    let is_root = base.trim_end_matches('/').is_empty();
    (!is_root).then(|| Template::parse(base).ok()).flatten()
}

fn answers_itself(chain: &Chain) -> bool {
    chain.policies().iter().any(|policy| {
        policy.mode == Mode::Enforce && matches!(policy.kind.name, "respond" | "redirect")
    })
}

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
