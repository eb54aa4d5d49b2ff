//! What documents call the things that should not be in prompts and answers.

use lockgate_llm::guard::Class;
use schemars::JsonSchema;
use serde::Deserialize;

/// Something that should not be in a prompt or an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Data {
    /// Keys, tokens and passwords, by their shape.
    Secret,
    /// E-mail addresses, those of documentation aside.
    Email,
    /// Numbers of payment cards whose check digit is right.
    Card,
    /// Account numbers (IBAN) whose check digits are right.
    Iban,
    /// Social security numbers of the United States.
    SocialSecurity,
}

impl Data {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Secret,
        Self::Email,
        Self::Card,
        Self::Iban,
        Self::SocialSecurity,
    ];

    /// As the detector calls it.
    pub const fn class(self) -> Class {
        match self {
            Self::Secret => Class::Secret,
            Self::Email => Class::Email,
            Self::Card => Class::Card,
            Self::Iban => Class::Iban,
            Self::SocialSecurity => Class::SocialSecurity,
        }
    }
}

/// What stands in a text, in words for callers.
pub fn named(what: &str) -> &'static str {
    match what {
        "secret" => "a key, token or password",
        "email" => "an e-mail address",
        "card" => "the number of a payment card",
        "iban" => "an account number",
        "social_security" => "a social security number",
        _ => "a phrase that is banned here",
    }
}

/// Counts by class as a field of an answer has them: `secret=1 email=2`.
pub fn counted(counts: impl Iterator<Item = (Class, usize)>) -> String {
    let counts = counts.filter(|(_, count)| *count > 0);
    let words: Vec<String> = counts
        .map(|(class, count)| format!("{}={count}", class.name()))
        .collect();
    words.join(" ")
}
