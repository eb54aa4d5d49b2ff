//! What a stage of a rollout is to its guard.

use serde::{Deserialize, Serialize};

use crate::moment::Moment;
use crate::settings::Needs;
use crate::share::Share;

/// What the arms are in a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "arms", rename_all = "snake_case")]
pub enum Phase {
    /// The candidate is evaluated beside the live revision and serves nobody.
    Shadow,
    /// It serves a share.
    Canary {
        /// What was asked for.
        share: Share,
        /// What it must not have more of.
        cap: Share,
    },
    /// It serves everybody.
    Alone,
}

/// A stage that has begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    pub phase: Phase,
    pub since: Moment,
    pub needs: Needs,
}
