use lockgate_fuzzing::near;

use super::*;

const SEEDS: &[&str] = &[
    r#"{"version":1,"date":"2026-11-25","currency":"USD","models":[{"dialect":"openai","model":"x","input":1,"cached":2,"output":3,"above":{"tokens":9,"input":1,"cache_write":4,"cache_write_hour":5,"output":2}}]}"#,
];
const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    ",",
    "\"",
    "18446744073709551615",
    "-1",
    "null",
    "\"cached\":0",
    "\u{e9}",
];

#[test]
fn a_list_that_is_read_prices_every_call() {
    bolero::check!()
        .with_iterations(2_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let _ = without_date(&input.text());
            let Ok(list) = PriceList::read(&input.text()) else {
                return;
            };
            for price in &list.models {
                assert!(list.of(price.dialect, &price.model).is_some());
                let usage = Usage {
                    input: Some(u64::MAX),
                    cached: Some(7),
                    cache_write: Some(9),
                    cache_write_hour: Some(5),
                    output: Some(u64::MAX),
                    ..Usage::default()
                };
                assert!(price.cost(&usage).is_some());
            }
        });
}
