//! A document compiled into what serves requests.

mod build;
mod models;
mod prompts;
mod reach;
mod route;
mod scopes;
mod targets;
mod version;

use std::sync::Arc;

use http::Method;
use http::header::HeaderMap;
use lockgate_config::{Base, Document, Entries, Loaded, Problem, RevisionId};
use smallvec::SmallVec;

use crate::chain::{Chain, Progress};
use crate::directory::Directory;
use crate::endpoint::Endpoint;
use crate::env::Env;
use crate::policy::Secrets;
use crate::preflight;
use crate::reason;
use crate::request::RequestView;
use crate::router::{Found, Router};
use crate::verdict::{Refusal, ResponseEdit};

use build::{Build, Built};
pub use reach::is_host;
use route::wrong_method;
pub use route::{Part, Route, RouteTarget};
pub(crate) use version::route_id;

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
        let Built {
            mut problems,
            routes,
            router,
            unrouted,
        } = Build::of(&loaded, secrets, &directory, problems);
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
