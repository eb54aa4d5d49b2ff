//! The end of a text that comes in pieces: what of it is held while more may come.

use super::finding::Finding;

/// The longest piece that is held back in a stream. What is longer is cut there.
const MOST_HELD: usize = 10_000;
/// What of a private key comes before its end, which decides that all of it is held.
const KEY_BEGIN: &str = "-----BEGIN ";
const KEY_END: &str = "-----END ";

/// Where the part of a text begins that is held while more of it may come: some words before the end, before all of a key that has not
/// ended, and never within what is found.
pub(super) fn keep_from(text: &str, found: &[Finding], at_most: usize) -> usize {
    let mut keep = word_start(text).min(at_most);
    while !text.is_char_boundary(keep) {
        keep -= 1;
    }
    if let Some(begin) = text.rfind(KEY_BEGIN) {
        let rest = text.get(begin..).unwrap_or_default();
        let ended = rest
            .split_once(KEY_END)
            .is_some_and(|(_, end)| end.contains("-----"));
        if !ended && rest.len() <= MOST_HELD {
            keep = keep.min(begin);
        }
    }
    for finding in found {
        if finding.context < keep && keep < finding.end {
            keep = finding.context;
        }
    }
    keep
}

/// The beginning of the eighth word before the end: card and account numbers have at most as many groups.
fn word_start(text: &str) -> usize {
    let start = text
        .char_indices()
        .rev()
        .filter(|(_, letter)| letter.is_whitespace())
        .nth(8)
        .map_or(0, |(at, letter)| at + letter.len_utf8());
    if text.len() - start <= MOST_HELD {
        return start;
    }
    (text.len() - MOST_HELD..=text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(text.len())
}
