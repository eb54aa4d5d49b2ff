//! Events as spans, by OpenTelemetry's semantic conventions for HTTP, and what Lockgate adds under `lockgate.`.

use std::time::Duration;

use bytes::Bytes;
use lockgate_recording::{Decision, Event, ModelCall, Redactor};
use lockgate_rollout::Arm;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;

use super::Ended;
use super::attributes::Attributes;
use super::traced::{Call, Traced, Whom};
use crate::models::names;
use crate::upstream::Target;

/// The version of the conventions.
const SCHEMA: &str = "https://opentelemetry.io/schemas/1.37.0";
/// What the conventions call a method that they do not know.
const OTHER_METHOD: &str = "_OTHER";
const METHODS: [&str; 9] = [
    "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
];
/// Statuses of gRPC that are failures of a server: unknown, deadline exceeded, unimplemented, internal, unavailable, data loss.
const GRPC_FAILURES: [u8; 6] = [2, 4, 12, 13, 14, 15];
/// Flags of a span: sampled (W3C Trace Context §3.2.2.5.1), and whether its parent is of another process, as OTLP adds them.
const SAMPLED: u32 = 1;
const KNOWS_PARENT: u32 = 1 << 8;
const PARENT_IS_REMOTE: u32 = 1 << 9;

/// Who sends spans. A node without a name of its own has none here: several would share one.
pub fn resource(service: &str, node: Option<&str>) -> Resource {
    let mut about = Attributes::default();
    about.text("service.name", service);
    about.maybe("service.instance.id", node);
    about.text("service.version", env!("CARGO_PKG_VERSION"));
    Resource {
        attributes: about.done(),
        ..Resource::default()
    }
}

/// One export.
pub fn encoded(spans: Vec<Span>, resource: &Resource) -> Bytes {
    let scope = InstrumentationScope {
        name: "lockgate".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    let export = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource.clone()),
            scope_spans: vec![ScopeSpans {
                scope: Some(scope),
                spans,
                schema_url: SCHEMA.to_owned(),
            }],
            schema_url: SCHEMA.to_owned(),
        }],
    };
    Bytes::from(export.encode_to_vec())
}

/// The spans of a request, redacted: its own, and that of what was asked of a service for it.
pub fn spans_of(mut ended: Ended, redactor: &Redactor) -> impl Iterator<Item = Span> {
    redactor.redact(&mut ended.event);
    let Ended { event, traced } = ended;
    let call = traced.call.as_ref();
    let call = call.map(|call| call_span(&event, &traced, call, redactor));
    std::iter::once(request_span(&event, &traced)).chain(call)
}

fn request_span(event: &Event, traced: &Traced) -> Span {
    let mut about = Attributes::default();
    let name = method(event, &mut about);
    about.text("url.scheme", &event.scheme);
    about.text("url.path", &event.path);
    about.maybe("url.query", event.query.as_deref());
    about.maybe("http.route", traced.route.as_deref());
    about.text("server.address", &event.host);
    let client = event.client.map(|client| client.to_string());
    about.maybe("client.address", client.as_deref());
    about.text("network.protocol.version", &event.version);
    about.number("http.request.body.size", event.bytes_in);
    about.number("http.response.body.size", event.bytes_out);
    if event.status != 0 {
        about.number("http.response.status_code", event.status);
    }
    if let Some(status) = event.grpc_status {
        about.number("rpc.grpc.status_code", status);
    }
    decided(event, traced, &mut about);
    if let (Some(model), None) = (&event.model_call, &traced.call) {
        asked_of_model(traced.operation, model, &mut about);
    }
    let failure = failure(event);
    about.maybe("error.type", failure.as_deref());
    let parent = match traced.ids.caller {
        Some(caller) => (caller.to_vec(), PARENT_IS_REMOTE),
        None => (Vec::new(), 0),
    };
    Span {
        trace_id: traced.ids.trace.to_vec(),
        span_id: traced.ids.request.to_vec(),
        parent_span_id: parent.0,
        flags: SAMPLED | KNOWS_PARENT | parent.1,
        name: match &traced.route {
            Some(route) => format!("{name} {route}"),
            None => name.to_owned(),
        },
        kind: SpanKind::Server.into(),
        start_time_unix_nano: nanos(event, Duration::ZERO),
        end_time_unix_nano: nanos(event, Duration::from_micros(event.latency_us)),
        attributes: about.done(),
        status: failure.map(|_| error()),
        ..Span::default()
    }
}

/// What the gateway decided, and why.
fn decided(event: &Event, traced: &Traced, about: &mut Attributes) {
    about.text("lockgate.request_id", &event.id);
    about.text("lockgate.revision", &event.revision);
    about.text("lockgate.listener", &event.listener);
    about.maybe("lockgate.api", event.api.as_deref());
    about.maybe("lockgate.api_version", event.api_version.as_deref());
    about.maybe("lockgate.route", event.route.as_deref());
    about.maybe("lockgate.application", event.application.as_deref());
    let decision = match event.decision {
        Decision::Forward => "forward",
        Decision::Refuse => "refuse",
        Decision::Respond => "respond",
    };
    about.text("lockgate.decision", decision);
    about.maybe("lockgate.code", event.code.as_deref());
    let said = |in_shadow: bool| {
        let refused = event.verdicts.iter();
        let refused = refused.filter(move |said| said.shadow == in_shadow);
        refused.map(|said| &*said.id)
    };
    about.texts("lockgate.refused_by", said(false));
    about.texts("lockgate.refused_in_shadow_by", said(true));
    about.maybe("lockgate.upstream", event.upstream.as_deref());
    about.number("lockgate.tries", event.tries);
    let arm = traced.arm.map(|arm| match arm {
        Arm::Canary => "canary",
        Arm::Control => "control",
    });
    about.maybe("lockgate.arm", arm);
}

/// Why the gateway, or a service behind it, failed; a request that was refused did not.
fn failure(event: &Event) -> Option<String> {
    let code = event.code.as_deref().map(str::to_owned);
    if event.status >= 500 {
        Some(code.unwrap_or_else(|| event.status.to_string()))
    } else if event.broke_off {
        Some(code.unwrap_or_else(|| "broke_off".to_owned()))
    } else {
        let status = event.grpc_status.filter(|is| GRPC_FAILURES.contains(is));
        status.map(|status| code.unwrap_or_else(|| status.to_string()))
    }
}

fn call_span(event: &Event, traced: &Traced, call: &Call, redactor: &Redactor) -> Span {
    let mut about = Attributes::default();
    let target = call.target.as_deref();
    if let Some(target) = target {
        about.text("server.address", target.authority.host());
        let port = target.authority.port_u16();
        about.number(
            "server.port",
            port.unwrap_or(if target.tls { 443 } else { 80 }),
        );
    }
    let mut failure = match call.answer {
        Some(Err(code)) => Some(code.to_owned()),
        Some(Ok(status)) if status.as_u16() >= 400 => Some(status.as_str().to_owned()),
        _ => None,
    };
    let (name, kind, ended) = match &call.whom {
        Whom::Service(path) => {
            let name = method(event, &mut about).to_owned();
            if let Some(target) = target {
                let url = url(target, path.path());
                about.text("url.full", redactor.path(&url).as_ref().unwrap_or(&url));
            }
            if let Some(Ok(status)) = call.answer {
                about.number("http.response.status_code", status.as_u16());
            }
            if call.tries > 1 {
                about.number("http.request.resend_count", call.tries - 1);
            }
            (name, SpanKind::Client, call.ended)
        }
        Whom::Parts => ("aggregate".to_owned(), SpanKind::Internal, call.ended),
        Whom::Model(operation) => {
            let mut name = (*operation).to_owned();
            if let Some(model) = &event.model_call {
                asked_of_model(Some(operation), model, &mut about);
                name = format!("{operation} {}", model.model);
                failure = model.failure.as_deref().map(str::to_owned).or(failure);
            }
            // What a model says is an answer of its own, to its last word.
            (name, SpanKind::Client, None)
        }
    };
    about.maybe("lockgate.upstream", event.upstream.as_deref());
    about.number("lockgate.tries", call.tries);
    about.maybe("error.type", failure.as_deref());
    let last = Duration::from_micros(event.latency_us);
    let ended = ended.map_or(last, |ended| ended.min(last));
    Span {
        trace_id: traced.ids.trace.to_vec(),
        span_id: traced.ids.call.to_vec(),
        parent_span_id: traced.ids.request.to_vec(),
        flags: SAMPLED | KNOWS_PARENT,
        name,
        kind: kind.into(),
        start_time_unix_nano: nanos(event, call.began.min(ended)),
        end_time_unix_nano: nanos(event, ended),
        attributes: about.done(),
        status: failure.map(|_| error()),
        ..Span::default()
    }
}

/// The address that was asked, without its query: policies may have put something there.
fn url(target: &Target, path: &str) -> String {
    let scheme = if target.tls { "https" } else { "http" };
    format!("{scheme}://{}{}{path}", target.authority, target.prefix)
}

/// What a call to a model took; neither what was asked nor what was answered.
fn asked_of_model(operation: Option<&str>, model: &ModelCall, about: &mut Attributes) {
    about.maybe(names::OPERATION, operation);
    about.text(names::REQUEST_MODEL.attribute, &model.model);
    let provider = model.provider.as_deref().map(names::provider);
    about.maybe(names::PROVIDER.attribute, provider);
    about.maybe(names::RESPONSE_MODEL, model.provider_model.as_deref());
    for (name, tokens) in [
        (names::INPUT_TOKENS, model.input_tokens),
        (names::CACHE_READ_TOKENS, model.cached_tokens),
        (names::CACHE_CREATION_TOKENS, model.cache_write_tokens),
        (names::OUTPUT_TOKENS, model.output_tokens),
    ] {
        if let Some(tokens) = tokens {
            about.number(name, tokens);
        }
    }
    if let Some(cost) = model.cost {
        about.fraction("lockgate.model.cost_usd", cost as f64 / 1e6);
    }
    about.when("lockgate.model.from_cache", model.from_cache);
    about.when("lockgate.model.partial", model.partial);
    about.maybe("lockgate.model.lost", model.lost.as_deref());
}

/// Adds the method, and gives what a span is called by it.
fn method<'a>(event: &'a Event, about: &mut Attributes) -> &'a str {
    if METHODS.contains(&&*event.method) {
        about.text("http.request.method", &event.method);
        return &event.method;
    }
    about.text("http.request.method", OTHER_METHOD);
    about.text("http.request.method_original", &event.method);
    "HTTP"
}

/// So long after the arrival, in nanoseconds since the Unix epoch.
fn nanos(event: &Event, after: Duration) -> u64 {
    let after = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
    event.at.saturating_mul(1_000).saturating_add(after)
}

fn error() -> Status {
    Status {
        code: StatusCode::Error.into(),
        ..Status::default()
    }
}

#[cfg(test)]
#[path = "spans_tests.rs"]
mod tests;
