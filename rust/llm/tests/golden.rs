//! What every request becomes for every provider, and every answer for every caller. The expected texts stand in `tests/golden`;
//! `LOCKGATE_BLESS=1` writes them anew, to be read before they are committed.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};

use lockgate_llm::{
    ClientStream, Dialect, Ending, Stamp, Surface, UpstreamStream, read_chat, read_response,
    write_chat, write_response,
};
use serde_json::Value;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

fn inputs(name: &str) -> Vec<(String, PathBuf)> {
    let mut found: Vec<_> = fs::read_dir(folder(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending != "txt"))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path))
        .collect();
    found.sort();
    found
}

fn expect(path: &Path, found: &str) {
    let path = path.with_extension("txt");
    if std::env::var_os("LOCKGATE_BLESS").is_some() {
        fs::write(&path, found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(expected, found, "{}", path.display());
}

fn pretty(body: &[u8]) -> String {
    let value: Value = serde_json::from_slice(body).unwrap();
    serde_json::to_string_pretty(&value).unwrap()
}

fn stamp() -> Stamp {
    Stamp {
        id: "c0ffee".into(),
        now: 1_700_000_100,
        model: "fast".into(),
    }
}

/// The models of which each dialect's rules are shown.
const MODELS: [(Dialect, &str); 8] = [
    (Dialect::Openai, "gpt-5"),
    (Dialect::Anthropic, "claude-sonnet-4-5"),
    (Dialect::Anthropic, "claude-opus-5-5"),
    (Dialect::Gemini, "gemini-2.5-flash"),
    (Dialect::Gemini, "gemini-3-pro"),
    (Dialect::Mistral, "mistral-large-latest"),
    (Dialect::Ollama, "llama3.2"),
    (Dialect::Moonshot, "kimi-k2.6"),
];

#[test]
fn requests_become_what_providers_take() {
    for (name, path) in inputs("requests") {
        let surface = Surface::ALL
            .into_iter()
            .find(|surface| name.starts_with(&format!("{}.", surface.name())))
            .unwrap();
        let body = fs::read(&path).unwrap();
        let request = read_chat(surface, Some("fast"), false, &body).unwrap();
        let mut found = String::new();
        for (dialect, model) in MODELS {
            found += &format!("=== {} {model}\n", dialect.name());
            match write_chat(&request, &body, dialect, model) {
                Ok(outgoing) => {
                    found += &format!("{}\n", outgoing.path);
                    found += &format!("losses: {}\n", outgoing.losses.header().unwrap_or_default());
                    match outgoing.body {
                        Some(body) => found += &pretty(&body),
                        None => found += "as it came",
                    }
                }
                Err(failure) => found += &format!("{} {failure}", failure.status),
            }
            found += "\n\n";
        }
        expect(&path, &found);
    }
}

#[test]
fn answers_become_what_callers_read() {
    for (name, path) in inputs("answers") {
        let dialect = Dialect::of_name(name.split('.').next().unwrap()).unwrap();
        let body = fs::read(&path).unwrap();
        let mut found = String::new();
        for surface in Surface::ALL {
            found += &format!("=== {}\n", surface.name());
            if path.extension().unwrap() == "json" {
                let response = read_response(dialect, "c0ffee", &body).unwrap();
                match write_response(
                    surface,
                    &response,
                    &stamp(),
                    surface.native() == Some(dialect),
                ) {
                    Ok((body, losses)) => {
                        found += &format!("losses: {}\n", losses.header().unwrap_or_default());
                        found += &pretty(&body);
                    }
                    Err(failure) => found += &format!("{} {failure}", failure.status),
                }
            } else {
                let mut upstream = UpstreamStream::new(dialect, "c0ffee");
                let mut client = ClientStream::new(surface, stamp(), true);
                let (mut events, mut out) = (Vec::new(), Vec::new());
                upstream.feed(&body, &mut events);
                upstream.end(Ending::Clean, &mut events);
                for event in &events {
                    client.write(event, &mut out);
                }
                found += &format!("losses: {}\n", client.losses().header().unwrap_or_default());
                found += &String::from_utf8(out).unwrap();
            }
            found += "\n\n";
        }
        expect(&path, &found);
    }
}
