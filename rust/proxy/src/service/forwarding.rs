//! A request that policies let pass, on its way to whom its route names.

use std::sync::Arc;

use http::Response;
use hyper::upgrade::OnUpgrade;
use lockgate_policy::{Refusal, Route, RouteTarget, gateway_reasons as reasons};

use super::{Exchange, Judged};
use crate::aggregate;
use crate::body::{AnyBody, Bounds};
use crate::cache::Asked;
use crate::forward::{self, Allowed, Answer, Prepared, RequestBody, Tried};
use crate::hygiene::Caller;
use crate::record::Observation;
use crate::telemetry::Whom;
use crate::upgrade;
use crate::upstream::Service;

impl Exchange<'_> {
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

    pub(super) async fn forward(
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
        mut prepared: Prepared<'_>,
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
        let kept = prepared.cache.take().and_then(|rule| {
            let caller = match identity {
                // What was answered to somebody without a name is for nobody else.
                Some(identity) => Some(Arc::from(identity.answers_key()?)),
                None => None,
            };
            Some((rule, caller))
        });
        let Some((rule, caller)) = kept else {
            return cache.pass(self.core, prepared, body, service, tried).await;
        };
        let asked = Asked {
            prepared,
            rule,
            caller,
            service,
        };
        cache.answer(self.core, asked, body, tried).await
    }

    fn prepare<'b, 'c: 'b>(
        &'b self,
        judged: &mut Judged<'c>,
        service: Option<&Service>,
    ) -> Result<Prepared<'b>, Box<Refusal>> {
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
                application: judged.application(),
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
