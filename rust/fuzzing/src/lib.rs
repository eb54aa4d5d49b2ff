//! Inputs for fuzz targets: sound texts, broken a little.
//!
//! Every parser of bytes that somebody else wrote has a target beside it, in a file that ends with `_fuzz.rs`. `cargo test` gives
//! each target some hundred inputs; `make fuzz SECONDS=60` gives each as much as fits into the time; and
//! `cargo bolero test -p CRATE TARGET --engine libfuzzer` follows the coverage for as long as it is left running.
//!
//! A target states what holds for every input, not only that nothing panics: what is accepted reads the same to a second reader,
//! a second pass changes nothing, what was taken out is gone.

use std::fmt;
use std::ops::Deref;

use bolero::{Driver, ValueGenerator};

/// The most changes to a text.
const MOST_EDITS: u8 = 8;
/// The longest input, in bytes.
const MOST_BYTES: usize = 64 * 1024;

/// What a target gets. Its debug form shows bytes as they are written in Rust, so that a finding can be pasted into a test.
#[derive(Clone, PartialEq, Eq)]
pub struct Input(Vec<u8>);

impl Input {
    /// The input as text, with a replacement character for what is none.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

impl Deref for Input {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// Inputs near texts that the parser knows.
#[derive(Debug, Clone)]
pub struct Near {
    seeds: Vec<Vec<u8>>,
    words: &'static [&'static str],
}

/// Inputs that come from one of `seeds` by a few changes, among them the insertion of one of `words`.
pub fn near<S: AsRef<[u8]>>(seeds: &[S], words: &'static [&'static str]) -> Near {
    Near {
        seeds: seeds.iter().map(|seed| seed.as_ref().to_vec()).collect(),
        words,
    }
}

impl Near {
    fn seed<D: Driver>(&self, driver: &mut D) -> Option<&[u8]> {
        let last = self.seeds.len().checked_sub(1)?;
        let at = (0..=last).generate(driver)?;
        self.seeds.get(at).map(Vec::as_slice)
    }

    fn change<D: Driver>(&self, driver: &mut D, text: &mut Vec<u8>) -> Option<()> {
        let at = (0..=text.len()).generate(driver)?;
        let room = MOST_BYTES.saturating_sub(text.len());
        let insert = |text: &mut Vec<u8>, bytes: &[u8]| {
            let bytes = bytes.iter().take(room).copied();
            text.splice(at..at, bytes);
        };
        match (0..=9_u8).generate(driver)? {
            0..=3 => {
                let last = self.words.len().checked_sub(1)?;
                let word = self.words.get((0..=last).generate(driver)?)?;
                insert(text, word.as_bytes());
            }
            4 => insert(text, &[driver.produce::<u8>()?]),
            5 => {
                let byte = driver.produce::<u8>()?;
                if let Some(place) = text.get_mut(at) {
                    *place = byte;
                }
            }
            6 => {
                let end = (at + (1..=8_usize).generate(driver)?).min(text.len());
                text.drain(at..end);
            }
            7 => {
                let end = (at + (1..=64_usize).generate(driver)?).min(text.len());
                let again = text.get(at..end)?.to_vec();
                insert(text, &again);
            }
            8 => text.truncate(at),
            _ => {
                let other = self.seed(driver)?;
                let from = (0..=other.len()).generate(driver)?;
                text.truncate(at);
                text.extend_from_slice(other.get(from..)?);
            }
        }
        Some(())
    }
}

impl ValueGenerator for Near {
    type Output = Input;

    fn generate<D: Driver>(&self, driver: &mut D) -> Option<Input> {
        let mut text = self.seed(driver)?.to_vec();
        for _ in 0..(0..=MOST_EDITS).generate(driver)? {
            self.change(driver, &mut text)?;
        }
        Some(Input(text))
    }
}
