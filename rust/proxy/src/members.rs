//! Changes of who may call, for a node that runs and for the state folder of one that does not.

use std::path::Path;

use lockgate_config::{MAX_DOCUMENT_BYTES, load_directory, nearest, one_line, read_file};
use lockgate_generations::{Members, Opened, Revokes, Store};
use lockgate_policy::{Directory, read_hash};

use crate::history::published;

/// What a person wants revoked: 64 digits are a hash, everything else is an application.
///
/// # Errors
/// There is no such application in the directory that is served.
pub fn named(what: &str, served: Option<&Directory>) -> Result<Revokes, String> {
    if read_hash(what).is_some() {
        return Ok(Revokes::Hash(what.to_ascii_lowercase()));
    }
    let Some(directory) = served else {
        return Ok(Revokes::Application(what.to_owned()));
    };
    if directory.application(what).is_some() {
        return Ok(Revokes::Application(what.to_owned()));
    }
    let known = directory.ids();
    let help = nearest(what, &known).map_or_else(
        || "name an application, or the 64 digits of a SHA-256".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    Err(format!("there is no application `{what}`; {help}"))
}

/// Whether the directory that is served has what is revoked.
pub fn knows(directory: &Directory, revokes: &Revokes) -> bool {
    match revokes {
        Revokes::Hash(digits) => read_hash(digits).is_some_and(|hash| directory.has_hash(&hash)),
        Revokes::Application(id) => directory.application(id).is_some(),
    }
}

/// Publishes the directory of a file. Gives its sequence.
///
/// # Errors
/// It is refused, or the disk does not take it.
pub fn publish(members: &mut Members, path: &Path) -> Result<u64, String> {
    let name = path.display().to_string();
    let unreadable = |error: String| format!("{name}: the file cannot be read: {error}");
    let bytes = read_file(path, MAX_DOCUMENT_BYTES as u64)
        .map_err(|error| unreadable(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8".to_owned()))?;
    let document = load_directory(&name, &text).map_err(|found| one_line(&found))?;
    let applications = members
        .after(&document)
        .map_err(|problem| problem.to_string())?;
    // What does not compile must not be on disk: the next start would not get past it.
    published(&applications).map_err(|found| one_line(&found))?;
    members
        .publish(document.sequence, applications)
        .map_err(|error| format!("the disk does not take it: {error}"))?;
    Ok(document.sequence)
}

/// Revokes in the state folder of a node that does not run; from its next start on it is refused.
///
/// # Errors
/// A node runs, or the disk does not take it.
pub fn revoke_on_disk(state: &Path, what: &str, now: jiff::Timestamp) -> Result<Revokes, String> {
    let revokes = named(what, None)?;
    let (mut members, mut store) = open(state, now)?;
    members
        .revoke(&mut store, revokes.clone(), now)
        .map_err(|error| error.to_string())?;
    Ok(revokes)
}

/// Publishes in the state folder of a node that does not run.
///
/// # Errors
/// A node runs, it is refused, or the disk does not take it.
pub fn publish_on_disk(state: &Path, path: &Path, now: jiff::Timestamp) -> Result<u64, String> {
    let (mut members, _store) = open(state, now)?;
    publish(&mut members, path)
}

fn open(state: &Path, now: jiff::Timestamp) -> Result<(Members, Store), String> {
    let Opened { store, .. } = Store::open(state, now).map_err(|error| error.to_string())?;
    let members = Members::open(state, store.revocations()).map_err(|error| error.to_string())?;
    Ok((members, store))
}
