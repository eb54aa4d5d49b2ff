//! The keys for a provider, which share its calls.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http::HeaderValue;
use lockgate_config::{ModelTarget as Settings, Problem, Secret, Spanned};
use lockgate_policy::Secrets;

use crate::clock::since_start;
use crate::upstream::Building;

/// How long a key rests that was refused.
const REFUSED: Duration = Duration::from_secs(60);
/// How long a key rests that has used up its limit, when the provider does not say.
const USED_UP: Duration = Duration::from_secs(5);
/// The longest that a provider can make a key rest.
const LONGEST: Duration = Duration::from_secs(600);

/// The keys for a provider. None where it asks for none.
#[derive(Debug, Default)]
pub struct Keys {
    keys: Vec<Key>,
    turn: AtomicUsize,
}

#[derive(Debug)]
struct Key {
    /// The key; the text of it where that is all one knows, marked as secret.
    value: HeaderValue,
    /// Until when it rests, by the clock of [`now`].
    rests_until: AtomicU64,
}

/// A key by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(usize);

impl Keys {
    /// Reads the keys of a target; a check reads none.
    ///
    /// # Errors
    /// `key` beside `keys`, none where the provider needs one, and those that cannot be read.
    pub fn read(target: &Spanned<Settings>, building: &Building<'_>) -> Result<Self, Vec<Problem>> {
        if let (Some(key), false) = (&target.key, target.keys.is_empty()) {
            let problem = Problem::new(&key.span, "a target has `key` or `keys`, not both");
            return Err(vec![problem.help("write all of them under `keys`")]);
        }
        let written = || target.key.iter().chain(target.keys.iter());
        if written().next().is_none() && target.provider.needs_key() && target.url.is_none() {
            let message = format!("`{}` answers nobody without a key", target.provider.name());
            let help = format!(
                "write `key: \"${{env:{}_API_KEY}}\"`",
                target.provider.name().to_uppercase()
            );
            return Err(vec![Problem::new(&target.span, message).help(help)]);
        }
        let (mut keys, mut problems) = (Vec::new(), Vec::new());
        for secret in written() {
            if let Some(file) = secret.file() {
                building.base.note(building.base.join(file));
            }
            if building.secrets == Secrets::Read {
                match read(secret, building) {
                    Ok(value) => keys.push(Key {
                        value,
                        rests_until: AtomicU64::new(0),
                    }),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        if problems.is_empty() {
            let turn = AtomicUsize::new(0);
            Ok(Self { keys, turn })
        } else {
            Err(problems)
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// The next key that does not rest; when all do, the one that rests least. `None` when there is none.
    pub fn next(&self) -> Option<(Place, &HeaderValue)> {
        let now = since_start();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let rest = |place: usize| {
            let until = |key: &Key| key.rests_until.load(Ordering::Relaxed);
            self.keys
                .get(place)
                .map_or(u64::MAX, until)
                .saturating_sub(now)
        };
        let count = self.keys.len();
        let place = (0..count)
            .map(|step| turn.wrapping_add(step) % count)
            .min_by_key(|place| rest(*place))?;
        Some((Place(place), &self.keys.get(place)?.value))
    }

    /// Lets a key rest that the provider refused, or that has used up its limit for `wait`. Gives whether another one is fresh.
    pub fn rest(&self, Place(place): Place, status: u16, wait: Option<Duration>) -> bool {
        let wait = match status {
            401 | 403 => REFUSED,
            429 => wait.unwrap_or(USED_UP).min(LONGEST),
            _ => return false,
        };
        let now = since_start();
        let until = now.saturating_add(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX));
        if let Some(key) = self.keys.get(place) {
            key.rests_until.store(until, Ordering::Relaxed);
        }
        let fresh = |key: &Key| key.rests_until.load(Ordering::Relaxed) <= now;
        self.keys.iter().any(fresh)
    }
}

fn read(secret: &Spanned<Secret>, building: &Building<'_>) -> Result<HeaderValue, Problem> {
    let bytes = secret.read(building.base.path()).map_err(|error| {
        Problem::new(
            &secret.span,
            format!("the secret `{}`: {error}", secret.value),
        )
    })?;
    let mut value = HeaderValue::from_bytes(&bytes).map_err(|_| {
        let message = format!(
            "the secret `{}` cannot be sent in a header field",
            secret.value
        );
        Problem::new(&secret.span, message).help("it must be one line of visible characters")
    })?;
    value.set_sensitive(true);
    Ok(value)
}
