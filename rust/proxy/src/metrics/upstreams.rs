//! Services and their targets, as they are now.

use super::{family, sample};
use crate::upstream::{TargetFigures, Upstreams};

type OfTarget = fn(&TargetFigures<'_>) -> f64;

/// The families with one figure for each target.
const OF_TARGETS: &[(&str, &str, OfTarget)] = &[
    (
        "lockgate_upstream_healthy",
        "Whether a target is used.",
        |target| f64::from(u8::from(target.is_healthy)),
    ),
    (
        "lockgate_upstream_requests_in_flight",
        "Requests that a target has not answered to their end.",
        |target| target.in_flight as f64,
    ),
];

/// Writes the figures of all services.
pub(super) fn write(out: &mut String, upstreams: &Upstreams) {
    for (name, about, figure) in OF_TARGETS {
        family(out, name, "gauge", about);
        for (upstream, service) in upstreams {
            for target in service.figures() {
                let labels = [("upstream", &**upstream), ("target", target.address)];
                sample(out, name, &labels, figure(&target));
            }
        }
    }
    let name = "lockgate_upstream_connections";
    family(out, name, "gauge", "Connections to a service.");
    for (upstream, service) in upstreams {
        let labels = [("upstream", &**upstream)];
        sample(out, name, &labels, service.connections() as f64);
    }
    let circuits = || {
        let all = upstreams.iter();
        all.filter_map(|(upstream, service)| Some((upstream, service.is_circuit_open()?)))
    };
    if circuits().next().is_some() {
        let name = "lockgate_upstream_circuit_open";
        let about = "Whether a service is left alone because it failed too often.";
        family(out, name, "gauge", about);
        for (upstream, is_open) in circuits() {
            let labels = [("upstream", &**upstream)];
            sample(out, name, &labels, f64::from(u8::from(is_open)));
        }
    }
}
