//! Shares of callers.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A share in hundredths of a percent, from 0 to 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Share(u16);

/// A number that is no share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("`{0}` is no share; write hundredths of a percent from 0 to 10000, such as 500 for 5 %")]
pub struct NoShare(pub u16);

impl Share {
    /// Nobody.
    pub const NONE: Self = Self(0);
    /// Everybody.
    pub const ALL: Self = Self(10_000);

    /// Whole percents; more than 100 are 100.
    #[must_use]
    pub const fn percent(percent: u8) -> Self {
        Self(if percent > 100 { 100 } else { percent } as u16 * 100)
    }

    /// Hundredths of a percent.
    #[must_use]
    pub const fn hundredths(self) -> u16 {
        self.0
    }

    /// From 0 to 1.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }

    /// Twice as much, at most everything.
    #[must_use]
    pub const fn doubled(self) -> Self {
        if self.0 > 5_000 {
            Self::ALL
        } else {
            Self(self.0 * 2)
        }
    }
}

impl TryFrom<u16> for Share {
    type Error = NoShare;

    fn try_from(hundredths: u16) -> Result<Self, NoShare> {
        if hundredths > Self::ALL.0 {
            return Err(NoShare(hundredths));
        }
        Ok(Self(hundredths))
    }
}

impl From<Share> for u16 {
    fn from(share: Share) -> Self {
        share.0
    }
}

impl fmt::Display for Share {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 100, self.0 % 100);
        if rest == 0 {
            write!(formatter, "{whole} %")
        } else {
            write!(formatter, "{whole}.{rest:02} %")
        }
    }
}
