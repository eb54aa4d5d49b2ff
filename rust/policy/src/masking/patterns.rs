//! What secrets look like. Every search takes time in proportion to the text (F1).

use std::ops::Range;
use std::sync::LazyLock;

use regex::{NoExpand, Regex};
use schemars::JsonSchema;
use serde::Deserialize;

/// A shape that the gateway knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Numbers of payment cards, in groups or not, whose check digit is right (ISO/IEC 7812-1).
    CardNumber,
    /// E-mail addresses.
    Email,
}

/// What is looked for.
#[derive(Debug)]
pub enum Pattern {
    /// A shape that the gateway knows.
    Shape(Shape),
    /// An expression of the document.
    Expression(Regex),
}

static EMAIL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let name = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]";
    let pattern = format!(r"{name}+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+");
    Regex::new(&pattern).ok()
});

impl Pattern {
    /// The text with all finds replaced; `None` when there is none.
    pub fn mask(&self, text: &str, replacement: &str) -> Option<String> {
        match self {
            Self::Shape(Shape::CardNumber) => replace(text, &card_numbers(text), replacement),
            Self::Shape(Shape::Email) => expression(EMAIL.as_ref()?, text, replacement),
            Self::Expression(regex) => expression(regex, text, replacement),
        }
    }
}

fn expression(regex: &Regex, text: &str, replacement: &str) -> Option<String> {
    match regex.replace_all(text, NoExpand(replacement)) {
        std::borrow::Cow::Borrowed(_) => None,
        std::borrow::Cow::Owned(masked) => Some(masked),
    }
}

fn replace(text: &str, found: &[Range<usize>], replacement: &str) -> Option<String> {
    let mut at = 0;
    let mut masked = String::with_capacity(text.len());
    for range in found {
        masked.push_str(text.get(at..range.start)?);
        masked.push_str(replacement);
        at = range.end;
    }
    masked.push_str(text.get(at..)?);
    (!found.is_empty()).then_some(masked)
}

/// Digits that stand together.
struct Group {
    place: Range<usize>,
    /// Whether it follows the group before it after one space or hyphen.
    joined: bool,
}

/// The places of card numbers, in order, without overlap.
fn card_numbers(text: &str) -> Vec<Range<usize>> {
    let groups = groups(text);
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = groups.get(at) {
        let mut digits = Vec::with_capacity(MOST_DIGITS);
        let mut end = None;
        for (ahead, group) in groups.iter().enumerate().skip(at) {
            if (ahead > at && !group.joined) || digits.len() + group.place.len() > MOST_DIGITS {
                break;
            }
            let bytes = text.as_bytes().get(group.place.clone()).unwrap_or_default();
            digits.extend(bytes.iter().map(|byte| byte - b'0'));
            if is_card_number(&digits) {
                end = Some((ahead, group.place.end));
            }
        }
        match end {
            Some((last, end)) => {
                found.push(first.place.start..end);
                at = last + 1;
            }
            None => at += 1,
        }
    }
    found
}

fn groups(text: &str) -> Vec<Group> {
    let bytes = text.as_bytes();
    let mut groups: Vec<Group> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = bytes.get(at..).unwrap_or_default();
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if length == 0 {
            at += 1;
            continue;
        }
        let joined = groups.last().is_some_and(|before| {
            let between = bytes.get(before.place.end..at);
            matches!(between, Some([b' ' | b'-']))
        });
        groups.push(Group {
            place: at..at + length,
            joined,
        });
        at += length;
    }
    groups
}

const MOST_DIGITS: usize = 19;

/// Issuer, length and check digit: without the first two, one in ten of all long numbers, such as times, would be one.
fn is_card_number(digits: &[u8]) -> bool {
    let start = |count: usize| {
        let first = digits.iter().take(count);
        first.fold(0_u32, |number, digit| number * 10 + u32::from(*digit))
    };
    let issued = match digits.len() {
        13 => start(1) == 4,
        14 => matches!(start(2), 36 | 38 | 39) || (300..=305).contains(&start(3)),
        15 => matches!(start(2), 34 | 37),
        16 => {
            matches!(start(1), 4 | 6)
                || matches!(start(2), 35 | 50..=59)
                || (2221..=2720).contains(&start(4))
        }
        17..=19 => matches!(start(1), 4 | 6) || matches!(start(2), 50 | 56..=58),
        _ => false,
    };
    issued && luhn(digits)
}

/// ISO/IEC 7812-1, annex B.
fn luhn(digits: &[u8]) -> bool {
    let weighed = digits.iter().rev().enumerate().map(|(place, digit)| {
        let digit = u32::from(*digit);
        match place % 2 {
            0 => digit,
            _ if digit > 4 => digit * 2 - 9,
            _ => digit * 2,
        }
    });
    weighed.sum::<u32>() % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cards(text: &str) -> Option<String> {
        Pattern::Shape(Shape::CardNumber).mask(text, "*")
    }

    #[test]
    fn card_numbers_are_found_by_issuer_length_and_check_digit() {
        for card in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "5555-5555-5555-4444",
            "378282246310005",
            "3782 822463 10005",
            "30569309025904",
            "2223003122003222",
            "3530111333300000",
        ] {
            assert_eq!(cards(card).as_deref(), Some("*"), "{card}");
            assert_eq!(cards(&format!("a {card}, b")).as_deref(), Some("a *, b"));
        }
        for other in [
            "4111111111111112",
            "1111111111111117",
            "1700000000000",
            "41111111111111110000000000",
            "4111  1111 1111 1111",
            "",
        ] {
            assert_eq!(cards(other), None, "{other}");
        }
    }

    #[test]
    fn a_card_number_among_other_numbers_is_found() {
        assert_eq!(
            cards("order 12 4111111111111111 7 and 5555 5555 5555 4444 1234").as_deref(),
            Some("order 12 * 7 and * 1234")
        );
    }

    #[test]
    fn addresses_are_found() {
        let mask = |text: &str| Pattern::Shape(Shape::Email).mask(text, "*");
        assert_eq!(
            mask("to <ada.l+x@mail.example.com>, b@c").as_deref(),
            Some("to <*>, b@c")
        );
        assert_eq!(mask("a at b"), None);
    }

    #[test]
    fn a_replacement_is_no_template() {
        let pattern = Pattern::Expression(Regex::new("(b)").unwrap());
        assert_eq!(pattern.mask("abc", "$1").as_deref(), Some("a$1c"));
    }
}
