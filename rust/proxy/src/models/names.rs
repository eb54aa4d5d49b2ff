//! The names of OpenTelemetry's conventions for generative AI, which are still marked as in development there. This is the one table
//! of them: what changes upstream changes here.

/// A name as spans write it, and as a label of metrics, which has no dots.
pub struct Name {
    /// The attribute of a span.
    pub attribute: &'static str,
    /// The label of a metric.
    pub label: &'static str,
}

/// The model, as callers name it.
pub const REQUEST_MODEL: Name = Name {
    attribute: "gen_ai.request.model",
    label: "gen_ai_request_model",
};
/// Who answers.
pub const PROVIDER: Name = Name {
    attribute: "gen_ai.provider.name",
    label: "gen_ai_provider_name",
};
/// Whether tokens are of a question or of an answer: a label alone.
pub const TOKEN_TYPE: &str = "gen_ai_token_type";
/// The metric of tokens.
pub const TOKENS: &str = "gen_ai_client_token_usage_total";
/// What is asked: an attribute alone, as are those that follow.
pub const OPERATION: &str = "gen_ai.operation.name";
/// The model that answers, as its provider names it.
pub const RESPONSE_MODEL: &str = "gen_ai.response.model";
/// Tokens of the question.
pub const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
/// Those of them that the provider had in its cache.
pub const CACHE_READ_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
/// Those of them that were written into the provider's cache.
pub const CACHE_CREATION_TOKENS: &str = "gen_ai.usage.cache_creation.input_tokens";
/// Tokens of the answer.
pub const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";

/// A provider by the name that the conventions have for it; by the gateway's own where they have none.
pub fn provider(name: &str) -> &str {
    match name {
        "gemini" => "gcp.gemini",
        "mistral" => "mistral_ai",
        other => other,
    }
}
