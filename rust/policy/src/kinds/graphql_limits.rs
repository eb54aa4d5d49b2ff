//! # What it does
//! Refuses GraphQL requests that ask for too much: nested too deep, too many aliases, directives, tokens, or too costly. It measures
//! queries in the URL, JSON bodies, batches, forms and bodies of type `application/graphql`.
//!
//! # When to use
//! On the route of a GraphQL service. A field costs 1 and what its selections cost, times the number of items it asks for (`first`,
//! `last`, `limit`, `take`, `pageSize`, `page_size`).
//!
//! # Example
//! ```yaml
//! - { id: query-size, kind: graphql_limits, depth: 8, cost: 2000 }
//! ```
//!
//! # On failure
//! 400 with what was too much; 413 for a body larger than `up_to`; 415 for a compressed body, and for one whose `Content-Type` is not
//! JSON, a form or `application/graphql`, since what cannot be measured is not forwarded. A document both in the URL and in the body
//! is refused, as services differ in which one they run; so are persisted queries and WebSockets unless the settings allow them.

use std::borrow::Cow;
use std::num::{NonZeroU64, NonZeroUsize};

use http::{Method, header};
use lockgate_config::{ByteSize, OnError, PolicyEntry, decode};
use lockgate_inspection::graphql::{
    GraphqlLimits, GraphqlViolation, Measure, check_document, check_json, check_parameters,
};
use lockgate_inspection::json;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::env::Env;
use crate::payload::{self, ENCODED};
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::{BODY_TOO_LARGE, Reason};
use crate::request::RequestView;
use crate::verdict::Verdict;

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "graphql_limits",
    phase: Phase::Payload,
    about: "Refuses GraphQL requests that are too deep, too long or too costly.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: false,
    reasons: &[&REFUSED, &UNREADABLE, &ENCODED, &BODY_TOO_LARGE],
    schema: Settings::json_schema,
    compile,
};

static REFUSED: Reason = Reason::new(
    "graphql_limits.refused",
    400,
    "GraphQL request not accepted",
    "ask for less at a time, as `detail` says, and send the request again",
);
static UNREADABLE: Reason = Reason::new(
    "graphql_limits.unreadable",
    415,
    "GraphQL request cannot be read",
    "send the request as `application/json`",
);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// Nested fields: `{ a { b } }` is 2. Fragments count where they are used.
    depth: NonZeroU64,
    /// Aliased fields, with fragments expanded.
    aliases: NonZeroU64,
    /// Directives, with fragments expanded.
    directives: NonZeroU64,
    /// Names, values and signs of all documents.
    tokens: NonZeroU64,
    /// What the operations cost together.
    cost: NonZeroU64,
    /// Operations of one document; all are measured, whichever is run.
    operations: NonZeroU64,
    /// Requests of one batch.
    batch: NonZeroUsize,
    /// Bytes of all documents.
    document: ByteSize,
    /// The largest body.
    up_to: ByteSize,
    /// Whether a request may name a document that the service knows in place of sending one.
    allow_persisted: bool,
    /// Whether a request may change to a WebSocket, whose operations are not measured.
    allow_websocket: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let limits = GraphqlLimits::default();
        let count = |number| NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN);
        Self {
            depth: count(limits.depth),
            aliases: count(limits.aliases),
            directives: count(limits.directives),
            tokens: count(limits.tokens),
            cost: count(limits.cost),
            operations: count(limits.operations),
            batch: NonZeroUsize::new(limits.batch).unwrap_or(NonZeroUsize::MIN),
            document: ByteSize::new(limits.document_bytes as u64),
            up_to: ByteSize::new(1024 * 1024),
            allow_persisted: false,
            allow_websocket: false,
        }
    }
}

#[derive(Debug)]
struct Limits {
    limits: GraphqlLimits,
    up_to: usize,
    allow_persisted: bool,
    allow_websocket: bool,
}

fn compile(entry: &PolicyEntry, _: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let limits = GraphqlLimits {
        depth: settings.depth.get(),
        aliases: settings.aliases.get(),
        directives: settings.directives.get(),
        tokens: settings.tokens.get(),
        cost: settings.cost.get(),
        operations: settings.operations.get(),
        batch: settings.batch.get(),
        document_bytes: settings.document.as_usize(),
    };
    Ok(Box::new(Limits {
        limits,
        up_to: settings.up_to.as_usize(),
        allow_persisted: settings.allow_persisted,
        allow_websocket: settings.allow_websocket,
    }))
}

/// The parameters of GraphQL over HTTP, from a URL or a form.
#[derive(Debug, Default)]
struct Parameters<'a> {
    query: Option<Cow<'a, str>>,
    variables: Option<Cow<'a, str>>,
    operation_name: Option<Cow<'a, str>>,
    /// Some name by which services know a persisted query.
    persisted: bool,
}

impl<'a> Parameters<'a> {
    /// Reads pairs; `Err` names a parameter that is there twice.
    fn read(pairs: form_urlencoded::Parse<'a>) -> Result<Self, &'static str> {
        let mut read = Self::default();
        for (name, value) in pairs {
            let (name, place) = match &*name {
                "query" => ("query", &mut read.query),
                "variables" => ("variables", &mut read.variables),
                "operationName" => ("operationName", &mut read.operation_name),
                "extensions" | "id" | "documentId" => {
                    read.persisted = true;
                    continue;
                }
                _ => continue,
            };
            if place.replace(value).is_some() {
                return Err(name);
            }
        }
        Ok(read)
    }

    const fn is_request(&self) -> bool {
        self.query.is_some()
            || self.variables.is_some()
            || self.operation_name.is_some()
            || self.persisted
    }

    fn check(&self, limits: &GraphqlLimits) -> Result<Measure, GraphqlViolation> {
        check_parameters(
            self.query.as_deref(),
            self.variables.as_deref(),
            self.operation_name.as_deref(),
            limits,
        )
    }
}

fn refused(why: &str) -> Verdict {
    Verdict::deny(&REFUSED, format!("the GraphQL request is refused: {why}"))
}

impl Limits {
    fn verdict(&self, measured: Result<Measure, GraphqlViolation>) -> Verdict {
        match measured {
            Ok(_) => Verdict::allow(),
            Err(GraphqlViolation::NoDocument) if self.allow_persisted => Verdict::allow(),
            Err(violation) => refused(&violation.to_string()),
        }
    }

    fn body(&self, request: &RequestView<'_>, body: &[u8]) -> Verdict {
        // What looks like JSON is read as JSON by services that do not look at `Content-Type`.
        if payload::claims(request, "json") || json::looks_like_json(body) {
            return self.verdict(check_json(body, &self.limits));
        }
        if payload::claims(request, "graphql") {
            return self.verdict(check_document(body, &self.limits));
        }
        if payload::claims(request, "x-www-form-urlencoded") {
            return match Parameters::read(form_urlencoded::parse(body)) {
                Ok(parameters) => self.verdict(parameters.check(&self.limits)),
                Err(name) => refused(&format!("the form has `{name}` more than once")),
            };
        }
        Verdict::deny(
            &UNREADABLE,
            "the body is neither JSON nor a form nor of the type `application/graphql`",
        )
    }
}

fn changes_protocol(request: &RequestView<'_>) -> bool {
    request.headers.contains_key(header::UPGRADE) || request.method == Method::CONNECT
}

impl Policy for Limits {
    fn evaluate(&self, request: &RequestView<'_>, _: &mut Env<'_>) -> Verdict {
        if !self.allow_websocket && changes_protocol(request) {
            return refused("operations over a WebSocket cannot be measured");
        }
        let body = match payload::readable_body(request, self.up_to) {
            Ok(body) => body,
            Err(verdict) => return verdict,
        };
        let parameters = match Parameters::read(request.query_pairs()) {
            Ok(parameters) => parameters,
            Err(name) => return refused(&format!("the URL has `{name}` more than once")),
        };
        match (parameters.is_request(), body.is_empty()) {
            (false, true) => Verdict::Pass,
            (true, true) => self.verdict(parameters.check(&self.limits)),
            (false, false) => self.body(request, body),
            (true, false) => {
                refused("one request is in the URL and one in the body; send only one of them")
            }
        }
    }
}
