//! Many case files, run together.

use std::path::{Path, PathBuf};

use lockgate_config::{Problem, parse};
use lockgate_policy::Timestamp;
use serde::Serialize;

use crate::MAX_FILES;
use crate::coverage::Coverage;
use crate::run::CaseReport;
use crate::suite::{Suite, text_of};

/// How all files went.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The files, in the order in which they were named.
    pub files: Vec<FileReport>,
    /// What was seen of each gateway.
    pub coverage: Vec<Coverage>,
}

/// How a file went.
#[derive(Debug, Clone, Serialize)]
pub struct FileReport {
    /// The file.
    pub file: String,
    /// Its gateway.
    pub gateway: String,
    /// Its cases.
    pub cases: Vec<CaseReport>,
}

impl Report {
    /// Runs files, and all case files in folders; `gateway` takes the place of the one that each file names.
    ///
    /// # Errors
    /// Every problem of every file: then nothing counts as run.
    pub fn run(
        paths: &[PathBuf],
        gateway: Option<&Path>,
        now: Timestamp,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut report = Self {
            files: Vec::new(),
            coverage: Vec::new(),
        };
        for file in case_files(paths).map_err(|problem| vec![problem])? {
            match Suite::read(&file, gateway) {
                Ok(suite) => report.add(&suite, now),
                Err(mut found) => problems.append(&mut found),
            }
        }
        if problems.is_empty() {
            Ok(report)
        } else {
            Err(problems)
        }
    }

    fn add(&mut self, suite: &Suite, now: Timestamp) {
        let cases = suite.run(now);
        let at = self.coverage.iter().position(|known| known.is_of(suite));
        let at = at.unwrap_or_else(|| {
            self.coverage.push(Coverage::of(suite));
            self.coverage.len() - 1
        });
        if let Some(coverage) = self.coverage.get_mut(at) {
            cases
                .iter()
                .flat_map(|case| &case.traces)
                .for_each(|trace| coverage.add(trace));
        }
        self.files.push(FileReport {
            file: suite.file.display().to_string(),
            gateway: suite.gateway.name.clone(),
            cases,
        });
    }
}

/// The files that `paths` name; of folders, the YAML and JSON files at any depth that have `cases`.
///
/// # Errors
/// A folder that cannot be read, or that holds no case file.
pub fn case_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Problem> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let before = files.len();
        let unreadable = |error: std::io::Error| {
            let message = format!("the folder cannot be read: {error}");
            Problem::in_file(path.display().to_string(), message)
        };
        add_folder(path, &mut files).map_err(unreadable)?;
        if files.len() == before {
            let problem =
                Problem::in_file(path.display().to_string(), "the folder holds no case file");
            return Err(problem.help("a case file is a YAML file with `cases`"));
        }
    }
    if files.len() > MAX_FILES {
        return Err(Problem::in_file(
            "paths",
            format!("more than {MAX_FILES} case files"),
        ));
    }
    Ok(files)
}

fn add_folder(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        entries.push((entry.path(), entry.file_type()?));
    }
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (path, kind) in entries {
        if files.len() > MAX_FILES {
            return Ok(());
        }
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        // A link is not followed: folders could then contain one another.
        if kind.is_dir() && !hidden {
            add_folder(&path, files)?;
        } else if kind.is_file() && has_cases(&path) {
            files.push(path);
        }
    }
    Ok(())
}

/// Whether a file is meant to be a case file. One that cannot be read as YAML counts when it looks like one.
fn has_cases(path: &Path) -> bool {
    let yaml = path
        .extension()
        .is_some_and(|end| end == "yaml" || end == "yml" || end == "json");
    yaml && text_of(path).is_ok_and(|text| match parse("", &text) {
        Ok(node) => node.get("cases").is_some(),
        Err(_) => text.lines().any(|line| line.starts_with("cases:")),
    })
}
