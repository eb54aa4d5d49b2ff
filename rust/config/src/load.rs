//! Files to one [`Document`]: reading, includes, and the canonical form.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::Base;
use crate::canonical::{RevisionId, canonical_node};
use crate::decode::decode;
use crate::document::Document;
use crate::node::{Key, Node, Value};
use crate::problem::Problem;
use crate::{DOCUMENT_VERSION, MAX_DOCUMENT_BYTES, read_file, yaml};

/// How many files one document may include.
const MAX_FILES: usize = 10_000;
/// The sections of which files may add further entries.
const JOINED: &[&str] = &[
    "listeners",
    "upstreams",
    "applications",
    "apis",
    "models",
    "policies",
];

/// Where a document comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A file; what it refers to is relative to its folder.
    File(PathBuf),
    /// A text with the name to show in problems; what it refers to is relative to `base`.
    Text {
        /// The name to show.
        name: String,
        /// YAML or JSON.
        text: String,
        /// The folder that references start from.
        base: PathBuf,
    },
}

impl Source {
    /// A file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::File(path.into())
    }

    /// What problems call it.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Text { name, .. } => name.clone(),
        }
    }

    /// The folder that references start from.
    fn folder(&self) -> PathBuf {
        match self {
            Self::File(path) => match path.parent() {
                Some(folder) => folder.to_path_buf(),
                None => PathBuf::from("."),
            },
            Self::Text { base, .. } => base.clone(),
        }
    }

    /// A text that refers to files of the current folder.
    pub fn text(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self::Text {
            name: name.into(),
            text: text.into(),
            base: PathBuf::from("."),
        }
    }
}

/// A document that was read: typed, with its canonical form.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The typed document.
    pub document: Document,
    /// Its canonical form.
    pub canonical: String,
    /// The SHA-256 of the canonical form.
    pub id: RevisionId,
    /// Where the files that it refers to come from.
    pub base: Base,
}

/// Reads a source with its includes.
///
/// # Errors
/// Every problem found.
pub fn load(source: &Source) -> Result<Document, Vec<Problem>> {
    load_document(source).map(|loaded| loaded.document)
}

/// Reads a source with its includes, its canonical form and the list of files.
///
/// # Errors
/// Every problem found.
pub fn load_document(source: &Source) -> Result<Loaded, Vec<Problem>> {
    let base = Base::folder(source.folder());
    let mut reader = Reader {
        bytes: 0,
        base: &base,
    };
    let mut root = reader.read(source).map_err(|problem| vec![problem])?;
    check_version(&root).map_err(|problem| vec![problem])?;
    let mut problems = Vec::new();
    if let Some((_, include)) = root.take("include") {
        for file in reader.included(&include, &mut problems) {
            match reader.read(&Source::File(file)) {
                Ok(part) => join(&mut root, part, &mut problems),
                Err(problem) => problems.push(problem),
            }
        }
    }
    match decode::<Document>(&root) {
        Ok(document) if problems.is_empty() => {
            let canonical = canonical_node(&root);
            let id = RevisionId::of(&canonical);
            for name in document.tls_files() {
                base.note(base.join(name));
            }
            Ok(Loaded {
                document,
                canonical,
                id,
                base,
            })
        }
        Ok(_) => Err(problems),
        Err(mut found) => {
            problems.append(&mut found);
            Err(problems)
        }
    }
}

fn check_version(root: &Node) -> Result<(), Problem> {
    let Some(version) = root.get("lockgate") else {
        let problem = Problem::new(&root.span, "the field `lockgate` is missing");
        if root.get("cases").is_some() {
            return Err(problem.help("these are cases: run them with `lockgate test`"));
        }
        return Err(problem.help(format!(
            "start the document with `lockgate: {DOCUMENT_VERSION}`"
        )));
    };
    match version.value {
        Value::Integer(1) => Ok(()),
        _ => Err(Problem::new(
            &version.span,
            format!("this build reads version {DOCUMENT_VERSION} of the document"),
        )
        .help(format!(
            "write `lockgate: {DOCUMENT_VERSION}`, or update Lockgate"
        ))),
    }
}

struct Reader<'a> {
    bytes: usize,
    base: &'a Base,
}

impl Reader<'_> {
    fn read(&mut self, source: &Source) -> Result<Node, Problem> {
        let name = source.name();
        let text = match source {
            Source::Text { text, .. } => text.clone(),
            Source::File(path) => {
                self.base.note(path.clone());
                let bytes = read_file(path, MAX_DOCUMENT_BYTES as u64)
                    .map_err(|error| unreadable(&name, &error))?;
                String::from_utf8(bytes)
                    .map_err(|_| Problem::in_file(&*name, "the file is not UTF-8 text"))?
            }
        };
        self.bytes = self.bytes.saturating_add(text.len());
        if self.bytes > MAX_DOCUMENT_BYTES {
            return Err(Problem::in_file(
                name,
                format!("the document is larger than {MAX_DOCUMENT_BYTES} bytes"),
            ));
        }
        let node = yaml::parse(&name, &text)?;
        if node.as_map().is_none() {
            return Err(Problem::new(
                &node.span,
                format!("expected a mapping, found {}", node.describe()),
            )
            .help("a document is fields with values, such as `lockgate: 1`"));
        }
        Ok(node)
    }

    fn included(&self, include: &Node, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
        let Value::List(items) = &include.value else {
            problems.push(Problem::new(
                &include.span,
                format!("expected a list of files, found {}", include.describe()),
            ));
            return Vec::new();
        };
        let mut files = Vec::new();
        for item in items.iter() {
            let Some(name) = item.as_text() else {
                problems.push(Problem::new(
                    &item.span,
                    format!("expected a file name, found {}", item.describe()),
                ));
                continue;
            };
            let path = self.base.join(name);
            if path.is_dir() {
                // Its time changes when a document is added to it.
                self.base.note(path.clone());
                match documents_in(&path) {
                    Ok(found) if found.is_empty() => problems.push(
                        Problem::new(&item.span, format!("the folder `{name}` holds no document"))
                            .help("put `.yaml`, `.yml` or `.json` files there, or take it out of `include`"),
                    ),
                    Ok(found) => files.extend(found),
                    Err(error) => problems.push(Problem::new(&item.span, format!("the folder `{name}` cannot be read: {error}"))),
                }
            } else if path.is_file() {
                files.push(path);
            } else {
                problems.push(Problem::new(
                    &item.span,
                    format!("there is no file or folder `{name}`"),
                ));
            }
        }
        if files.len() > MAX_FILES {
            problems.push(Problem::new(
                &include.span,
                format!("more than {MAX_FILES} files are included"),
            ));
            files.truncate(MAX_FILES);
        }
        files
    }
}

fn unreadable(name: &str, error: &std::io::Error) -> Problem {
    let problem = Problem::in_file(name, format!("the file cannot be read: {error}"));
    match error.kind() {
        std::io::ErrorKind::IsADirectory => problem.help(
            "name the document in it, such as `gateway.yaml`; a document joins the files of a folder by `include: [FOLDER]`",
        ),
        _ => problem,
    }
}

fn documents_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_document = path
            .extension()
            .is_some_and(|end| end == "yaml" || end == "yml" || end == "json");
        if is_document && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Adds the sections of an included file. A name that already exists is a problem: nothing is silently replaced.
fn join(root: &mut Node, part: Node, problems: &mut Vec<Problem>) {
    let Value::Map(sections) = part.value else {
        return;
    };
    for (key, section) in Arc::unwrap_or_clone(sections) {
        if key.name == "lockgate" {
            continue;
        }
        if !JOINED.contains(&key.name.as_str()) {
            let problem = Problem::unknown(&key.span, "section", &key.name, JOINED);
            problems.push(if key.name == "include" {
                Problem::new(&key.span, "an included file cannot include others")
                    .help("list all files in the first one")
            } else {
                problem
            });
            continue;
        }
        join_section(root, key, section, problems);
    }
}

fn join_section(root: &mut Node, key: Key, section: Node, problems: &mut Vec<Problem>) {
    let Value::Map(entries) = &mut root.value else {
        return;
    };
    let entries = Arc::make_mut(entries);
    let Some((_, present)) = entries.iter_mut().find(|(name, _)| name.name == key.name) else {
        entries.push((key, section));
        return;
    };
    match (&mut present.value, section.value) {
        (Value::Map(present), Value::Map(added)) => {
            let known: std::collections::HashMap<String, (String, u32)> = present
                .iter()
                .map(|(name, _)| {
                    (
                        name.name.clone(),
                        (name.span.file.to_string(), name.span.line),
                    )
                })
                .collect();
            let present = Arc::make_mut(present);
            for (name, value) in Arc::unwrap_or_clone(added) {
                match known.get(&name.name) {
                    Some((file, line)) => problems.push(
                        Problem::new(
                            &name.span,
                            format!("`{}` is already in `{}`", name.name, key.name),
                        )
                        .help(format!("it first stands at {file}:{line}; keep one")),
                    ),
                    None => present.push((name, value)),
                }
            }
        }
        (Value::List(present), Value::List(added)) => {
            Arc::make_mut(present).append(&mut Arc::unwrap_or_clone(added));
        }
        _ => problems.push(Problem::new(
            &key.span,
            format!(
                "`{}` has another shape here than in the first file",
                key.name
            ),
        )),
    }
}

#[cfg(test)]
#[path = "load_fuzz.rs"]
mod fuzz;
