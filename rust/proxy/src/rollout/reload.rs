//! A document that is read again while a rollout runs, or after one.

use lockgate_config::Problem;
use lockgate_rollout::{Command, Stage};

use crate::core::Shared;

/// What becomes of a document that was read again and has no errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// It serves.
    Serve,
    /// It serves already.
    Nothing,
}

/// Whether a reload may serve a revision: not while a rollout runs, and not the one that the last rollout has replaced. `force` ends
/// the rollout and serves what the document says.
///
/// # Errors
/// What is in the way.
pub fn reload(shared: &Shared, id: &str, force: bool) -> Result<Reload, Problem> {
    let rollouts = &shared.rollouts;
    if force {
        // It may have ended by itself since.
        let _ = rollouts.command(shared, Command::Abort);
        rollouts.settle();
        return Ok(Reload::Serve);
    }
    if let Some((stage, candidate)) = rollouts.running() {
        if matches!(stage, Stage::Live | Stage::Bake) && *candidate == *id {
            return Ok(Reload::Nothing);
        }
        let message = format!("the rollout of revision {candidate:.12} runs; nothing was reloaded");
        return Err(Problem::in_file("document", message)
            .help("wait for its end, or run `lockgate reload --force`, which ends it"));
    }
    if rollouts.replaced().is_some_and(|replaced| *replaced == *id) {
        let message = format!("revision {id:.12} was replaced by a rollout; nothing was reloaded");
        return Err(Problem::in_file("document", message).help(
            "put the candidate in the place of the document, or run `lockgate reload --force` to go back",
        ));
    }
    rollouts.settle();
    Ok(Reload::Serve)
}
