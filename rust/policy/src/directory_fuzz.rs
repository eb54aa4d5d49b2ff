use lockgate_fuzzing::near;

use super::*;

const HASHES: &[&str] = &["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"];
const TIMES: &[&str] = &[
    "2027-01-15",
    "2027-01-15T08:00:00Z",
    "2027-01-15T08:00:00.5+01:00",
];
const WORDS: &[&str] = &[
    "+", "-", " ", "A", "0", "\u{663}", "T", "Z", ":", "9999", "[UTC]", "\n", "\u{e9}",
];

#[test]
fn a_hash_is_its_64_digits_and_nothing_else() {
    bolero::check!()
        .with_iterations(4_000)
        .with_generator(near(HASHES, WORDS))
        .for_each(|input| {
            let text = input.text();
            if let Some(hash) = read_hash(&text) {
                let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!(digits, text.to_ascii_lowercase());
            }
        });
    assert_eq!(read_hash(&"+1".repeat(32)), None);
}

#[test]
fn a_time_is_after_1970_and_reads_back() {
    bolero::check!()
        .with_iterations(2_000)
        .with_generator(near(TIMES, WORDS))
        .for_each(|input| {
            if let Some(time) = read_time(&input.text()) {
                let micros = i64::try_from(time.0).unwrap();
                let written = jiff::Timestamp::from_microsecond(micros)
                    .unwrap()
                    .to_string();
                assert_eq!(read_time(&written), Some(time));
            }
        });
}
