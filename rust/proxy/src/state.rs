//! What survives a restart: the use of quotas.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use lockgate_config::Problem;
use lockgate_policy::{Counters, Revision, SavedQuota, Timestamp};
use serde::{Deserialize, Serialize};

/// Not `.json`: `lockgate run` takes each change of such a file below the document for a change of the document.
const FILE: &str = "quotas.saved";

/// The form of the file; readers refuse what is newer.
#[derive(Serialize, Deserialize)]
struct Saved {
    v: u32,
    quotas: Vec<SavedQuota>,
}

/// The folder that a node keeps its state in.
#[derive(Debug, Clone)]
pub struct State {
    folder: PathBuf,
}

impl State {
    /// The folder that was `given`, or that the document names, with the use of quotas that was written there. Gives warnings: a quota that starts
    /// anew with each start, a file that cannot be read and was set aside.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn open(
        revision: &Revision,
        given: Option<&Path>,
        counters: &Counters,
        now: Timestamp,
    ) -> Result<(Option<Self>, Vec<Problem>), Problem> {
        let named = revision.document.node.state.as_ref();
        let folder = given
            .map(Path::to_owned)
            .or_else(|| Some(revision.base.join(named?)));
        let Some(folder) = folder else {
            let quota = revision
                .routes
                .iter()
                .flat_map(|route| route.chain.policies())
                .find(|policy| policy.kind.name == "quota");
            let warning = quota.map(|policy| {
                let message = format!(
                    "the quota `{}` starts anew with each start of the node",
                    policy.id
                );
                Problem::new(&policy.span, message)
                    .help("write `node: { state: FOLDER }` to keep what was used")
                    .warning()
            });
            return Ok((None, warning.into_iter().collect()));
        };
        let state = Self { folder };
        let unusable = |error: std::io::Error| {
            Problem::in_file(
                "document",
                format!(
                    "the state folder `{}` cannot be used: {error}",
                    state.folder.display()
                ),
            )
            .help("name a folder that this user can write")
        };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&state.folder)
            .map_err(unusable)?;
        let path = state.folder.join(FILE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok((Some(state), Vec::new()));
            }
            Err(error) => return Err(unusable(error)),
        };
        match serde_json::from_slice::<Saved>(&text) {
            Ok(saved) if saved.v == 1 => {
                counters.restore_quotas(saved.quotas, now);
                Ok((Some(state), Vec::new()))
            }
            _ => {
                let aside = path.with_extension("damaged");
                std::fs::rename(&path, &aside).map_err(unusable)?;
                let message = format!(
                    "the use of quotas in `{}` cannot be read; quotas start anew",
                    path.display()
                );
                let warning = Problem::in_file("document", message)
                    .help(format!("it was set aside as `{}`", aside.display()))
                    .warning();
                Ok((Some(state), vec![warning]))
            }
        }
    }

    /// Writes what was used. The file is whole at all times: it is written beside and put in its place at once.
    ///
    /// # Errors
    /// What the disk said.
    pub fn save(&self, counters: &Counters) -> std::io::Result<()> {
        let saved = Saved {
            v: 1,
            quotas: counters.snapshot_quotas(),
        };
        write_whole(&self.folder.join(FILE), &serde_json::to_vec(&saved)?)
    }
}

fn write_whole(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(text)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}
