//! Credentials and personal data, by their shape.

use std::sync::LazyLock;

use regex::Regex;

use super::finding::{Class, Finding};
use super::held::keep_from;

#[derive(Clone)]
struct Shape {
    class: Class,
    name: &'static str,
    pattern: Regex,
    sound: fn(&str) -> bool,
}

/// The shapes that are looked for. Linear in the text, whatever it is.
pub struct Shapes(Vec<Shape>);

impl std::fmt::Debug for Shapes {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("Shapes").field(&self.0.len()).finish()
    }
}

type Row = (Class, &'static str, &'static str, fn(&str) -> bool);

/// Names, patterns (with the part that counts in a group, when it is not all) and what else must hold.
const ROWS: [Row; 16] = [
    (
        Class::Secret,
        "private_key",
        r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----(?s:.{0,8192}?-----END (?:[A-Z]+ )*PRIVATE KEY-----)?",
        any,
    ),
    (
        Class::Secret,
        "aws_access_key",
        r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b",
        mixed,
    ),
    (
        Class::Secret,
        "github_token",
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{60,255})\b",
        any,
    ),
    (
        Class::Secret,
        "gitlab_token",
        r"\bglpat-[A-Za-z0-9_-]{20,64}",
        any,
    ),
    (
        Class::Secret,
        "slack_token",
        r"\bxox[abprs]-[A-Za-z0-9-]{20,200}",
        any,
    ),
    (
        Class::Secret,
        "anthropic_key",
        r"\bsk-ant-[A-Za-z0-9_-]{20,200}",
        any,
    ),
    (
        Class::Secret,
        "openai_key",
        r"\bsk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{32,200}",
        mixed,
    ),
    (Class::Secret, "google_key", r"\bAIza[A-Za-z0-9_-]{35}", any),
    (
        Class::Secret,
        "stripe_key",
        r"\b(?:sk|rk)_live_[A-Za-z0-9]{16,128}\b",
        any,
    ),
    (
        Class::Secret,
        "json_web_token",
        r"\beyJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{16,2000}",
        any,
    ),
    (
        Class::Secret,
        "address_with_password",
        r"\b[a-z][a-z0-9+]{2,15}://[^\s:/@]{1,64}:([^\s:/@]{6,128})@[A-Za-z0-9.-]+",
        no_placeholder,
    ),
    (
        Class::Secret,
        "assignment",
        r#"(?i)\b[a-z0-9_]{0,40}(?:password|passwd|secret|api_?key|access_?key|auth_?token)["']?\s{0,3}[:=]\s{0,3}["']?([A-Za-z0-9+/_.!@#$%^&*=~-]{12,200})"#,
        random,
    ),
    (
        Class::Email,
        "email",
        r"\b[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,24}\b",
        real_address,
    ),
    (
        Class::Card,
        "card",
        r"\b[3-6]\d{3}[ -]?\d{4,6}[ -]?\d{4,5}(?:[ -]?\d{1,4})?\b",
        luhn,
    ),
    (
        Class::Iban,
        "iban",
        r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b",
        iban,
    ),
    (
        Class::SocialSecurity,
        "social_security",
        r"\b(\d{3}-\d{2}-\d{4})\b",
        social_security,
    ),
];

fn compiled() -> Result<Vec<Shape>, regex::Error> {
    ROWS.into_iter()
        .map(|(class, name, pattern, sound)| {
            Ok(Shape {
                class,
                name,
                pattern: Regex::new(pattern)?,
                sound,
            })
        })
        .collect()
}

impl Shapes {
    /// Every shape.
    ///
    /// # Errors
    /// Never, as a test compiles them.
    pub fn new() -> Result<Self, regex::Error> {
        /// Compiled once: a document has many policies that look for them, and is compiled often.
        static COMPILED: LazyLock<Result<Vec<Shape>, regex::Error>> = LazyLock::new(compiled);
        COMPILED.clone().map(Self)
    }

    /// Where the part of a text ends that a cut at its end cannot have damaged: before the words in which something may begin that went
    /// on, and would not be known any more.
    #[must_use]
    pub fn sound_until(&self, text: &str) -> usize {
        keep_from(text, &self.find(text), text.len())
    }

    /// All that is found, in order, without overlaps: of two at one place, the one that begins first, and of those the first in the list.
    #[must_use]
    pub fn find(&self, text: &str) -> Vec<Finding> {
        let mut found = Vec::new();
        for shape in &self.0 {
            for captures in shape.pattern.captures_iter(text) {
                let Some(whole) = captures.get(0) else {
                    continue;
                };
                let hit = captures.get(1).unwrap_or(whole);
                if (shape.sound)(hit.as_str()) {
                    found.push(Finding {
                        class: shape.class,
                        shape: shape.name,
                        context: whole.start(),
                        start: hit.start(),
                        end: hit.end(),
                    });
                }
            }
        }
        found.sort_by_key(|finding| finding.start);
        let mut end = 0;
        found.retain(|finding| {
            let keep = finding.start >= end;
            if keep {
                end = finding.end;
            }
            keep
        });
        found
    }
}

fn any(_: &str) -> bool {
    true
}

/// Letters and digits both: `sk-` begins words, and names in capitals are no keys.
fn mixed(text: &str) -> bool {
    text.bytes().filter(u8::is_ascii_digit).count() >= 2
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

fn no_placeholder(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ![
        "password", "passwd", "example", "changeme", "your", "xxxx", "****", "secret",
    ]
    .iter()
    .any(|word| lower.contains(word))
        && !text.starts_with(['$', '<', '{', '%'])
}

/// What looks made by a machine: several kinds of letters, or much disorder.
fn random(text: &str) -> bool {
    let kinds = [
        text.bytes().any(|byte| byte.is_ascii_lowercase()),
        text.bytes().any(|byte| byte.is_ascii_uppercase()),
        text.bytes().any(|byte| byte.is_ascii_digit()),
    ];
    let kinds = kinds.into_iter().filter(|kind| *kind).count();
    let is_code = text.contains("()")
        || text.contains("..")
        || text.starts_with("os.")
        || text.matches('.').count() >= 2;
    no_placeholder(text) && !is_code && kinds >= 2 && mixed(text) && distinct(text) >= 8
}

fn distinct(text: &str) -> usize {
    let mut bytes: Vec<u8> = text.bytes().collect();
    bytes.sort_unstable();
    bytes.dedup();
    bytes.len()
}

/// Addresses of documentation (RFC 2606) are nobody's.
fn real_address(text: &str) -> bool {
    let domain = text
        .rsplit('@')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let reserved = ["example.com", "example.org", "example.net"];
    !reserved.contains(&domain.as_str())
        && ![
            ".example", ".invalid", ".test", ".local", ".png", ".jpg", ".js",
        ]
        .iter()
        .any(|ending| domain.ends_with(ending))
}

fn digits(text: &str) -> Vec<u32> {
    text.chars()
        .filter_map(|letter| letter.to_digit(10))
        .collect()
}

/// The check digit of payment cards (ISO/IEC 7812-1).
fn luhn(text: &str) -> bool {
    let digits = digits(text);
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match (at % 2, digit * 2) {
            (0, _) => *digit,
            (_, double) if double > 9 => double - 9,
            (_, double) => double,
        })
        .sum();
    (13..=19).contains(&digits.len())
        && sum.is_multiple_of(10)
        && digits.iter().any(|digit| Some(digit) != digits.first())
}

/// The check digits of account numbers (ISO 13616).
fn iban(text: &str) -> bool {
    let letters: Vec<char> = text.chars().filter(|letter| *letter != ' ').collect();
    if !(15..=34).contains(&letters.len()) {
        return false;
    }
    let rest = letters
        .iter()
        .skip(4)
        .chain(letters.iter().take(4))
        .try_fold(0_u32, |rest, letter| {
            let value = letter.to_digit(36)?;
            Some(
                if value > 9 {
                    rest * 100 + value
                } else {
                    rest * 10 + value
                } % 97,
            )
        });
    rest == Some(1)
}

/// Numbers that are given out: no group of zeros, no 666, nothing from 900.
fn social_security(text: &str) -> bool {
    let mut groups = text.split('-');
    let (Some(area), Some(group), Some(serial)) = (groups.next(), groups.next(), groups.next())
    else {
        return false;
    };
    area != "000" && area != "666" && !area.starts_with('9') && group != "00" && serial != "0000"
}
