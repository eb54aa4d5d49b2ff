//! What is found in a text, and where.

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// A key, token or password.
    Secret,
    /// An e-mail address.
    Email,
    /// The number of a payment card.
    Card,
    /// An account number (IBAN).
    Iban,
    /// A social security number of the United States.
    SocialSecurity,
}

impl Class {
    /// All classes.
    pub const ALL: [Self; 5] = [
        Self::Secret,
        Self::Email,
        Self::Card,
        Self::Iban,
        Self::SocialSecurity,
    ];

    /// The word in events and placeholders.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Email => "email",
            Self::Card => "card",
            Self::Iban => "iban",
            Self::SocialSecurity => "social_security",
        }
    }

    /// The class of a word in events.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == word)
    }
}

/// Where something was found, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub class: Class,
    /// Which shape, `aws_access_key`.
    pub shape: &'static str,
    /// Where what tells it apart begins: the name before a password.
    pub context: usize,
    /// Where it begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}
