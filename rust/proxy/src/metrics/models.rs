//! Calls to models, under the names of OpenTelemetry's conventions for generative AI (still marked as in development there).

use lockgate_recording::{ModelCounts, ModelSeries};

use super::{family, sample};

/// The attributes `gen_ai.request.model`, `gen_ai.provider.name` and `gen_ai.token.type` as labels.
const MODEL: &str = "gen_ai_request_model";
const PROVIDER: &str = "gen_ai_provider_name";
const TOKEN_TYPE: &str = "gen_ai_token_type";

type Count = fn(&ModelSeries) -> f64;

/// The families that count once for each model and provider. The one table of names: what changes upstream changes here.
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
const TOKENS: &str = "gen_ai_client_token_usage_total";

/// Writes what was counted; nothing where no model was asked.
pub(super) fn write(out: &mut String, counts: &[ModelCounts]) {
    if counts.is_empty() {
        return;
    }
    for (name, about, count) in FAMILIES {
        family(out, name, "counter", about);
        for one in counts {
            let labels = [(MODEL, &*one.model), (PROVIDER, &*one.provider)];
            sample(out, name, &labels, count(&one.series));
        }
    }
    family(out, TOKENS, "counter", "Tokens of questions and answers.");
    for one in counts {
        for (sort, tokens) in [
            ("input", one.series.input_tokens),
            ("output", one.series.output_tokens),
        ] {
            let labels = [
                (MODEL, &*one.model),
                (PROVIDER, &*one.provider),
                (TOKEN_TYPE, sort),
            ];
            sample(out, TOKENS, &labels, tokens as f64);
        }
    }
}
