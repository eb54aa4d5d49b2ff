//! Takes the doc comment of each kind into the catalogue, so that what `lockgate policies` and the reference say is what stands
//! above the code.

// A build that cannot read its own sources has nothing better to do than to stop.
#![allow(clippy::expect_used)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let folder = Path::new("src/kinds");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut docs: Vec<(String, String)> = fs::read_dir(folder)
        .expect("src/kinds is there")
        .map(|entry| entry.expect("src/kinds can be listed").path())
        .filter_map(|path| {
            let name = path.file_stem()?.to_str()?.to_owned();
            let doc = doc_comment(&source(&path)?);
            doc.starts_with("# ").then_some((name, doc))
        })
        .collect();
    docs.sort();
    let mut code = String::from("&[\n");
    for (name, doc) in &docs {
        writeln!(code, "    ({name:?}, {doc:?}),").expect("a string takes all");
    }
    code.push(']');
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("kind_docs.rs"), code).expect("OUT_DIR can be written");
}

/// A kind is a file, or a folder with `mod.rs`.
fn source(path: &Path) -> Option<String> {
    let file = if path.is_dir() {
        path.join("mod.rs")
    } else {
        PathBuf::from(path)
    };
    fs::read_to_string(file).ok()
}

/// The `//!` lines at the top, without their marks.
fn doc_comment(source: &str) -> String {
    let lines: Vec<&str> = source
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    lines.join("\n")
}
