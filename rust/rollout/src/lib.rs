//! The rollout of an approved revision: who gets it, what stops it, and when it is the last good one.
//!
//! Everything here is pure: each input carries its time, nothing reads a clock, and all state can be written down and read back.
//!
//! | part | what it answers |
//! |---|---|
//! | [`Arms`] | does this caller get the candidate? |
//! | [`Cap`], [`Ceiling`] | may it, even if the answer is wrong? |
//! | [`Guard`] | is the candidate worse? |
//! | [`Rollout`] | what comes next? |
//!
//! Where the statistics come from and what they cannot show stands in `docs/decisions`.
//!
//! ```
//! use lockgate_rollout::{Command, Moment, Plan, Rollout, Settings, Share, Stage};
//!
//! let noon = Moment::from_seconds(1_780_000_000);
//! let mut rollout = Rollout::new(Plan::default(), Settings::default(), noon)?;
//! rollout.command(noon, Command::Start)?;
//! rollout.command(noon.plus_seconds(60), Command::Promote).unwrap_err(); // nobody has reported traffic
//! rollout.command(noon.plus_seconds(61), Command::Abort)?;
//! assert_eq!((rollout.stage(), rollout.share()), (Stage::RolledBack, Share::NONE));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod arms;
mod bounds;
mod cap;
mod guard;
mod mixture;
mod moment;
mod observation;
mod plan;
mod rollout;
mod scale;
mod series;
mod settings;
mod share;
mod traffic;
mod verdict;

pub use arms::{Arm, Arms, Caller, ChosenAndExcluded};
pub use cap::{Cap, Ceiling};
pub use guard::{Guard, Phase};
pub use mixture::{NO_WORSE, WORSE};
pub use moment::Moment;
pub use observation::{
    BadEvent, Change, EventId, Exposure, HardStop, Metric, Observation, PairedDifference, Traffic,
};
pub use plan::{Plan, PlanError, Step};
pub use rollout::{Cause, Command, Refused, Rollout, Stage, Transition};
pub use settings::{Needs, Settings, SettingsError};
pub use share::{NoShare, Share};
pub use verdict::{ArmCounts, Bounds, EventRef, Evidence, Verdict, Waiting, Why};
