use std::fmt::Display;

use lockgate_fuzzing::near;
use serde::de::DeserializeOwned;

use super::*;

const SEEDS: &[&str] = &[
    "\"300ms\"",
    "\"7d\"",
    "\"64KiB\"",
    "\"1GiB\"",
    "12.5",
    "100",
];
const WORDS: &[&str] = &[
    "0",
    "9",
    "18446744073709551615",
    "ms",
    "s",
    "m",
    "h",
    "d",
    "B",
    "kB",
    "MiB",
    "GiB",
    "\"",
    " ",
    "-",
    "+",
    ".",
    "e9",
    "_",
    "\u{0663}",
];

fn reads_back<T: DeserializeOwned + Display + PartialEq>(text: &str) -> Option<T> {
    let read: T = serde_json::from_str(text).ok()?;
    let written = format!("\"{read}\"");
    assert!(
        serde_json::from_str::<T>(&written).is_ok_and(|again| again == read),
        "{written}"
    );
    Some(read)
}

#[test]
fn a_quantity_is_more_than_nothing_bounded_and_reads_back() {
    bolero::check!()
        .with_iterations(4_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let text = input.text();
            if let Some(duration) = reads_back::<Duration>(&text) {
                assert!((1..=MAX_DURATION_MS).contains(&duration.as_millis()));
            }
            if let Some(size) = reads_back::<ByteSize>(&text) {
                assert!((1..=MAX_SIZE).contains(&size.bytes()));
            }
            if let Ok(share) = serde_json::from_str::<Percent>(&text) {
                assert!((0.0..=100.0).contains(&share.get()));
            }
        });
}
