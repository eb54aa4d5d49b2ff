//! Changes of who may call, for a node that runs and for the state folder of one that does not.

use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use lockgate_config::{MAX_DOCUMENT_BYTES, load_directory, nearest, one_line, read_file};
use lockgate_generations::{Block, Blocks, Members, Opened, Revokes, Store};
use lockgate_policy::{Directory, read_hash};
use serde::Deserialize;

use crate::history::published;

/// The longest block. Whoever must be kept out for longer is revoked, or is the business of a policy (F19).
const MOST_SECONDS: u64 = 30 * 86_400;
/// The widest networks: a wider one is whole continents, and most often a slip.
const WIDEST: (u8, u8) = (8, 32);
const MOST_WHY: usize = 500;
const MOST_WHO: usize = 254;

/// What somebody wants blocked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// An address, a network, an application, or the SHA-256 of a credential.
    pub what: String,
    /// For how long.
    pub seconds: u64,
    /// Why.
    pub why: String,
    /// Who orders it.
    pub who: String,
    /// How many calls a minute are let through all the same.
    #[serde(default)]
    pub per_minute: Option<u32>,
}

impl Wanted {
    /// As it is kept.
    ///
    /// # Errors
    /// What to write instead.
    pub fn block(&self, served: Option<&Directory>, now: Timestamp) -> Result<Block, String> {
        let blocks = target(&self.what, served)?;
        if !(1..=MOST_SECONDS).contains(&self.seconds) {
            return Err(format!(
                "a block lasts from 1 second to 30 days, not {} seconds; refuse for ever with `lockgate directory revoke`, or with a policy",
                self.seconds
            ));
        }
        if self.why.trim().is_empty() || self.why.chars().count() > MOST_WHY {
            return Err(format!(
                "say why, in at most {MOST_WHY} characters: whoever looks later must know"
            ));
        }
        if self.who.chars().count() > MOST_WHO {
            return Err(format!("who orders it has at most {MOST_WHO} characters"));
        }
        if self.per_minute == Some(0) {
            return Err("0 calls a minute are none; leave the number out to refuse all".to_owned());
        }
        if self.per_minute.is_some() && matches!(blocks, Blocks::Credential(_)) {
            return Err(
                "a credential is refused, not slowed down; slow its application down".to_owned(),
            );
        }
        let lasts = SignedDuration::from_secs(i64::try_from(self.seconds).unwrap_or(i64::MAX));
        let until = now.checked_add(lasts).map_err(|error| error.to_string())?;
        Ok(Block {
            blocks,
            since: now,
            until,
            why: self.why.clone(),
            who: self.who.clone(),
            per_minute: self.per_minute,
        })
    }
}

/// What a block is about: 64 digits are a credential, an address or network is a source, everything else is an application.
///
/// # Errors
/// There is no such application in the directory that is served, or the network means too many.
pub fn target(what: &str, served: Option<&Directory>) -> Result<Blocks, String> {
    if let Some(network) = source(what)? {
        return Ok(Blocks::Source(network.to_string()));
    }
    Ok(match named(what, served)? {
        Revokes::Hash(digits) => Blocks::Credential(digits),
        Revokes::Application(id) => Blocks::Application(id),
    })
}

/// The network of a text that is one, in its only form.
fn source(what: &str) -> Result<Option<IpNet>, String> {
    let network = match (what.parse::<IpAddr>(), what.parse::<IpNet>()) {
        (Ok(address), _) => IpNet::from(address.to_canonical()),
        (_, Ok(network)) => network,
        _ => return Ok(None),
    };
    if network.trunc() != network {
        return Err(format!(
            "`{what}` has bits outside its network; write `{}` for the network or `{}` for the address",
            network.trunc(),
            network.addr()
        ));
    }
    let widest = match network {
        IpNet::V4(_) => WIDEST.0,
        IpNet::V6(network) if network.addr().to_ipv4_mapped().is_some() => {
            return Err(format!(
                "`{what}` is a network of IPv4 addresses; write it as one"
            ));
        }
        IpNet::V6(_) => WIDEST.1,
    };
    if network.prefix_len() < widest {
        return Err(format!(
            "`{what}` is {}; block at most a /{widest}, or use a policy",
            if network.prefix_len() == 0 {
                "everybody"
            } else {
                "too large a part of the Internet"
            }
        ));
    }
    Ok(Some(network))
}

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

/// Blocks in the state folder of a node that does not run; from its next start on it is refused.
///
/// # Errors
/// A node runs, it is refused, or the disk does not take it.
pub fn block_on_disk(state: &Path, wanted: &Wanted, now: Timestamp) -> Result<Block, String> {
    let block = wanted.block(None, now)?;
    let (mut members, _store) = open(state, now)?;
    members
        .block(block.clone(), now)
        .map_err(|error| error.to_string())?;
    Ok(block)
}

/// Ends a block in the state folder of a node that does not run.
///
/// # Errors
/// A node runs, there is no such block, or the disk does not take it.
pub fn unblock_on_disk(state: &Path, what: &str, now: Timestamp) -> Result<Block, String> {
    let (mut members, _store) = open(state, now)?;
    unblock(&mut members, what, now)
}

/// Ends a block.
///
/// # Errors
/// There is no such block, or the disk does not take it.
pub fn unblock(members: &mut Members, what: &str, now: Timestamp) -> Result<Block, String> {
    let ended = members
        .unblock(&target(what, None)?, now)
        .map_err(|error| format!("the disk does not take it: {error}"))?;
    ended.ok_or_else(|| format!("`{what}` is not blocked; `lockgate block list` shows what is"))
}

/// What is blocked, as the state folder knows it, whether its node runs or not.
///
/// # Errors
/// A newer Lockgate wrote it.
pub fn blocks_on_disk(state: &Path, now: Timestamp) -> Result<Vec<Block>, String> {
    // No floor: nobody is served by what is only read.
    let members = Members::open(state, 0).map_err(|error| error.to_string())?;
    let live = members.blocked().iter().filter(|block| block.is_live(now));
    Ok(live.cloned().collect())
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

#[cfg(test)]
#[path = "members_tests.rs"]
mod tests;
