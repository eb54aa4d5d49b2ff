//! What calls cost. Prices are data with a version and a date; what is not in it is unknown, and never free.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::dialect::Dialect;
use crate::estimate::Estimate;
use crate::usage::Usage;

/// The prices that come with this build.
const BUILT_IN: &str = include_str!("../prices.json");
/// The version of the form that is read.
const VERSION: u64 = 1;
/// The most prices of one list.
const MOST_MODELS: usize = 100_000;

/// Prices of models, in millionths of a currency for a million tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceList {
    /// The version of the form.
    pub version: u64,
    /// The day on which they were read, `2026-11-25`.
    pub date: String,
    /// The currency, `USD`.
    pub currency: String,
    /// What the numbers mean, for people.
    #[serde(default)]
    pub unit: String,
    /// The prices.
    pub models: Vec<ModelPrice>,
}

/// The price of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelPrice {
    /// Whose it is.
    pub dialect: Dialect,
    /// The provider's name of it. Names with a date behind it (`-20250929`, `-2025-08-07`) cost the same.
    pub model: String,
    /// Input that came from no cache.
    pub input: u64,
    /// Input that came from the cache; as `input` when it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<u64>,
    /// Input that went into the cache; as `input` when it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<u64>,
    /// Input that went into the cache for an hour; as `cache_write` when it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_hour: Option<u64>,
    /// Output, reasoning included.
    pub output: u64,
    /// Other prices for long prompts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<LongPrice>,
}

/// The price of a call with a long prompt, all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LongPrice {
    /// Prompts of more tokens than that.
    pub tokens: u64,
    /// As in [`ModelPrice`].
    pub input: u64,
    /// As in [`ModelPrice`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<u64>,
    /// As in [`ModelPrice`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<u64>,
    /// As in [`ModelPrice`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_hour: Option<u64>,
    /// As in [`ModelPrice`].
    pub output: u64,
}

/// A list of prices that makes no sense.
#[derive(Debug, Error)]
pub enum PriceError {
    /// It is no JSON of the form.
    #[error("the price list is not of the form: {0}")]
    Form(#[from] serde_json::Error),
    /// It is of another version.
    #[error("the price list is of version {0}; this build reads version {VERSION}")]
    Version(u64),
    /// It has no day.
    #[error("`date` of the price list is `{0}`; write a day such as `2026-11-25`")]
    Date(String),
    /// It is too long.
    #[error("the price list has more than {MOST_MODELS} models")]
    TooMany,
    /// A model stands in it twice.
    #[error("`{0}` stands twice in the price list; keep one")]
    Twice(String),
}

impl PriceList {
    /// The prices that come with this build.
    ///
    /// # Errors
    /// Never, as a test reads them.
    pub fn built_in() -> Result<Self, PriceError> {
        Self::read(BUILT_IN)
    }

    /// Reads a list.
    ///
    /// # Errors
    /// It is not of the form, or says a price twice.
    pub fn read(text: &str) -> Result<Self, PriceError> {
        let list: Self = serde_json::from_str(text)?;
        if list.version != VERSION {
            return Err(PriceError::Version(list.version));
        }
        if !is_day(&list.date) {
            return Err(PriceError::Date(list.date));
        }
        if list.models.len() > MOST_MODELS {
            return Err(PriceError::TooMany);
        }
        let mut names: Vec<_> = list
            .models
            .iter()
            .map(|price| (price.dialect.name(), price.model.as_str()))
            .collect();
        names.sort_unstable();
        if let Some((name, _)) = names
            .iter()
            .zip(names.iter().skip(1))
            .find(|(one, two)| one == two)
        {
            return Err(PriceError::Twice(name.1.to_owned()));
        }
        Ok(list)
    }

    /// The price of a model, when it is known.
    #[must_use]
    pub fn of(&self, dialect: Dialect, model: &str) -> Option<&ModelPrice> {
        let model = model.strip_prefix("models/").unwrap_or(model);
        let named = |name: &str| {
            self.models
                .iter()
                .find(|price| price.dialect == dialect && price.model == name)
        };
        named(model).or_else(|| named(without_date(model)?))
    }
}

impl ModelPrice {
    /// What a call cost, in millionths of the currency, rounded up. `None` when the provider did not say what it took.
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> Option<u64> {
        let (input, output) = (
            usage.input?,
            usage.output.or((self.output == 0).then_some(0))?,
        );
        let long = self.above.as_ref().filter(|above| input > above.tokens);
        let rate = long.map_or(self.input, |long| long.input);
        let cached_rate = long.map_or(self.cached, |long| long.cached).unwrap_or(rate);
        let write_rate = long.map_or(self.cache_write, |long| long.cache_write);
        let write_rate = write_rate.unwrap_or(rate);
        let hour_rate = long.map_or(self.cache_write_hour, |long| long.cache_write_hour);
        let hour_rate = hour_rate.unwrap_or(write_rate);
        let output_rate = long.map_or(self.output, |long| long.output);
        let cached = usage.cached.unwrap_or(0).min(input);
        let written = usage.cache_write.unwrap_or(0).min(input - cached);
        let hour = usage.cache_write_hour.unwrap_or(0).min(written);
        let fresh = input - cached - written;
        Some(price(&[
            (fresh, rate),
            (cached, cached_rate),
            (written - hour, write_rate),
            (hour, hour_rate),
            (output, output_rate),
        ]))
    }

    /// The most that a call may cost, in millionths of the currency: nothing from the cache, all of it written for an hour.
    #[must_use]
    pub fn worst_case(&self, estimate: &Estimate) -> u64 {
        let long = self
            .above
            .as_ref()
            .filter(|above| estimate.input > above.tokens);
        let input = [
            Some(self.input),
            self.cache_write,
            self.cache_write_hour,
            long.map(|long| long.input),
            long.and_then(|long| long.cache_write),
            long.and_then(|long| long.cache_write_hour),
        ];
        let rate = input.into_iter().flatten().max().unwrap_or(self.input);
        let output = long.map_or(self.output, |long| long.output.max(self.output));
        price(&[(estimate.input, rate), (estimate.output, output)])
    }
}

/// Tokens by their prices, rounded up once.
fn price(items: &[(u64, u64)]) -> u64 {
    let sum = items.iter().fold(0_u128, |sum, (tokens, rate)| {
        sum.saturating_add(u128::from(*tokens) * u128::from(*rate))
    });
    u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

fn is_day(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| {
            if at == 4 || at == 7 {
                byte == b'-'
            } else {
                byte.is_ascii_digit()
            }
        })
}

/// A name without the date of its edition.
fn without_date(model: &str) -> Option<&str> {
    if let Some((name, date)) = model.rsplit_once('-')
        && date.len() == 8
        && date.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Some(name);
    }
    let at = model.len().checked_sub(11)?;
    let (name, date) = (model.get(..at)?, model.get(at..)?);
    is_day(date.strip_prefix('-')?).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opus() -> ModelPrice {
        let list = PriceList::built_in().unwrap();
        list.of(Dialect::Anthropic, "claude-opus-4-5-20251101")
            .unwrap()
            .clone()
    }

    #[test]
    fn an_unknown_price_is_unknown() {
        let list = PriceList::built_in().unwrap();
        assert!(list.of(Dialect::Openai, "gpt-99").is_none());
        assert!(list.of(Dialect::Openai, "claude-opus-4-5").is_none());
        assert!(list.of(Dialect::Openai, "gpt-5-2025-08-07").is_some());
        assert!(list.of(Dialect::Openai, "gpt-5-turbo").is_none());
    }

    #[test]
    fn each_kind_of_token_has_its_own_price() {
        let usage = Usage {
            input: Some(1_000_000),
            cached: Some(500_000),
            cache_write: Some(200_000),
            cache_write_hour: Some(100_000),
            output: Some(10_000),
            reasoning: Some(9_000),
            partial: false,
        };
        // 0.3 M fresh at 5, 0.5 M cached at 0.5, 0.1 M written at 6.25, 0.1 M for an hour at 10, 0.01 M out at 25.
        assert_eq!(
            opus().cost(&usage),
            Some(1_500_000 + 250_000 + 625_000 + 1_000_000 + 250_000)
        );
    }

    #[test]
    fn what_the_provider_did_not_say_has_no_cost() {
        let unknown = Usage {
            input: Some(5),
            ..Usage::default()
        };
        assert_eq!(opus().cost(&unknown), None);
        let nothing = Usage {
            input: Some(0),
            output: Some(0),
            ..Usage::default()
        };
        assert_eq!(opus().cost(&nothing), Some(0));
        let one = Usage {
            input: Some(1),
            output: Some(0),
            ..Usage::default()
        };
        assert_eq!(
            opus().cost(&one),
            Some(5),
            "a token of 5 dollars a million is 5 millionths"
        );
    }

    #[test]
    fn a_long_prompt_has_the_price_of_long_prompts() {
        let list = PriceList::built_in().unwrap();
        let pro = list.of(Dialect::Gemini, "models/gemini-2.5-pro").unwrap();
        let usage = |input| Usage {
            input: Some(input),
            output: Some(0),
            ..Usage::default()
        };
        assert_eq!(pro.cost(&usage(200_000)), Some(250_000));
        assert_eq!(pro.cost(&usage(200_001)), Some(500_003));
    }

    #[test]
    fn what_a_long_prompt_writes_into_the_cache_has_the_price_of_long_prompts() {
        let list = PriceList::built_in().unwrap();
        let haiku = list.of(Dialect::Anthropic, "claude-haiku-5-5").unwrap();
        let usage = |input| Usage {
            input: Some(input),
            cache_write: Some(input),
            cache_write_hour: Some(50_000),
            output: Some(0),
            ..Usage::default()
        };
        // Half of it at 0.125 and half at 0.2 dollars a million; a token more, and it is five times that.
        assert_eq!(haiku.cost(&usage(100_000)), Some(6_250 + 10_000));
        assert_eq!(haiku.cost(&usage(100_001)), Some(31_251 + 50_000));
        let most = |input| {
            haiku.worst_case(&Estimate {
                input,
                output: 0,
                bounded: true,
            })
        };
        assert_eq!((most(100_000), most(200_000)), (20_000, 200_000));
    }

    #[test]
    fn models_of_all_providers_that_take_money_have_prices() {
        let list = PriceList::built_in().unwrap();
        for (dialect, model) in [
            (Dialect::Openai, "gpt-6.1-sol"),
            (Dialect::Anthropic, "claude-sonnet-5-5"),
            (Dialect::Gemini, "gemini-3.8-flash"),
            (Dialect::Mistral, "mistral-medium-latest"),
            (Dialect::Moonshot, "kimi-k3.1-pro"),
        ] {
            assert!(list.of(dialect, model).is_some(), "{model}");
        }
        // What comes from a cache is never dearer, and a long prompt never cheaper.
        for price in &list.models {
            assert!(price.cached.is_none_or(|cached| cached <= price.input));
            let long = price.above.as_ref();
            assert!(
                long.is_none_or(|long| long.input >= price.input && long.output >= price.output)
            );
        }
    }

    #[test]
    fn numbers_beyond_all_measure_do_not_overflow() {
        let usage = Usage {
            input: Some(u64::MAX),
            cached: Some(u64::MAX),
            cache_write: Some(u64::MAX),
            output: Some(u64::MAX),
            ..Usage::default()
        };
        assert_eq!(opus().cost(&usage), Some(u64::MAX));
    }

    #[test]
    fn a_list_that_makes_no_sense_says_why() {
        let text = |version, date: &str, models: &str| {
            format!(
                r#"{{"version":{version},"date":"{date}","currency":"USD","models":[{models}]}}"#
            )
        };
        let model = r#"{"dialect":"openai","model":"x","input":1,"output":1}"#;
        let cases = [
            (
                text(2, "2026-11-25", ""),
                "the price list is of version 2; this build reads version 1",
            ),
            (
                text(1, "soon", ""),
                "`date` of the price list is `soon`; write a day such as `2026-11-25`",
            ),
            (
                text(1, "2026-11-25", &format!("{model},{model}")),
                "`x` stands twice in the price list; keep one",
            ),
        ];
        for (text, message) in cases {
            assert_eq!(PriceList::read(&text).unwrap_err().to_string(), message);
        }
        let unknown = text(
            1,
            "2026-11-25",
            r#"{"dialect":"openai","model":"x","input":1,"output":1,"inptu":2}"#,
        );
        assert!(
            PriceList::read(&unknown)
                .unwrap_err()
                .to_string()
                .contains("`inptu`")
        );
    }
}

#[cfg(test)]
#[path = "price_fuzz.rs"]
mod fuzz;
