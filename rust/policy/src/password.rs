//! Passwords: argon2id hashes (RFC 9106) in PHC form.

use std::collections::{HashSet, VecDeque};

use argon2::password_hash::{PasswordHash, PasswordHasher as _, SaltString};
use argon2::{Algorithm, Argon2, Params, PasswordVerifier as _, Version};
use parking_lot::Mutex;
use ring::rand::{SecureRandom as _, SystemRandom};
use sha2::{Digest, Sha256};

/// The most memory that one check may take, in KiB.
const MAX_MEMORY: u32 = 256 * 1024;
/// The most passes over that memory.
const MAX_PASSES: u32 = 16;
/// The most lanes.
const MAX_LANES: u32 = 16;
/// How many proved passwords are remembered.
const REMEMBERED: usize = 1_024;

/// Why a password has no hash.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The password is empty.
    #[error("the password is empty")]
    Empty,
    /// The machine gives no random numbers.
    #[error("no random numbers are to be had")]
    Random,
    /// The hash could not be made.
    #[error("the hash cannot be made: {0}")]
    Hash(argon2::password_hash::Error),
}

/// The hash of a password as the directory holds it, with a new salt.
///
/// # Errors
/// The password is empty, or the machine has no random numbers or too little memory.
pub fn hash_password(password: &str) -> Result<String, PasswordError> {
    if password.is_empty() {
        return Err(PasswordError::Empty);
    }
    let mut salt = [0; 16];
    SystemRandom::new()
        .fill(&mut salt)
        .map_err(|_| PasswordError::Random)?;
    let salt = SaltString::encode_b64(&salt).map_err(PasswordError::Hash)?;
    let hash = argon2().hash_password(password.as_bytes(), &salt);
    Ok(hash.map_err(PasswordError::Hash)?.to_string())
}

fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default())
}

/// Whether a hash can be checked at a bounded cost.
///
/// # Errors
/// What is wrong with it, without repeating it.
pub fn check_hash(text: &str) -> Result<(), &'static str> {
    const FORM: &str = "this is not an argon2id hash";
    let hash = PasswordHash::new(text).map_err(|_| FORM)?;
    if hash.algorithm != argon2::ARGON2ID_IDENT || hash.salt.is_none() || hash.hash.is_none() {
        return Err(FORM);
    }
    if hash.version != Some(Version::V0x13 as u32) {
        return Err("this argon2id hash is not of version 19");
    }
    let params = Params::try_from(&hash).map_err(|_| FORM)?;
    if params.m_cost() > MAX_MEMORY || params.t_cost() > MAX_PASSES || params.p_cost() > MAX_LANES {
        return Err("this argon2id hash needs more than 256MiB, 16 passes or 16 lanes");
    }
    Ok(())
}

/// Checks passwords and remembers those that were right: argon2 is slow on purpose, and callers send theirs with each request.
///
/// What it remembers changes how long an answer takes and never what it is.
pub struct Verifier {
    /// A hash that no password has; unknown users cost as much as known ones.
    nobody: String,
    salt: [u8; 32],
    right: Mutex<Right>,
}

/// What was right, and in which order.
#[derive(Default)]
struct Right {
    known: HashSet<[u8; 32]>,
    order: VecDeque<[u8; 32]>,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

impl Verifier {
    /// A verifier; unknown users are checked with the cost of `typical`, a hash of the directory.
    pub fn new(typical: Option<&str>) -> Self {
        let params = typical
            .and_then(|text| PasswordHash::new(text).ok())
            .and_then(|hash| Params::try_from(&hash).ok())
            .unwrap_or_default();
        let mut salt = [0; 32];
        // Without random numbers the memory still works; what it holds is then easier to guess from a dump.
        let _ = SystemRandom::new().fill(&mut salt);
        Self {
            nobody: format!(
                "$argon2id$v=19$m={},t={},p={}$bm9ib2R5bm9ib2R5bg${}",
                params.m_cost(),
                params.t_cost(),
                params.p_cost(),
                "A".repeat(43)
            ),
            salt,
            right: Mutex::default(),
        }
    }

    /// Whether `password` is the one of `hash`; without a hash it does the work and says no.
    pub fn is_right(&self, user: &str, password: &[u8], hash: Option<&str>) -> bool {
        let Some(hash) = hash else {
            self.check(password, &self.nobody);
            return false;
        };
        let proof = self.proof(user, password, hash);
        if self.right.lock().known.contains(&proof) {
            return true;
        }
        let right = self.check(password, hash);
        if right {
            let mut memory = self.right.lock();
            if memory.known.insert(proof) {
                memory.order.push_back(proof);
            }
            if memory.order.len() > REMEMBERED
                && let Some(oldest) = memory.order.pop_front()
            {
                memory.known.remove(&oldest);
            }
        }
        right
    }

    fn check(&self, password: &[u8], hash: &str) -> bool {
        PasswordHash::new(hash).is_ok_and(|hash| argon2().verify_password(password, &hash).is_ok())
    }

    /// The lengths keep two different triples from reading the same.
    fn proof(&self, user: &str, password: &[u8], hash: &str) -> [u8; 32] {
        let mut digest = Sha256::new_with_prefix(self.salt);
        for part in [user.as_bytes(), password, hash.as_bytes()] {
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `open sesame`, with the least cost that argon2 takes.
    const CHEAP: &str = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0$";

    fn cheap(password: &str) -> String {
        let argon2 = Argon2::new(
            Algorithm::Argon2id,
            Version::V0x13,
            Params::new(8, 1, 1, None).unwrap(),
        );
        let salt = SaltString::from_b64("c2FsdHNhbHRzYWx0").unwrap();
        argon2
            .hash_password(password.as_bytes(), &salt)
            .unwrap()
            .to_string()
    }

    #[test]
    fn a_new_hash_is_checkable_and_right_for_its_password_only() {
        let hash = hash_password("open sesame").unwrap();
        assert_eq!(check_hash(&hash), Ok(()));
        assert_ne!(hash, hash_password("open sesame").unwrap());
        let verifier = Verifier::new(Some(&hash));
        assert!(verifier.is_right("ali", b"open sesame", Some(&hash)));
        assert!(!verifier.is_right("ali", b"open barley", Some(&hash)));
        assert!(hash_password("").is_err());
    }

    #[test]
    fn nobody_has_a_password_and_costs_as_much() {
        let hash = cheap("open sesame");
        assert!(hash.starts_with(CHEAP));
        let verifier = Verifier::new(Some(&hash));
        assert!(verifier.nobody.contains("$m=8,t=1,p=1$"));
        assert!(check_hash(&verifier.nobody).is_ok());
        assert!(!verifier.is_right("ali", b"open sesame", None));
    }

    #[test]
    fn the_memory_is_bounded_and_knows_only_what_was_right() {
        let hash = cheap("open sesame");
        let verifier = Verifier::new(Some(&hash));
        assert!(!verifier.is_right("ali", b"wrong", Some(&hash)));
        assert_eq!(verifier.right.lock().known.len(), 0);
        for user in 0..REMEMBERED + 10 {
            assert!(verifier.is_right(&user.to_string(), b"open sesame", Some(&hash)));
        }
        let memory = verifier.right.lock();
        assert_eq!(
            (memory.known.len(), memory.order.len()),
            (REMEMBERED, REMEMBERED)
        );
        drop(memory);
        // A remembered password does not open another user's door or outlive a change of the hash.
        assert!(!verifier.is_right("ali", b"open sesame", Some(&cheap("new"))));
    }

    #[test]
    fn hashes_that_cost_too_much_or_are_none_are_told() {
        let hash = cheap("x");
        for (text, expected) in [
            ("$argon2id$nonsense".to_owned(), "not an argon2id hash"),
            (hash.replace("argon2id", "argon2i"), "not an argon2id hash"),
            (hash.replace("v=19", "v=16"), "version 19"),
            (hash.replace("m=8", "m=999999"), "more than 256MiB"),
            (
                CHEAP.trim_end_matches('$').to_owned(),
                "not an argon2id hash",
            ),
        ] {
            assert!(check_hash(&text).unwrap_err().contains(expected), "{text}");
        }
    }
}

#[cfg(test)]
#[path = "password_fuzz.rs"]
mod fuzz;
