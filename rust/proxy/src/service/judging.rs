//! What policies say of a request: its journey through their chain, and what they need on the way.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body::Body as _;
use lockgate_policy::{
    Body, Facts, Need, Outcome, Progress, Refusal, Route, Step, Timestamp,
    gateway_reasons as reasons,
};

use super::Exchange;
use crate::body::{Arrival, Bounds, ReadStart, Streamed, read_start};
use crate::forward::{self, RequestBody};
use crate::request::Arrived;

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

impl Exchange<'_> {
    /// Refuses an application that is blocked for a time, before the policies that follow its identification.
    pub(super) async fn admit(
        &self,
        judged: &mut Judged<'_>,
        body: &mut RequestBody,
    ) -> Result<(), Box<Refusal>> {
        if !self.core.shared.blocks.load().concern_applications() {
            return Ok(());
        }
        let blocks = self.core.shared.blocks.load_full();
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
}
