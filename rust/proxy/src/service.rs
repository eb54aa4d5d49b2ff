//! One request from its arrival to its answer.

use std::borrow::Cow;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, EXPECT, HeaderValue};
use http::{Request, Response, StatusCode, Version, request::Parts};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use lockgate_policy::{
    Body, Counters, Env, Facts, Form, Need, Outcome, Progress, Refusal, RequestView, Route,
    RouteTarget, Step, Timestamp, gateway_reasons as reasons, problem_response,
};
use lockgate_recording::{Decision, Text};
use tokio::time::Instant;

use crate::aggregate;
use crate::body::{AnyBody, Arrival, Bounds, ReadStart, Streamed, full, read_start};
use crate::cache::Asked;
use crate::client_address::client_address;
use crate::core::{Core, Generation};
use crate::finish;
use crate::forward::{self, Allowed, Answer, Prepared, RequestBody, Tried};
use crate::hygiene::{Caller, REQUEST_ID};
use crate::listen::Connection;
use crate::record::{Observation, Observed};
use crate::request::{self, Arrived};
use crate::request_id::RequestId;
use crate::rollout::{Head, Trial};
use crate::telemetry::Whom;
use crate::trace::Trace;
use crate::upgrade;
use crate::upstream::Service;

/// A body of at most so many bytes has mostly arrived with its head; hyper then reads past it, and the connection goes on.
const SHORT_BODY: u64 = 16 * 1024;

/// Answers a request. It always does.
///
/// # Errors
/// None.
pub async fn serve(
    core: Arc<Core>,
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Result<Response<Observed>, Infallible> {
    let (since, at) = (Instant::now(), core.shared.clock.now());
    let id = core.request_id();
    let trial = core.shared.rollouts.trial();
    let generation = match &trial {
        Some(trial) => trial.live().clone(),
        None => core.shared.generation(),
    };
    // What a rollout asks both revisions about must be counted once, and known to both.
    let noting = trial
        .as_ref()
        .map(|_| Arc::new(Counters::noting(core.shared.counters.clone())));
    let (mut head, body) = request.into_parts();
    let upgrade = head.extensions.remove::<OnUpgrade>();
    let head = Head::of(head, trial.is_some());
    let sampler = generation.telemetry.as_ref().map(|one| one.sampler());
    let trace = Trace::of(&head.headers, &id, sampler);
    let mut seen = Observation::begin(&core, &generation, &head, (&id, &trace), (since, at));
    seen.event.listener = connection.listener.clone();
    seen.event.scheme = connection.scheme.into();
    seen.event.has_body = !body.is_end_stream();
    let is_short = body
        .size_hint()
        .exact()
        .is_some_and(|size| size <= SHORT_BODY)
        && !head.headers.contains_key(EXPECT);
    let exchange = Exchange {
        core: &core,
        generation: &generation,
        connection: &connection,
        head: &head,
        id: &id,
        trace: &trace,
        since,
        at,
        shared_head: head.shared(),
        counters: noting.as_ref().unwrap_or(&core.shared.counters),
        trial: trial.as_ref(),
    };
    let malformed = connection.next_is_malformed();
    let mut answer = match malformed {
        Some(why) => {
            let refusal = Refusal::new(&reasons::MALFORMED, why);
            exchange.refuse_unrouted(&refusal, None, connection.peer, &mut seen)
        }
        None => exchange.answer(body, upgrade, &mut seen).await,
    };
    let ends = seen.leaves_body() && !is_short && head.version < Version::HTTP_2;
    if malformed.is_some() || ends {
        // Nobody can say where the next request begins, or nobody will read as far.
        answer
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer.headers_mut().insert(REQUEST_ID, id.value());
    connection.answer(answer.status() == StatusCode::SWITCHING_PROTOCOLS);
    if seen.keeps_text() {
        seen.event.trace_id = Some(if trace.id() == &*seen.event.id {
            seen.event.id.clone()
        } else {
            Text::from(trace.id())
        });
    }
    seen.answered(&answer);
    Ok(answer.map(|body| Observed::new(body, seen)))
}

#[derive(Clone, Copy)]
pub(crate) struct Exchange<'a> {
    pub core: &'a Arc<Core>,
    pub generation: &'a Generation,
    pub connection: &'a Connection,
    pub head: &'a Parts,
    pub id: &'a RequestId,
    pub trace: &'a Trace,
    pub since: Instant,
    /// The time that policies see.
    pub at: Timestamp,
    /// The same head, where the other revision of a rollout may be asked about it.
    pub shared_head: Option<&'a Arc<Parts>>,
    /// Where policies count.
    pub counters: &'a Arc<Counters>,
    /// The rollout that runs.
    pub trial: Option<&'a Arc<Trial>>,
}

/// How far a request is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// It is known who calls.
    Identified,
    /// It is decided.
    Decided,
}

/// A request with its route, as far as policies have seen it.
pub(crate) struct Judged<'a> {
    pub arrived: &'a Arrived<'a>,
    pub route: &'a Route,
    pub client: IpAddr,
    pub now: Timestamp,
    pub facts: Facts,
    pub progress: Progress,
    /// What was decided, once it is.
    pub outcome: Option<Outcome>,
}

impl Judged<'_> {
    /// The application that calls, when there is one and it is known.
    pub(crate) fn application(&self) -> Option<Arc<str>> {
        let application = self.progress.identity.as_ref()?.application.as_ref()?;
        Some(application.id.clone())
    }
}

impl<'a> Exchange<'a> {
    async fn answer(
        &self,
        body: Incoming,
        upgrade: Option<OnUpgrade>,
        seen: &mut Observation,
    ) -> Response<AnyBody> {
        let client = client_address(
            self.connection.peer,
            &self.head.headers,
            &self.connection.trusted,
        );
        seen.event.client = Some(client);
        if let Some(refusal) = self.core.shared.blocks.load().source(client, self.at) {
            return self.refuse_unrouted(&refusal, None, client, seen);
        }
        let arrived = match request::read(self.head) {
            Ok(arrived) => arrived,
            Err(refusal) => return self.refuse_unrouted(&refusal, None, client, seen),
        };
        if seen.keeps_text() {
            seen.event.host = Text::from(arrived.host());
            if let Cow::Owned(path) = &arrived.path {
                seen.event.path = Text::from(path.as_str());
            }
        }
        let mut body = RequestBody::of(body);
        let asked = (&arrived, client);
        let found = self.find(asked);
        let (by, found) = match self.trial {
            None => (*self, found),
            Some(trial) => self.choose(trial, found, asked, &mut body, seen).await,
        };
        match found {
            Ok(judged) => by.answer_judged(judged, body, upgrade, seen).await,
            Err(refusal) => {
                by.ask_beside_unrouted(asked, &body, &refusal);
                by.refuse_unrouted(&refusal, Some(&arrived), client, seen)
            }
        }
    }

    /// The route of a request, about which nothing is known yet.
    pub(crate) fn find<'b>(
        &self,
        (arrived, client): (&'b Arrived<'b>, IpAddr),
    ) -> Result<Judged<'b>, Box<Refusal>>
    where
        'a: 'b,
    {
        let revision = &self.generation.revision;
        let head = self.head;
        let route = self.fenced(|| {
            revision.route(arrived.host(), &arrived.path, &head.method, &head.headers)
        })??;
        Ok(Judged {
            arrived,
            route,
            client,
            now: self.at,
            facts: match self.generation.recording {
                Some(_) => Facts::to_record(),
                None => Facts::default(),
            },
            progress: Progress::default(),
            outcome: None,
        })
    }

    async fn answer_judged(
        &self,
        mut judged: Judged<'_>,
        body: RequestBody,
        upgrade: Option<OnUpgrade>,
        seen: &mut Observation,
    ) -> Response<AnyBody> {
        seen.routed(judged.route);
        let decided = self.decide(&mut judged, body, upgrade, seen).await;
        if let Some(identity) = &judged.progress.identity {
            seen.identified(identity);
        }
        seen.found_out(&judged.facts, self.connection.certificate.as_ref());
        seen.asked(judged.progress.to_record.take());
        if seen.keeps_text() {
            seen.judged(&judged.route.chain, &judged.progress.verdicts);
        }
        let mut answer = match decided {
            Ok(answer) => answer,
            Err(refusal) => {
                let view = RequestView {
                    path: &judged.arrived.path,
                    ..self.unread_view(judged.client)
                };
                self.refuse(&refusal, judged.route.form(&view), seen)
            }
        };
        for edit in &judged.progress.edits {
            edit.apply(answer.headers_mut());
        }
        answer
    }

    fn refuse(&self, refusal: &Refusal, form: Form, seen: &mut Observation) -> Response<AnyBody> {
        if seen.event.tries == 0 {
            seen.event.decision = Decision::Refuse;
        }
        seen.event.code = Some(refusal.reason.code.into());
        problem_response(refusal, self.id.as_str(), form).map(full)
    }

    /// Refuses what no route takes, with what the gateway's own policies say of every answer.
    fn refuse_unrouted(
        &self,
        refusal: &Refusal,
        arrived: Option<&Arrived<'_>>,
        client: IpAddr,
        seen: &mut Observation,
    ) -> Response<AnyBody> {
        let mut answer = self.refuse(refusal, Form::of(&self.head.headers), seen);
        let view = RequestView {
            host: arrived.map_or("", Arrived::host),
            path: arrived.map_or("", |arrived| &arrived.path),
            ..self.unread_view(client)
        };
        let facts = Facts::default();
        let revision = &self.generation.revision;
        for edit in revision.unrouted_edits(&view, &mut self.env(self.at, &facts)) {
            edit.apply(answer.headers_mut());
        }
        answer
    }

    async fn decide(
        &self,
        judged: &mut Judged<'_>,
        mut body: RequestBody,
        upgrade: Option<OnUpgrade>,
        seen: &mut Observation,
    ) -> Result<Response<AnyBody>, Box<Refusal>> {
        self.admit(judged, &mut body).await?;
        self.judge(judged, &mut body, Until::Decided).await?;
        let outcome = judged.outcome.take().unwrap_or(Outcome::Forward);
        self.ask_beside(judged, &body, &outcome);
        if let RequestBody::Read(bytes) = &body {
            seen.event.bytes_in = bytes.len() as u64;
            seen.has_read = true;
            if let Some(record) = &judged.route.record_body {
                seen.event.keep_body(bytes, record.up_to.as_usize());
            }
        }
        match outcome {
            Outcome::Forward => self.forward(judged, body, upgrade, seen).await,
            Outcome::Respond(reply) => {
                seen.event.decision = Decision::Respond;
                seen.event.code = Some(reply.code.into());
                Ok(finish::respond(*reply))
            }
            Outcome::Refuse(refusal) => Err(refusal),
        }
    }

    /// Refuses an application that is blocked for a time, before the policies that follow its identification.
    async fn admit(
        &self,
        judged: &mut Judged<'_>,
        body: &mut RequestBody,
    ) -> Result<(), Box<Refusal>> {
        let blocks = self.core.shared.blocks.load_full();
        if !blocks.concern_applications() {
            return Ok(());
        }
        self.judge(judged, body, Until::Identified).await?;
        let refusal = judged
            .application()
            .and_then(|id| blocks.application(&id, self.at));
        refusal.map_or(Ok(()), Err)
    }

    /// Advances through the policies, and gets what they need on the way.
    pub(crate) async fn judge(
        &self,
        judged: &mut Judged<'_>,
        body: &mut RequestBody,
        until: Until,
    ) -> Result<(), Box<Refusal>> {
        if until == Until::Decided
            && judged.outcome.is_none()
            && let Some(record) = &judged.route.record_body
            && let RequestBody::Stream(stream) = &*body
            && stream
                .size_hint()
                .exact()
                .is_some_and(|size| size <= record.up_to.bytes())
        {
            let bounds = self.bounds(&judged.progress);
            self.read_body(body, record.up_to.as_usize(), bounds)
                .await?;
        }
        while judged.outcome.is_none() {
            let step = {
                let known = match &*body {
                    RequestBody::Absent => Body::Absent,
                    RequestBody::Begun(known, ..) => Body::TooLarge(*known),
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
                    ..
                } = &mut *judged;
                let variables = route.template.variables(&arrived.path);
                let view = self.view(arrived, *client, &variables, known);
                let mut env = self.env(*now, facts);
                self.fenced(|| match until {
                    Until::Identified => route.chain.identify(&view, &route.id, progress, &mut env),
                    Until::Decided => Some(route.advance(&view, progress, &mut env)),
                })?
            };
            let Some(step) = step else { break };
            match step {
                Step::Decided(outcome) => judged.outcome = Some(outcome),
                Step::Need(Need::Fact(wanted)) => {
                    let fact = self.core.shared.facts.get(&wanted).await;
                    judged.facts.put(wanted, fact);
                }
                // A policy that misses this in live traffic is at fault, and lets nothing pass.
                Step::Need(Need::Recorded(_)) => {
                    let detail = "a policy could not decide about this request";
                    return Err(Box::new(Refusal::new(&reasons::UNDECIDED, detail)));
                }
                Step::Need(Need::Body(limit)) => {
                    let bounds = self.bounds(&judged.progress);
                    self.read_body(body, limit, bounds).await?;
                }
            }
        }
        Ok(())
    }

    /// What a body may take, as far as policies have said.
    fn bounds(&self, progress: &Progress) -> Bounds {
        let mut bounds = Bounds::pauses(self.connection.body_idle);
        for effect in &progress.effects {
            bounds.narrow(effect, self.since);
        }
        bounds
    }

    /// Reads the body, or as much of it as shows that it has more bytes than `limit`.
    async fn read_body(
        &self,
        body: &mut RequestBody,
        limit: usize,
        bounds: Bounds,
    ) -> Result<(), Box<Refusal>> {
        let (start, mut stream) = match std::mem::replace(body, RequestBody::Absent) {
            RequestBody::Stream(stream) => {
                let arrival = Arc::<Arrival>::default();
                (Bytes::new(), Streamed::new(stream, bounds, arrival))
            }
            RequestBody::Begun(_, start, stream) => (start, stream),
            known @ (RequestBody::Read(_) | RequestBody::Absent) => {
                *body = known;
                return Ok(());
            }
        };
        stream.bound(bounds);
        *body = match read_start(start, stream, limit, None).await {
            Ok(ReadStart::Whole(bytes)) => RequestBody::Read(bytes),
            Ok(ReadStart::Part(start, rest)) => RequestBody::Begun(limit, start, rest),
            Err(error) => return Err(Box::new(forward::callers_failure(&error))),
        };
        Ok(())
    }

    pub(crate) fn view<'b>(
        &'b self,
        arrived: &'b Arrived<'b>,
        client: IpAddr,
        variables: &'b [(&'b str, &'b str)],
        body: Body<'b>,
    ) -> RequestView<'b> {
        RequestView {
            host: arrived.host(),
            path: &arrived.path,
            body,
            variables,
            ..self.unread_view(client)
        }
    }

    /// A request of which nobody has read host and path.
    fn unread_view(&self, client: IpAddr) -> RequestView<'_> {
        RequestView {
            method: &self.head.method,
            scheme: self.connection.scheme,
            host: "",
            path: "",
            query: self.head.uri.query(),
            version: self.head.version,
            headers: &self.head.headers,
            client,
            certificate: self.connection.certificate.as_ref(),
            body: Body::Absent,
            variables: &[],
            identity: None,
            prompt: None,
        }
    }

    pub(crate) fn env<'b>(&'b self, now: Timestamp, facts: &'b Facts) -> Env<'b> {
        Env {
            now,
            facts,
            directory: &self.generation.directory,
            counters: self.counters,
        }
    }

    fn service(&self, route: &Route) -> Result<&Arc<Service>, Box<Refusal>> {
        let name = match &route.target {
            RouteTarget::Upstream(name) => Some(name),
            RouteTarget::Split(weights) => self.core.pick(weights),
            _ => None,
        };
        let service = name.and_then(|name| self.generation.upstreams.get(name));
        service.ok_or_else(|| {
            Box::new(Refusal::new(
                &reasons::NO_ROUTE,
                "nobody answers this route",
            ))
        })
    }

    async fn forward(
        &self,
        judged: &mut Judged<'_>,
        body: RequestBody,
        upgrade: Option<OnUpgrade>,
        seen: &mut Observation,
    ) -> Result<Response<AnyBody>, Box<Refusal>> {
        let mut tried = Tried::default();
        let answered = match &judged.route.target {
            RouteTarget::Models(names) => {
                self.ask_model(names, judged, body, seen, &mut tried).await
            }
            RouteTarget::Prompt(_) => self.ask_model(&[], judged, body, seen, &mut tried).await,
            RouteTarget::Aggregate(parts) => {
                let prepared = self.prepare(judged, None)?;
                let variables = judged.route.template.variables(&judged.arrived.path);
                seen.calls(|| Whom::Parts);
                let answering = aggregate::answer(
                    self.core,
                    self.generation,
                    parts,
                    &variables,
                    prepared,
                    &mut tried,
                );
                answering.await
            }
            _ => {
                let service = self.service(judged.route)?;
                seen.event.upstream = Some(service.name.clone());
                let prepared = self.prepare(judged, Some(service))?;
                seen.calls(|| Whom::Service(prepared.path.clone()));
                self.ask(judged, prepared, body, upgrade, service, &mut tried)
                    .await
            }
        };
        let answer = answered.as_ref().map(|answer| answer.head.status);
        seen.called(tried, answer.map_err(|refusal| refusal.reason.code));
        self.finish(judged, answered?, seen).await
    }

    async fn ask(
        &self,
        judged: &Judged<'_>,
        mut prepared: Prepared,
        body: RequestBody,
        upgrade: Option<OnUpgrade>,
        service: &Arc<Service>,
        tried: &mut Tried,
    ) -> Result<Answer, Box<Refusal>> {
        let upgrade = upgrade.and_then(|on| Some((on, upgrade::wanted(self.head)?)));
        if let Some(upgrade) = upgrade {
            return forward::change(self.core, prepared, upgrade, service, tried).await;
        }
        let cache = &self.core.shared.cache;
        let identity = judged.progress.identity.as_ref();
        let caller = identity.map(|identity| identity.answers_key().map(Arc::from));
        // What was answered to somebody without a name is for nobody else.
        let rule = prepared.cache.take().filter(|_| caller != Some(None));
        let Some(rule) = rule else {
            return cache.pass(self.core, prepared, body, service, tried).await;
        };
        let asked = Asked {
            prepared,
            rule,
            caller: caller.flatten(),
            service,
        };
        cache.answer(self.core, asked, body, tried).await
    }

    fn prepare(
        &self,
        judged: &mut Judged<'_>,
        service: Option<&Service>,
    ) -> Result<Prepared, Box<Refusal>> {
        let application = judged
            .progress
            .identity
            .as_ref()
            .and_then(|identity| identity.application.clone());
        let effects = std::mem::take(&mut judged.progress.effects);
        let allowed = Allowed {
            head: self.head,
            arrived: judged.arrived,
            route: judged.route,
            effects,
            caller: Caller {
                address: judged.client,
                address_field: self.connection.address_field(judged.client),
                host: judged.arrived.host(),
                scheme: self.connection.scheme,
                application: application.as_ref().map(|application| &*application.id),
                request_id: self.id,
                trace: self.trace,
                via: &self.core.shared.via,
            },
            bounds: Bounds::pauses(self.connection.body_idle),
            since: self.since,
        };
        forward::prepare(allowed, service)
    }
}
