//! A case file, read and checked: what is wrong with it is said before anything runs.

mod case;
mod cases;
mod gateway;
mod step;

use std::path::{Path, PathBuf};

use lockgate_config::{
    Loaded, Problem, RevisionId, Spanned, decode_with_empty, load_document, parse,
};
use lockgate_policy::{Revision, Secrets};

use crate::MAX_FILE_BYTES;
use crate::application::with_credentials;
use crate::file::{WrittenCase, WrittenFile};

pub use case::{Case, Step};
use cases::read_cases;
use gateway::source;

/// A case file with its gateway.
#[derive(Debug)]
pub struct Suite {
    /// The file.
    pub file: PathBuf,
    /// What its requests are sent to.
    pub gateway: Gateway,
    /// Its cases.
    pub cases: Vec<Case>,
}

/// The gateway of a case file.
#[derive(Debug)]
pub struct Gateway {
    /// Its file, or the case file that holds it.
    pub name: String,
    /// The id of the document as it was written.
    pub id: RevisionId,
    /// The document, with a key for each application that the cases call as.
    pub loaded: Loaded,
    /// The same, compiled without reading secrets.
    pub revision: Revision,
}

impl Suite {
    /// Reads a case file and its gateway; `gateway` takes the place of the one that the file names.
    ///
    /// # Errors
    /// Every problem of the file and of the gateway.
    pub fn read(file: &Path, gateway: Option<&Path>) -> Result<Self, Vec<Problem>> {
        let name = file.display().to_string();
        let text = text_of(file).map_err(|message| vec![Problem::in_file(&*name, message)])?;
        let node = parse(&name, &text).map_err(|problem| vec![problem])?;
        if node.get("lockgate").is_some() {
            let problem = Problem::in_file(name, "this is a gateway document, and no case file");
            return Err(vec![problem.help(
                "name a file with `cases`; `lockgate check` is for documents",
            )]);
        }
        let written: WrittenFile = decode_with_empty(&node)?;
        let (name, source) = source(file, written.gateway.as_ref(), gateway)?;
        let loaded = load_document(&source)?;
        let id = loaded.id.clone();
        let applications: Vec<&Spanned<String>> = written
            .cases
            .iter()
            .flat_map(WrittenCase::requests)
            .filter_map(|request| request.application.as_ref())
            .collect();
        let loaded = with_credentials(loaded, &applications)?;
        let (revision, _) = Revision::compile(loaded.clone(), Secrets::Skip)?;
        let cases = read_cases(written.cases, &revision)?;
        Ok(Self {
            file: file.to_owned(),
            gateway: Gateway {
                name,
                id,
                loaded,
                revision,
            },
            cases,
        })
    }
}

/// The text of a case file.
pub fn text_of(file: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("the file cannot be read: {error}");
    if std::fs::metadata(file).map_err(unreadable)?.len() > MAX_FILE_BYTES {
        return Err(format!("the file is larger than {MAX_FILE_BYTES} bytes"));
    }
    let bytes = std::fs::read(file).map_err(unreadable)?;
    String::from_utf8(bytes).map_err(|_| "the file is not UTF-8 text".to_owned())
}
