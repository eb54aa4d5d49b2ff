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
    "\"0.25 USD\"",
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
    " USD",
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
            if let Some(money) = reads_back::<Money>(&text) {
                assert!((1..=MAX_MONEY).contains(&money.micros()));
            }
            if let Ok(share) = serde_json::from_str::<Percent>(&text) {
                assert!((0.0..=100.0).contains(&share.get()));
            }
        });
}

#[test]
fn money_is_dollars_to_the_millionth() {
    let read = |text: &str| serde_json::from_value::<Money>(text.into());
    for (text, micros, written) in [
        ("50 USD", 50_000_000, "50 USD"),
        ("0.5USD", 500_000, "0.5 USD"),
        ("0.000001 USD", 1, "0.000001 USD"),
    ] {
        let money = read(text).unwrap();
        assert_eq!(
            (money.micros(), money.to_string().as_str()),
            (micros, written)
        );
    }
    for (text, problem) in [
        (
            "50",
            "`50` is not in US dollars; write an amount such as `50 USD` or `0.25 USD`",
        ),
        (
            "50 EUR",
            "`50 EUR` is not in US dollars; write an amount such as `50 USD` or `0.25 USD`",
        ),
        (
            "0 USD",
            "`0 USD` is no money at all; write an amount such as `50 USD` or `0.25 USD`",
        ),
        (
            "1.0000001 USD",
            "`1.0000001 USD` has more than six decimals",
        ),
        (
            "-1 USD",
            "`-1 USD` is not an amount such as `50 USD` or `0.25 USD`",
        ),
        (
            "1. USD",
            "`1. USD` is not an amount such as `50 USD` or `0.25 USD`",
        ),
        (
            "9999999999 USD",
            "`9999999999 USD` is more than a thousand million dollars",
        ),
    ] {
        assert_eq!(read(text).unwrap_err().to_string(), problem);
    }
}
