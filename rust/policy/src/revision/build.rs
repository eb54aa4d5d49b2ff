//! What a document is compiled into, while it grows.

use std::collections::HashMap;
use std::sync::Arc;

use lockgate_config::{
    Api, Base, Document, Entries, Entry, Loaded, MAX_ROUTES, Mode, Problem, RecordBody,
    Route as RouteEntry, Version,
};

use crate::chain::Chain;
use crate::directory::Directory;
use crate::policy::{BoundPolicy, Origin, Secrets};
use crate::router::{Conditions, Router, Template};

use super::route::{Route, RouteTarget};

/// The policies that one scope declares.
pub(super) type Scope = Vec<Arc<BoundPolicy>>;

/// What a document is compiled into, while it grows.
pub(super) struct Build<'a> {
    pub(super) document: &'a Document,
    pub(super) base: &'a Base,
    pub(super) secrets: Secrets,
    pub(super) directory: &'a Directory,
    pub(super) problems: Vec<Problem>,
    pub(super) routes: Vec<Route>,
    pub(super) router: Router,
    pub(super) unrouted: Chain,
    pub(super) upstreams: HashMap<&'a str, Arc<str>>,
    /// The chain of the running version's routes without own policies, once it is known to be in order.
    pub(super) outer_chain: Option<Arc<Chain>>,
    /// Whether a policy that identifies callers has problems of its own: then it is not said of others that they miss one.
    pub(super) lost_callers: bool,
    /// Chains by the addresses of their policies: routes without own policies share one.
    pub(super) chains: HashMap<Vec<*const BoundPolicy>, Arc<Chain>>,
    /// The policies of models that are served.
    pub(super) models: HashMap<Arc<str>, Scope>,
    /// Policies of services that were left out of routes on which a model answers.
    pub(super) left_out: Scope,
}

/// Everything that the routes of one version share.
pub(super) struct VersionScope<'a> {
    pub(super) api: Arc<str>,
    pub(super) version: Arc<str>,
    pub(super) settings: &'a Version,
    pub(super) hosts: Vec<Option<&'a str>>,
    /// The policies of gateway, API and version, outer scopes first, without those that judge prompts.
    pub(super) outer: Scope,
    /// All of them.
    pub(super) of_prompts: Scope,
}

/// A line of the route table.
#[derive(Clone)]
pub(super) struct Row<'r> {
    pub(super) id: &'r str,
    pub(super) path: &'r str,
    pub(super) template: Template,
    pub(super) conditions: Conditions,
    pub(super) target: RouteTarget,
    pub(super) chain: Arc<Chain>,
    pub(super) record_body: Option<RecordBody>,
}

/// What a document was compiled into, and the problems found on the way.
pub(super) struct Built {
    pub(super) problems: Vec<Problem>,
    pub(super) routes: Vec<Route>,
    pub(super) router: Router,
    /// What opens the chain of a request that no route takes.
    pub(super) unrouted: Chain,
}

impl<'a> Build<'a> {
    /// Compiles all of a document; `problems` are those known before.
    pub(super) fn of(
        loaded: &'a Loaded,
        secrets: Secrets,
        directory: &'a Directory,
        problems: Vec<Problem>,
    ) -> Built {
        let mut build = Self {
            document: &loaded.document,
            base: &loaded.base,
            secrets,
            directory,
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
        Built {
            problems: build.problems,
            routes: build.routes,
            router: build.router,
            unrouted: build.unrouted,
        }
    }

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

    /// Adds a line to the route table.
    pub(super) fn add(&mut self, shared: &VersionScope<'_>, row: Row<'_>) {
        let at = self.routes.len();
        for host in &shared.hosts {
            self.router
                .add(*host, &row.template, row.conditions.clone(), at);
        }
        self.routes.push(Route {
            id: Arc::from(row.id),
            api: shared.api.clone(),
            version: shared.version.clone(),
            methods: row.conditions.methods,
            template: row.template,
            path: Arc::from(row.path),
            chain: row.chain,
            target: row.target,
            strip: shared.settings.stripped(),
            record_body: row.record_body,
            record_prompts: shared.settings.record_prompts.as_deref().cloned(),
        });
    }
}

fn names<T>(entries: &Entries<T>) -> HashMap<&str, Arc<str>> {
    let ids = entries.iter().map(|entry| entry.id.as_str());
    ids.map(|id| (id, Arc::from(id))).collect()
}
