//! Who gets the candidate.
//!
//! A caller's place on the scale from 0 % to 100 % is a hash over the rollout's salt, so that it is the same on every node, after
//! every restart and in every release, and another one in the next rollout. A step takes all places below its share: who is in
//! at 1 % stays in at 5 %. Where the scale begins may be [turned](Arms::turned) before the first step, so that few callers do
//! not make a share of 5 % one of 2 %.

use std::collections::BTreeSet;
use std::hash::Hasher;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use siphasher::sip::SipHasher24;
use thiserror::Error;

use crate::scale::Scale;
use crate::share::Share;

/// Which revision serves a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// The candidate.
    Canary,
    /// The live revision.
    Control,
}

/// A caller as the guard counts it: the application, else the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Caller(pub u64);

impl Caller {
    fn hashed(key: &[u8; 16], kind: u8, bytes: &[u8]) -> Self {
        // SipHash-2-4 with a key that callers do not know: nobody can pick an address that is in the canary.
        let mut hasher = SipHasher24::new_with_key(key);
        hasher.write(&[kind]);
        hasher.write(bytes);
        Self(hasher.finish())
    }

    /// The place on the scale from 0 to all, in hundredths of a percent.
    fn place(self) -> u16 {
        // The upper half of the product is the hash on the scale of shares.
        let place = (u128::from(self.0) * u128::from(Share::ALL.hundredths())) >> 64;
        u16::try_from(place).unwrap_or_default()
    }

    /// A caller known by a name alone, outside a rollout: for notebooks and tests.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::hashed(&[0; 16], b'a', name.as_bytes())
    }
}

/// Applications that cannot be both.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is chosen for the canary and excluded from it; remove it from one of the lists")]
pub struct ChosenAndExcluded(pub String);

/// Who is in the canary of one rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arms {
    key: [u8; 16],
    /// Where the scale begins, in hundredths of a percent.
    #[serde(default)]
    turn: u16,
    chosen: BTreeSet<String>,
    excluded: BTreeSet<String>,
}

impl Arms {
    /// The arms of a rollout. `salt` is the rollout's id; `chosen` applications are in from the first step on, `excluded` ones
    /// never before the candidate is live.
    ///
    /// # Errors
    /// An application is in both lists.
    pub fn new(
        salt: &str,
        chosen: impl IntoIterator<Item = String>,
        excluded: impl IntoIterator<Item = String>,
    ) -> Result<Self, ChosenAndExcluded> {
        let chosen: BTreeSet<String> = chosen.into_iter().collect();
        let excluded: BTreeSet<String> = excluded.into_iter().collect();
        if let Some(both) = chosen.intersection(&excluded).next() {
            return Err(ChosenAndExcluded(both.clone()));
        }
        let digest = Sha256::new_with_prefix(b"lockgate rollout arms 1\0")
            .chain_update(salt.as_bytes())
            .finalize();
        let mut key = [0; 16];
        for (to, from) in key.iter_mut().zip(digest) {
            *to = from;
        }
        Ok(Self {
            key,
            turn: 0,
            chosen,
            excluded,
        })
    }

    /// The same arms with the scale begun elsewhere: where the steps' shares, of what these callers sent and of the callers
    /// themselves, come closest to what was asked for. Who fails plays no part, so neither arm has the better callers.
    #[must_use]
    pub fn turned(
        &self,
        traffic: impl IntoIterator<Item = (Caller, u64)>,
        steps: &[Share],
    ) -> Self {
        let named: BTreeSet<Caller> = self
            .chosen
            .union(&self.excluded)
            .map(|name| Caller::hashed(&self.key, b'a', name.as_bytes()))
            .collect();
        let divided = traffic
            .into_iter()
            .filter(|(caller, _)| !named.contains(caller))
            .map(|(caller, requests)| (caller.place(), requests));
        Self {
            turn: Scale::new(divided).best_turn(steps),
            ..self.clone()
        }
    }

    /// Whether an application gets the candidate only once it is live.
    #[must_use]
    pub fn excludes(&self, application: &str) -> bool {
        self.excluded.contains(application)
    }

    /// Whether some application does.
    #[must_use]
    pub fn has_excluded(&self) -> bool {
        !self.excluded.is_empty()
    }

    /// The caller of a request: its application, else its address; of IPv6 the /64 network, which one caller usually has as a whole.
    #[must_use]
    pub fn caller(&self, application: Option<&str>, client: IpAddr) -> Caller {
        match (application, client.to_canonical()) {
            (Some(application), _) => Caller::hashed(&self.key, b'a', application.as_bytes()),
            (None, IpAddr::V4(address)) => Caller::hashed(&self.key, b'4', &address.octets()),
            (None, IpAddr::V6(address)) => {
                let network = (address.to_bits() >> 64) as u64;
                Caller::hashed(&self.key, b'6', &network.to_be_bytes())
            }
        }
    }

    /// The arm of a request's caller while the canary has `share`. At 0 % nobody is in it, at 100 % everybody.
    #[must_use]
    pub fn arm(&self, share: Share, application: Option<&str>, client: IpAddr) -> Arm {
        if share == Share::NONE {
            return Arm::Control;
        }
        if share == Share::ALL {
            return Arm::Canary;
        }
        if let Some(application) = application {
            if self.excluded.contains(application) {
                return Arm::Control;
            }
            if self.chosen.contains(application) {
                return Arm::Canary;
            }
        }
        let place = self.caller(application, client).place();
        if (place + Share::ALL.hundredths() - self.turn) % Share::ALL.hundredths()
            < share.hundredths()
        {
            Arm::Canary
        } else {
            Arm::Control
        }
    }
}
