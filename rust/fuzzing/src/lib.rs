//! Inputs for fuzz targets: sound texts, broken a little.
//!
//! Every parser of bytes that somebody else wrote has a target beside it, in a file that ends with `_fuzz.rs`. `cargo test` gives
//! each target some hundred inputs; `make fuzz SECONDS=60` gives each as much as fits into the time; and
//! `cargo bolero test -p CRATE TARGET --engine libfuzzer` follows the coverage for as long as it is left running.
//!
//! A target states what holds for every input, not only that nothing panics: what is accepted reads the same to a second reader,
//! a second pass changes nothing, what was taken out is gone.
//!
//! | who wrote the bytes | what is read | target |
//! |---|---|---|
//! | callers | where messages begin and end | `proxy/src/listen/framing_fuzz.rs` |
//! | callers | host, target | `proxy/src/request_fuzz.rs` |
//! | callers | what is taken out of query and cookies | `policy/src/forwarding_fuzz.rs` |
//! | callers | paths | `policy/src/canonical_fuzz.rs`, `policy/src/router_fuzz.rs` |
//! | callers | fields, aliases, `Connection`, cookies | `proxy/src/hygiene_fuzz.rs`, `policy/src/request_fuzz.rs` |
//! | callers | `X-Forwarded-For`, `traceparent` | `proxy/src/client_address_fuzz.rs`, `proxy/src/trace_fuzz.rs` |
//! | callers | certificates | `proxy/src/listen/tls_fuzz.rs` |
//! | callers | tokens and claims | `policy/src/bearer_fuzz.rs`, `policy/src/jose_fuzz.rs` |
//! | callers | passwords and signatures | `policy/src/kinds/basic_auth_fuzz.rs`, `policy/src/signatures_fuzz.rs` |
//! | callers | bodies | `inspection/src/json/json_fuzz.rs`, `inspection/src/xml/xml_fuzz.rs`, `inspection/src/graphql/graphql_fuzz.rs` |
//! | callers | values that hold attacks | `inspection/src/injection/injection_fuzz.rs` |
//! | callers | what must not be recorded | `recording/src/redact_fuzz.rs` |
//! | callers | chats, embeddings | `llm/src/chat_fuzz.rs`, `llm/src/embeddings_fuzz.rs` |
//! | callers, authors | variables of published prompts, their texts | `llm/src/template/template_fuzz.rs` |
//! | callers | prompts that are guarded | `llm/src/guard/guard_fuzz.rs` |
//! | providers | answers, errors, streams | `llm/src/answer_fuzz.rs`, `llm/src/stream_fuzz.rs` |
//! | services | what may be kept | `proxy/src/cache/fuzz.rs` |
//! | issuers | key sets, answers about tokens | `policy/src/keys_fuzz.rs`, `proxy/src/facts_fuzz.rs` |
//! | disks | segments of recordings | `recording/src/read_fuzz.rs` |
//! | disks | certificates and keys | `proxy/src/tls_fuzz.rs`, `policy/src/signature_key_fuzz.rs` |
//! | authors | documents | `config/src/load_fuzz.rs`, `config/src/quantity_fuzz.rs`, `config/src/secret_fuzz.rs` |
//! | authors | rules over payloads | `inspection/src/injection/rules/rules_fuzz.rs` |
//! | authors | prices | `llm/src/price_fuzz.rs` |
//! | authors | conditions | `policy/src/condition_fuzz.rs` |
//! | authors | hashes, times, URLs | `policy/src/directory_fuzz.rs`, `policy/src/password_fuzz.rs`, `policy/src/endpoint_fuzz.rs` |

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

#[cfg(test)]
mod tests {
    use std::path::Path;

    fn targets(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                targets(&path, found);
            } else if path.to_string_lossy().ends_with("_fuzz.rs") {
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }

    #[test]
    fn the_table_above_names_every_target_and_no_other() {
        let rust = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut found = Vec::new();
        targets(rust, &mut found);
        let mut found: Vec<&str> = found
            .iter()
            .map(|path| path.strip_prefix(&*rust.to_string_lossy()).unwrap())
            .map(|path| path.trim_start_matches('/'))
            .collect();
        found.sort_unstable();
        let table = include_str!("lib.rs")
            .lines()
            .filter(|line| line.starts_with("//! |"));
        let mut named: Vec<&str> = table
            .flat_map(|line| line.split('`'))
            .filter(|word| word.ends_with("_fuzz.rs"))
            .collect();
        named.sort_unstable();
        assert_eq!(named, found);
    }
}
