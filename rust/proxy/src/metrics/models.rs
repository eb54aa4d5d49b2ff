//! Calls to models, under the names of OpenTelemetry's conventions for generative AI.

use lockgate_recording::{ModelCounts, ModelSeries};

use super::{family, sample};
use crate::models::names::{PROVIDER, REQUEST_MODEL, TOKEN_TYPE, TOKENS, provider};

type Count = fn(&ModelSeries) -> f64;

/// The families that count once for each model and provider.
const FAMILIES: &[(&str, &str, Count)] = &[
    ("lockgate_model_calls_total", "Calls to models.", |series| {
        series.calls as f64
    }),
    (
        "lockgate_model_failures_total",
        "Calls to models that failed, or whose answer broke off.",
        |series| series.failed as f64,
    ),
    (
        "lockgate_model_cache_hits_total",
        "Calls to models whose answer the gateway had kept.",
        |series| series.from_cache as f64,
    ),
    (
        "lockgate_model_lossy_calls_total",
        "Calls to models of which something could not be carried over to the provider or to the caller.",
        |series| series.lossy as f64,
    ),
    (
        "lockgate_model_cost_usd_total",
        "What calls to models cost, as far as it is known.",
        |series| series.cost as f64 / 1e6,
    ),
];

/// Writes what was counted; nothing where no model was asked.
pub(super) fn write(out: &mut String, counts: &[ModelCounts]) {
    if counts.is_empty() {
        return;
    }
    for (name, about, count) in FAMILIES {
        family(out, name, "counter", about);
        for one in counts {
            let labels = of(one);
            sample(out, name, &labels, count(&one.series));
        }
    }
    family(out, TOKENS, "counter", "Tokens of questions and answers.");
    for one in counts {
        for (sort, tokens) in [
            ("input", one.series.input_tokens),
            ("output", one.series.output_tokens),
        ] {
            let [model, provider] = of(one);
            let labels = [model, provider, (TOKEN_TYPE, sort)];
            sample(out, TOKENS, &labels, tokens as f64);
        }
    }
}

fn of(counts: &ModelCounts) -> [(&'static str, &str); 2] {
    [
        (REQUEST_MODEL.label, &*counts.model),
        (PROVIDER.label, provider(&counts.provider)),
    ]
}
