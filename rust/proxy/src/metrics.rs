//! What a node has done, for Prometheus and for people.

mod models;
mod upstreams;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use lockgate_recording::LATENCY_BUCKETS_US;
use serde_json::{Value, json};

use crate::core::Shared;
use crate::listen::tls::ListenerTls;

const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// Counts since the start as JSON.
pub fn stats(shared: &Shared) -> Value {
    let tally = shared.tally();
    let generation = shared.generation();
    let mut answers: BTreeMap<&str, u64> = CLASSES.iter().map(|class| (*class, 0)).collect();
    let mut latency = [0u64; LATENCY_BUCKETS_US.len() + 1];
    for route in &tally.routes {
        for (class, count) in CLASSES.iter().zip(route.series.by_class) {
            *answers.entry(class).or_default() += count;
        }
        for (all, count) in latency.iter_mut().zip(route.series.by_latency) {
            *all += count;
        }
    }
    let upstreams: BTreeMap<&str, Value> = generation
        .upstreams
        .iter()
        .map(|(name, service)| (&**name, service.to_json()))
        .collect();
    let recording = generation
        .recording
        .as_ref()
        .map(|recording| json!({ "events": recording.stats(), "problem": recording.problem() }));
    let telemetry = generation
        .telemetry
        .as_ref()
        .map(|telemetry| json!({ "spans": telemetry.stats(), "problem": telemetry.problem() }));
    json!({
        "revision": &*generation.id,
        "requests": answers.values().sum::<u64>(),
        "answers": answers,
        "refusals": tally.refusals,
        "shadow_denials": tally.shadow_denials,
        "models": tally.models,
        "latency_ms": {
            "p50": quantile(&latency, 0.5),
            "p90": quantile(&latency, 0.9),
            "p99": quantile(&latency, 0.99),
        },
        "connections": shared.connections.load(Ordering::Relaxed),
        "upstreams": upstreams,
        "recording": recording,
        "telemetry": telemetry,
    })
}

/// A latency that this share of calls did not exceed, in milliseconds, interpolated within its bucket; none without calls.
fn quantile(buckets: &[u64], share: f64) -> Option<f64> {
    let total: u64 = buckets.iter().sum();
    let wanted = share * total as f64;
    let mut below = 0.0;
    let mut from = 0.0;
    for (count, to) in buckets.iter().zip(LATENCY_BUCKETS_US) {
        let count = *count as f64;
        if count > 0.0 && below + count >= wanted {
            return Some((from + (to as f64 - from) * (wanted - below) / count) / 1000.0);
        }
        below += count;
        from = to as f64;
    }
    (total > 0).then_some(from / 1000.0)
}

/// The text format of Prometheus, version 0.0.4. Label values come from the document and the catalogue, so they are bounded.
pub fn prometheus(shared: &Shared) -> String {
    let tally = shared.tally();
    let generation = shared.generation();
    let mut out = String::new();
    family(
        &mut out,
        "lockgate_build_info",
        "gauge",
        "The version of the gateway and the revision that it serves.",
    );
    sample(
        &mut out,
        "lockgate_build_info",
        &[
            ("version", env!("CARGO_PKG_VERSION")),
            ("revision", &generation.id),
        ],
        1.0,
    );
    family(
        &mut out,
        "lockgate_connections",
        "gauge",
        "Connections of callers.",
    );
    sample(
        &mut out,
        "lockgate_connections",
        &[],
        shared.connections.load(Ordering::Relaxed) as f64,
    );
    family(
        &mut out,
        "lockgate_requests_total",
        "counter",
        "Requests by API, route and class of their status.",
    );
    for route in &tally.routes {
        for (class, count) in CLASSES
            .iter()
            .zip(route.series.by_class)
            .filter(|(_, count)| *count > 0)
        {
            let labels = [
                ("api", &*route.api),
                ("route", &*route.route),
                ("status", *class),
            ];
            sample(&mut out, "lockgate_requests_total", &labels, count as f64);
        }
    }
    family(
        &mut out,
        "lockgate_request_seconds",
        "histogram",
        "Time from a request's head to the end of its answer.",
    );
    for route in &tally.routes {
        let labels = [("api", &*route.api), ("route", &*route.route)];
        let mut below = 0;
        for (bound, count) in LATENCY_BUCKETS_US.iter().zip(route.series.by_latency) {
            below += count;
            let bound = format!("{}", *bound as f64 / 1e6);
            let labels = [labels[0], labels[1], ("le", bound.as_str())];
            sample(
                &mut out,
                "lockgate_request_seconds_bucket",
                &labels,
                below as f64,
            );
        }
        let calls: u64 = route.series.by_latency.iter().sum();
        let all = [labels[0], labels[1], ("le", "+Inf")];
        sample(
            &mut out,
            "lockgate_request_seconds_bucket",
            &all,
            calls as f64,
        );
        sample(
            &mut out,
            "lockgate_request_seconds_sum",
            &labels,
            route.series.latency_us as f64 / 1e6,
        );
        sample(
            &mut out,
            "lockgate_request_seconds_count",
            &labels,
            calls as f64,
        );
    }
    for (name, about, bytes_of) in [
        (
            "lockgate_request_bytes_total",
            "Bytes of request bodies.",
            0,
        ),
        (
            "lockgate_response_bytes_total",
            "Bytes of answers' bodies.",
            1,
        ),
    ] {
        family(&mut out, name, "counter", about);
        for route in &tally.routes {
            let bytes = if bytes_of == 0 {
                route.series.bytes_in
            } else {
                route.series.bytes_out
            };
            sample(
                &mut out,
                name,
                &[("api", &*route.api), ("route", &*route.route)],
                bytes as f64,
            );
        }
    }
    family(
        &mut out,
        "lockgate_refusals_total",
        "counter",
        "Requests that were refused or failed, by reason.",
    );
    for (code, count) in &tally.refusals {
        sample(
            &mut out,
            "lockgate_refusals_total",
            &[("code", code)],
            *count as f64,
        );
    }
    family(
        &mut out,
        "lockgate_blocks",
        "gauge",
        "What is refused or slowed down for a time, by order.",
    );
    let blocks = shared.blocks.load().counted(shared.clock.now());
    for (sort, count) in [
        ("source", blocks.sources),
        ("application", blocks.applications),
        ("credential", blocks.credentials),
    ] {
        sample(&mut out, "lockgate_blocks", &[("sort", sort)], count as f64);
    }
    family(
        &mut out,
        "lockgate_shadow_denials_total",
        "counter",
        "Requests that a policy in shadow would have refused.",
    );
    for (policy, count) in &tally.shadow_denials {
        sample(
            &mut out,
            "lockgate_shadow_denials_total",
            &[("policy", policy)],
            *count as f64,
        );
    }
    models::write(&mut out, &tally.models);
    upstreams::write(&mut out, &generation.upstreams);
    certificates(&mut out, &generation.tls);
    if let Some(recording) = &generation.recording {
        let stats = recording.stats();
        family(
            &mut out,
            "lockgate_recording_events_total",
            "counter",
            "Events by what became of them.",
        );
        for (what, count) in [
            ("written", stats.written),
            ("dropped", stats.dropped),
            ("failed", stats.failed),
        ] {
            sample(
                &mut out,
                "lockgate_recording_events_total",
                &[("outcome", what)],
                count as f64,
            );
        }
    }
    if let Some(log) = &generation.access_log {
        family(
            &mut out,
            "lockgate_access_log_dropped_total",
            "counter",
            "Lines that the disk did not take in time.",
        );
        sample(
            &mut out,
            "lockgate_access_log_dropped_total",
            &[],
            log.dropped() as f64,
        );
    }
    if let Some(telemetry) = &generation.telemetry {
        let stats = telemetry.stats();
        let name = "lockgate_spans_total";
        family(&mut out, name, "counter", "Spans by what became of them.");
        for (what, count) in [
            ("exported", stats.exported),
            ("dropped", stats.dropped),
            ("failed", stats.failed),
        ] {
            sample(&mut out, name, &[("outcome", what)], count as f64);
        }
    }
    out
}

/// When the certificates of listeners end; nothing where none speaks TLS.
fn certificates(out: &mut String, tls: &HashMap<Arc<str>, ListenerTls>) {
    if tls.is_empty() {
        return;
    }
    let name = "lockgate_certificate_end_timestamp_seconds";
    family(out, name, "gauge", "When a certificate of a listener ends.");
    for (listener, tls) in tls {
        for end in &tls.ends {
            let labels = [("listener", &**listener), ("certificate", &*end.file)];
            sample(out, name, &labels, end.at as f64);
        }
    }
}

fn family(out: &mut String, name: &str, kind: &str, about: &str) {
    let _ = writeln!(out, "# HELP {name} {about}\n# TYPE {name} {kind}");
}

fn sample(out: &mut String, name: &str, labels: &[(&str, &str)], value: f64) {
    out.push_str(name);
    for (at, (label, text)) in labels.iter().enumerate() {
        let text = text
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n");
        let open = if at == 0 { '{' } else { ',' };
        let _ = write!(out, "{open}{label}=\"{text}\"");
    }
    if !labels.is_empty() {
        out.push('}');
    }
    let _ = writeln!(out, " {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_lies_within_its_bucket() {
        let mut buckets = [0; LATENCY_BUCKETS_US.len() + 1];
        assert_eq!(quantile(&buckets, 0.5), None);
        buckets[1] = 10;
        assert_eq!(quantile(&buckets, 0.5), Some(0.75));
        buckets[14] = 90;
        assert_eq!(
            quantile(&buckets, 0.99),
            Some(10_000.0),
            "no more is known than the last bound"
        );
    }

    #[test]
    fn label_values_are_escaped() {
        let mut out = String::new();
        sample(&mut out, "a", &[("b", "c\"\\\n")], 1.0);
        assert_eq!(out, "a{b=\"c\\\"\\\\\\n\"} 1\n");
    }
}
