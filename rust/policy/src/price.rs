//! What models cost: what the document says, else what is known of the provider's list.

use std::sync::{Arc, LazyLock};

use lockgate_config::{ModelTarget, Provider};
use lockgate_llm::{Dialect, ModelPrice, PriceList};

/// The list of this build. A test of its crate reads it.
static KNOWN: LazyLock<Option<PriceList>> = LazyLock::new(|| PriceList::built_in().ok());

/// A price, and who says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPrice {
    /// The price.
    pub price: ModelPrice,
    /// `document`, or the day of the list that came with this build.
    pub by: Arc<str>,
}

/// What a target costs; `None` when nobody knows.
pub fn price_of(target: &ModelTarget) -> Option<KnownPrice> {
    let dialect = dialect_of(target.provider);
    let (price, by) = match &target.price {
        Some(written) => {
            let price = ModelPrice {
                dialect,
                model: target.model.value.clone(),
                input: written.input,
                cached: written.cached,
                cache_write: None,
                cache_write_hour: None,
                output: written.output,
                above: None,
            };
            (price, "document")
        }
        None => {
            let list = KNOWN.as_ref()?;
            (list.of(dialect, &target.model)?.clone(), &*list.date)
        }
    };
    Some(KnownPrice {
        price,
        by: by.into(),
    })
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
