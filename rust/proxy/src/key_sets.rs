//! What issuers publish now: for a replay, which otherwise knows what they published when it was recorded (F18).

use std::io;
use std::sync::Arc;

use lockgate_policy::{Fact, FactRequest, Revision};

use crate::clock::Clock;
use crate::facts::Facts;
use crate::upstream::Forbidden;

/// Fetches the key sets that a revision's policies ask for, as a node does, private addresses included only where the document allows
/// them. One that cannot be had is a fact, too.
///
/// # Errors
/// The machine has no means to ask.
pub fn fetch_key_sets(revision: &Revision) -> io::Result<Vec<(Arc<str>, Fact)>> {
    let endpoints = revision.key_sets();
    if endpoints.is_empty() {
        return Ok(Vec::new());
    }
    let forbidden = Forbidden {
        admin: Some(revision.document.admin.bind),
    };
    let facts = Facts::new(forbidden, Clock::default());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let fetched = endpoints.into_iter().map(|endpoint| {
        let url = endpoint.url.clone();
        let wanted = FactRequest::Keys { endpoint };
        (url, runtime.block_on(facts.get(&wanted)))
    });
    Ok(fetched.collect())
}
