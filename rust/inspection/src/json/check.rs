//! The checker: limits and key rules over the events of the reader.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::limits::JsonLimits;
use super::reader::{Event, Reader};
use super::violation::{JsonProblem, JsonViolation};

/// Checks one JSON text against the grammar of RFC 8259 and `limits` in one pass; stops at the first violation.
///
/// # Errors
/// The first violation, with the limit, the value seen, the byte offset and the pointer.
pub fn check(body: &[u8], limits: &JsonLimits) -> Result<(), JsonViolation> {
    let mut reader = Reader::new(body)?;
    let mut keys = KeysSeen::default();
    let mut tokens = 0_usize;
    while let Some(event) = reader.next()? {
        let problem = problem_of(&event, &reader, limits, &mut keys);
        if let Some(problem) = problem.or_else(|| count_token(&event, &mut tokens, limits.tokens)) {
            return Err(reader.violation(problem));
        }
    }
    Ok(())
}

fn count_token(event: &Event<'_>, tokens: &mut usize, limit: usize) -> Option<JsonProblem> {
    if !matches!(event, Event::Close) {
        *tokens += 1;
    }
    (*tokens > limit).then_some(JsonProblem::Tokens {
        limit,
        seen: *tokens,
    })
}

fn problem_of(
    event: &Event<'_>,
    reader: &Reader<'_>,
    limits: &JsonLimits,
    keys: &mut KeysSeen,
) -> Option<JsonProblem> {
    match event {
        Event::Open if reader.depth() > limits.depth => Some(JsonProblem::Depth {
            limit: limits.depth,
            seen: reader.depth(),
        }),
        Event::Key(key) => key_problem(key, reader, limits, keys),
        Event::Text(text) if text.len() > limits.string_bytes => Some(JsonProblem::StringBytes {
            limit: limits.string_bytes,
            seen: text.len(),
        }),
        Event::Number(seen) if *seen > limits.number_bytes => Some(JsonProblem::NumberBytes {
            limit: limits.number_bytes,
            seen: *seen,
        }),
        _ => None,
    }
    .or_else(|| items_problem(reader, limits))
}

fn items_problem(reader: &Reader<'_>, limits: &JsonLimits) -> Option<JsonProblem> {
    let frame = reader.frame()?;
    let over = !frame.is_object && frame.count > limits.array_items;
    over.then_some(JsonProblem::ArrayItems {
        limit: limits.array_items,
        seen: frame.count,
    })
}

fn key_problem(
    key: &str,
    reader: &Reader<'_>,
    limits: &JsonLimits,
    keys: &mut KeysSeen,
) -> Option<JsonProblem> {
    let frame = reader.frame()?;
    if frame.count > limits.object_keys {
        return Some(JsonProblem::ObjectKeys {
            limit: limits.object_keys,
            seen: frame.count,
        });
    }
    if key.len() > limits.key_bytes {
        return Some(JsonProblem::KeyBytes {
            limit: limits.key_bytes,
            seen: key.len(),
        });
    }
    let pollutes = !limits.allow_constructor_prototype
        && (frame.under_constructor && key == "prototype" || names_constructor_prototype(key));
    if pollutes || is_forbidden(key, &limits.forbidden_keys) {
        return Some(JsonProblem::ForbiddenKey { key: cut(key) });
    }
    match keys.note(frame.serial, key, limits) {
        Some(Earlier::Same) if !limits.allow_duplicate_keys => {
            Some(JsonProblem::DuplicateKey { key: cut(key) })
        }
        Some(Earlier::OtherCase) if !limits.allow_case_variant_keys => {
            Some(JsonProblem::CaseVariantKey { key: cut(key) })
        }
        _ => None,
    }
}

fn segments(key: &str) -> impl Iterator<Item = &str> {
    key.split(['.', '[', ']'])
        .filter(|segment| !segment.is_empty())
}

fn is_forbidden(key: &str, forbidden: &[String]) -> bool {
    forbidden.iter().any(|each| each == key)
        || segments(key).any(|segment| forbidden.iter().any(|each| each == segment))
}

fn names_constructor_prototype(key: &str) -> bool {
    let mut earlier = "";
    segments(key).any(|segment| {
        std::mem::replace(&mut earlier, segment) == "constructor" && segment == "prototype"
    })
}

fn cut(key: &str) -> String {
    key.chars().take(64).collect()
}

enum Earlier {
    Same,
    OtherCase,
}

/// Keys met, by the serial of their object and their case-folded form.
/// INVARIANT: memory is bounded by the body, as every entry is a key of it.
#[derive(Default)]
struct KeysSeen {
    by_folded: HashMap<(usize, String), Box<str>>,
}

impl KeysSeen {
    fn note(&mut self, object: usize, key: &str, limits: &JsonLimits) -> Option<Earlier> {
        if limits.allow_duplicate_keys && limits.allow_case_variant_keys {
            return None;
        }
        // Where case variants are allowed keys stand for themselves, so each entry holds one spelling.
        let folded = if limits.allow_case_variant_keys {
            key.to_owned()
        } else {
            fold(key)
        };
        match self.by_folded.entry((object, folded)) {
            Entry::Vacant(vacant) => {
                vacant.insert(key.into());
                None
            }
            Entry::Occupied(first) if **first.get() == *key => Some(Earlier::Same),
            Entry::Occupied(_) => Some(Earlier::OtherCase),
        }
    }
}

/// Case folding as lenient decoders do it: by way of upper case, so that `ſ` and `K` (Kelvin) meet `s` and `k`.
fn fold(key: &str) -> String {
    if key.is_ascii() {
        key.to_ascii_lowercase()
    } else {
        key.to_uppercase().to_lowercase()
    }
}
