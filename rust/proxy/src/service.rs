//! One request from its arrival to its answer.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{Request, Response, request::Parts};
use http_body::Body as _;
use hyper::body::Incoming;
use ipnet::IpNet;
use lockgate_policy::{
    Body, Effect, Env, Fact, Facts, Form, Need, Outcome, Progress, Refusal, Reply, RequestView,
    ResponseView, Route, RouteTarget, Step, Timestamp, gateway_reasons as reasons,
    problem_response,
};
use tokio::time::Instant;

use crate::body::{AnyBody, ReadBody, full, read};
use crate::client_address::client_address;
use crate::forward::{self, Allowed, RequestBody};
use crate::hygiene::Caller;
use crate::node::{Core, Generation};
use crate::request::{self, Arrived};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-lockgate-request-id");

/// What a listener knows of the connection a request came by.
#[derive(Debug)]
pub struct Connection {
    /// The address at the other end.
    pub peer: IpAddr,
    /// Proxies whose word about the caller counts.
    pub trusted: Arc<[IpNet]>,
    /// How long a caller may pause within a body.
    pub body_idle: Duration,
}

/// Answers a request. It always does.
pub async fn serve(
    core: Arc<Core>,
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Result<Response<AnyBody>, Infallible> {
    let since = Instant::now();
    let id = core.request_id();
    let form = Form::of(request.headers());
    let generation = core.shared.generation();
    let (head, body) = request.into_parts();
    let exchange = Exchange {
        core: &core,
        generation: &generation,
        connection: &connection,
        head: &head,
        id: &id,
        since,
    };
    let mut answer = match exchange.answer(body).await {
        Ok(answer) => answer,
        Err(refusal) => {
            core.shared.stats.refused(refusal.reason.code);
            problem_response(&refusal, &id, form).map(full)
        }
    };
    if let Ok(value) = HeaderValue::from_str(&id) {
        answer.headers_mut().insert(REQUEST_ID, value);
    }
    core.shared.stats.answered(answer.status());
    Ok(answer)
}

struct Exchange<'a> {
    core: &'a Core,
    generation: &'a Generation,
    connection: &'a Connection,
    head: &'a Parts,
    id: &'a str,
    since: Instant,
}

/// A request with its route, as far as policies have seen it.
struct Judged<'a> {
    arrived: &'a Arrived,
    route: &'a Route,
    client: IpAddr,
    now: Timestamp,
    facts: Facts,
    progress: Progress,
}

impl Exchange<'_> {
    async fn answer(&self, body: Incoming) -> Result<Response<AnyBody>, Box<Refusal>> {
        let arrived = request::read(self.head)?;
        let route = self.generation.revision.route(
            &arrived.host,
            &arrived.path,
            &self.head.method,
            &self.head.headers,
        )?;
        let mut judged = Judged {
            arrived: &arrived,
            route,
            client: client_address(
                self.connection.peer,
                &self.head.headers,
                &self.connection.trusted,
            ),
            now: now(),
            facts: Facts::default(),
            progress: Progress::default(),
        };
        let mut body = if body.is_end_stream() {
            RequestBody::Absent
        } else {
            RequestBody::Stream(body)
        };
        match self.judge(&mut judged, &mut body).await? {
            Outcome::Forward => self.forward(judged, body).await,
            Outcome::Respond(reply) => Ok(respond(*reply)),
            Outcome::Refuse(refusal) => Err(refusal),
        }
    }

    /// Advances through the policies, and gets what they need on the way.
    async fn judge(
        &self,
        judged: &mut Judged<'_>,
        body: &mut RequestBody,
    ) -> Result<Outcome, Box<Refusal>> {
        let mut too_large = false;
        loop {
            let step = {
                let known = match &*body {
                    _ if too_large => Body::TooLarge,
                    RequestBody::Absent => Body::Absent,
                    RequestBody::Stream(stream) => Body::Unread(stream.size_hint().exact()),
                    RequestBody::Read(bytes) => Body::Read(bytes),
                };
                let Judged {
                    arrived,
                    route,
                    client,
                    now,
                    facts,
                    progress,
                } = &mut *judged;
                let variables = route.template.variables(&arrived.path);
                let view = self.view(arrived, *client, &variables, known);
                let mut env = self.env(*now, facts);
                route.chain.advance(&view, &route.id, progress, &mut env)
            };
            match step {
                Step::Decided(outcome) => return Ok(outcome),
                Step::Need(Need::Fact(wanted)) => {
                    // No kind of this build asks for facts; one that did would be undecided, which refuses.
                    judged.facts.put(
                        wanted,
                        Fact::Unavailable(Arc::from("this node fetches no facts")),
                    );
                }
                Step::Need(Need::Body(limit)) => match std::mem::replace(body, RequestBody::Absent)
                {
                    RequestBody::Stream(stream) => {
                        match read(stream, limit, self.connection.body_idle).await {
                            Ok(ReadBody::Whole(bytes)) => *body = RequestBody::Read(bytes),
                            Ok(ReadBody::TooLarge) => too_large = true,
                            Err(error) => {
                                return Err(Box::new(Refusal::new(
                                    &reasons::BODY_TIMEOUT,
                                    error.to_string(),
                                )));
                            }
                        }
                    }
                    RequestBody::Read(bytes) => *body = RequestBody::Read(bytes),
                    RequestBody::Absent => too_large = true,
                },
            }
        }
    }

    fn view<'a>(
        &'a self,
        arrived: &'a Arrived,
        client: IpAddr,
        variables: &'a [(&'a str, &'a str)],
        body: Body<'a>,
    ) -> RequestView<'a> {
        RequestView {
            method: &self.head.method,
            scheme: "http",
            host: &arrived.host,
            path: &arrived.path,
            query: self.head.uri.query(),
            version: self.head.version,
            headers: &self.head.headers,
            client,
            certificate: None,
            body,
            variables,
            identity: None,
        }
    }

    fn env<'a>(&'a self, now: Timestamp, facts: &'a Facts) -> Env<'a> {
        Env {
            now,
            facts,
            directory: &self.generation.revision.directory,
            counters: &self.core.shared.counters,
        }
    }

    async fn forward(
        &self,
        mut judged: Judged<'_>,
        body: RequestBody,
    ) -> Result<Response<AnyBody>, Box<Refusal>> {
        let name = match &judged.route.target {
            RouteTarget::Upstream(name) => Some(name),
            RouteTarget::Split(weights) => self.core.pick(weights),
            RouteTarget::Nobody | RouteTarget::Aggregate(_) => None,
        };
        let service = name.and_then(|name| self.generation.upstreams.get(name));
        let service = service.ok_or_else(|| {
            Box::new(Refusal::new(
                &reasons::NO_ROUTE,
                "nobody answers this route",
            ))
        })?;
        let application = judged
            .progress
            .identity
            .as_ref()
            .and_then(|identity| identity.application.clone());
        let effects: Vec<Effect> = judged.progress.effects.drain(..).collect();
        let allowed = Allowed {
            head: self.head,
            arrived: judged.arrived,
            route: judged.route,
            effects,
            caller: Caller {
                address: judged.client,
                host: &judged.arrived.host,
                scheme: "http",
                application: application.as_ref().map(|application| &*application.id),
                request_id: self.id,
            },
            body_idle: self.connection.body_idle,
            since: self.since,
        };
        let client = self.core.client(&service.timeouts);
        let (answer, held) = forward::forward(allowed, body, service, &client).await?;
        self.judge_answer(&mut judged, &answer)?;
        Ok(forward::answer(
            answer,
            &judged.progress.edits,
            service,
            held,
            self.since,
        ))
    }

    fn judge_answer(
        &self,
        judged: &mut Judged<'_>,
        answer: &Response<Incoming>,
    ) -> Result<(), Box<Refusal>> {
        if !judged.route.chain.sees_responses() {
            return Ok(());
        }
        let Judged {
            arrived,
            route,
            client,
            now,
            facts,
            progress,
        } = judged;
        let variables = route.template.variables(&arrived.path);
        let view = self.view(arrived, *client, &variables, Body::Absent);
        let response = ResponseView {
            status: answer.status(),
            headers: answer.headers(),
            body: None,
        };
        match route
            .chain
            .judge_response(&view, &response, progress, &mut self.env(*now, facts))?
        {
            None => Ok(()),
            // A policy that would look into the body must not be passed over.
            Some(_) => Err(Box::new(Refusal::new(
                &reasons::UNDECIDED,
                "this node does not read the bodies of answers",
            ))),
        }
    }
}

fn respond(reply: Reply) -> Response<AnyBody> {
    let mut response = Response::new(full(Bytes::clone(&reply.body)));
    *response.status_mut() = reply.status;
    response.headers_mut().extend(reply.headers);
    response
}

fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}
