//! What models cost: what the document says, else what is known of the provider's list.

use std::sync::LazyLock;

use lockgate_config::{ModelTarget, Provider};
use lockgate_llm::{Dialect, ModelPrice, PriceList};

/// The list of this build. A test of its crate reads it.
static KNOWN: LazyLock<Option<PriceList>> = LazyLock::new(|| PriceList::built_in().ok());

/// What a target costs; `None` when nobody knows.
pub fn price_of(target: &ModelTarget) -> Option<ModelPrice> {
    let dialect = dialect_of(target.provider);
    match &target.price {
        Some(written) => Some(ModelPrice {
            dialect,
            model: target.model.value.clone(),
            input: written.input,
            cached: written.cached,
            cache_write: None,
            cache_write_hour: None,
            output: written.output,
            above: None,
        }),
        None => KNOWN.as_ref()?.of(dialect, &target.model).cloned(),
    }
}

/// What a provider speaks.
pub const fn dialect_of(provider: Provider) -> Dialect {
    match provider {
        Provider::Openai => Dialect::Openai,
        Provider::Anthropic => Dialect::Anthropic,
        Provider::Gemini => Dialect::Gemini,
        Provider::Mistral => Dialect::Mistral,
        Provider::Ollama => Dialect::Ollama,
        Provider::Moonshot => Dialect::Moonshot,
    }
}
