//! The directory: applications and the hashes of their credentials.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use lockgate_config::{Document, Entries, Problem, Spanned};
use sha2::{Digest, Sha256};

use crate::hex::read_hash;
use crate::identity::Application;
use crate::password::check_hash;
use crate::time::Timestamp;

/// Who may call.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    applications: HashMap<Arc<str>, Arc<Application>>,
    /// By SHA-256, which needs no further hashing against collisions that somebody chose.
    keys: HashMap<[u8; 32], Credential, foldhash::fast::RandomState>,
    users: HashMap<String, User>,
    certificates: HashMap<[u8; 32], Arc<Application>>,
    names: HashMap<String, Arc<Application>>,
    clients: HashMap<String, Arc<Application>>,
    revoked_certificates: HashSet<[u8; 32]>,
    /// SHA-256 of keys and certificates that are refused until a time.
    blocked: HashMap<[u8; 32], Timestamp>,
}

/// What was revoked. It stays revoked whatever revision or directory comes or comes back (H17).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revoked {
    /// SHA-256 of API keys and certificates.
    pub hashes: HashSet<[u8; 32]>,
    /// Applications, with all that they identify themselves with.
    pub applications: HashSet<String>,
}

#[derive(Debug, Clone)]
struct Credential {
    application: Arc<Application>,
    expires: Option<Timestamp>,
}

/// A user name with its password.
#[derive(Debug, Clone)]
pub struct User {
    /// The name.
    pub name: Arc<str>,
    /// The argon2 hash of the password.
    pub hash: Arc<str>,
    /// Whose it is.
    pub application: Arc<Application>,
}

impl User {
    /// A hash of the hash: it tells whether two passwords are one without giving anybody the hash to try words on.
    pub fn hash_of_hash(&self) -> Arc<str> {
        crate::hex::hex(&Sha256::digest(self.hash.as_bytes())).into()
    }
}

/// What a look-up of an API key found.
#[derive(Debug, Clone)]
pub enum KeyLookup {
    /// A live key.
    Live(Arc<Application>),
    /// A key whose time is over.
    Expired,
    /// The application is suspended.
    Suspended,
    /// The key is blocked until this time.
    Blocked(Timestamp),
    /// No such key.
    Unknown,
}

impl Directory {
    /// Builds the directory of a document.
    pub fn compile(document: &Document, problems: &mut Vec<Problem>) -> Self {
        Self::of(&document.applications, problems)
    }

    /// Builds the directory of these applications.
    pub fn of(
        applications: &Entries<lockgate_config::Application>,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut directory = Self::default();
        for entry in applications {
            let settings = &entry.value;
            let application = Arc::new(Application {
                id: Arc::from(entry.id.as_str()),
                team: settings.team.as_deref().map(Arc::from),
                plan: settings.plan.as_deref().map(Arc::from),
                scopes: shared(&settings.scopes),
                roles: shared(&settings.roles),
                suspended: settings.suspended,
            });
            directory
                .applications
                .insert(application.id.clone(), application.clone());
            for key in &settings.keys {
                directory.add_key(key, &application, problems);
            }
            for password in &settings.passwords {
                if let Err(message) = check_hash(&password.argon2) {
                    let problem = Problem::new(&password.argon2.span, message);
                    problems.push(problem.help("write the PHC form, `$argon2id$v=19$m=…$salt$hash`; `lockgate keys password` makes one"));
                }
                let user = User {
                    name: Arc::from(password.username.as_str()),
                    hash: Arc::from(password.argon2.as_str()),
                    application: application.clone(),
                };
                if directory
                    .users
                    .insert(password.username.value.clone(), user)
                    .is_some()
                {
                    problems.push(taken(&password.username, "user name"));
                }
            }
            for certificate in &settings.certificates {
                directory.add_certificate(certificate, &entry.span, &application, problems);
            }
            for client in &settings.client_ids {
                if directory
                    .clients
                    .insert(client.clone(), application.clone())
                    .is_some()
                {
                    problems.push(Problem::new(
                        &entry.span,
                        format!("the client id `{client}` belongs to two applications"),
                    ));
                }
            }
        }
        directory
    }

    /// The same without what was revoked: revoked applications are suspended, whatever they identify themselves with.
    #[must_use]
    pub fn without(&self, revoked: &Revoked) -> Self {
        let mut next = self.clone();
        let suspended: HashMap<&str, Arc<Application>> = (revoked.applications.iter())
            .filter_map(|id| {
                let known = self.application(id)?;
                let suspended = true;
                Some((
                    &**id,
                    Arc::new(Application {
                        suspended,
                        ..Application::clone(known)
                    }),
                ))
            })
            .collect();
        let suspend = |application: &mut Arc<Application>| {
            if let Some(suspended) = suspended.get(&*application.id) {
                *application = suspended.clone();
            }
        };
        next.applications.values_mut().for_each(suspend);
        next.certificates.values_mut().for_each(suspend);
        next.names.values_mut().for_each(suspend);
        next.clients.values_mut().for_each(suspend);
        next.keys
            .values_mut()
            .for_each(|key| suspend(&mut key.application));
        next.users
            .values_mut()
            .for_each(|user| suspend(&mut user.application));
        next.keys.retain(|hash, _| !revoked.hashes.contains(hash));
        next.certificates
            .retain(|hash, _| !revoked.hashes.contains(hash));
        // A revoked certificate must not pass by a name that it bears either.
        next.revoked_certificates.clone_from(&revoked.hashes);
        next
    }

    /// The same with keys and certificates, by their SHA-256, that are refused until a time.
    #[must_use]
    pub fn with_blocked(mut self, blocked: HashMap<[u8; 32], Timestamp>) -> Self {
        self.blocked = blocked;
        self
    }

    /// Until when a key or certificate is blocked, when it is.
    pub fn blocked_until(&self, hash: &[u8; 32], now: Timestamp) -> Option<Timestamp> {
        self.blocked.get(hash).copied().filter(|end| now < *end)
    }

    fn add_key(
        &mut self,
        key: &lockgate_config::ApiKey,
        application: &Arc<Application>,
        problems: &mut Vec<Problem>,
    ) {
        let expires = match key.expires.as_ref().map(|text| (text, read_time(text))) {
            Some((_, Some(time))) => Some(time),
            Some((text, None)) => {
                problems.push(Problem::new(&text.span, format!("`{}` is not a time", text.value))
                    .help("write a date such as `2027-01-31` or an RFC 3339 time such as `2027-01-31T12:00:00Z`"));
                None
            }
            None => None,
        };
        let Some(hash) = read_hash(&key.sha256) else {
            problems.push(
                Problem::new(
                    &key.sha256.span,
                    "expected a SHA-256 hash: 64 hexadecimal digits",
                )
                .help("`lockgate keys new` prints a key and its hash"),
            );
            return;
        };
        let credential = Credential {
            application: application.clone(),
            expires,
        };
        if self.keys.insert(hash, credential).is_some() {
            problems.push(taken(&key.sha256, "key"));
        }
    }

    fn add_certificate(
        &mut self,
        certificate: &lockgate_config::Certificate,
        span: &lockgate_config::Span,
        application: &Arc<Application>,
        problems: &mut Vec<Problem>,
    ) {
        match (&certificate.sha256, &certificate.san) {
            (Some(hash), None) => match read_hash(hash) {
                Some(bytes)
                    if self
                        .certificates
                        .insert(bytes, application.clone())
                        .is_some() =>
                {
                    problems.push(taken(hash, "certificate"));
                }
                Some(_) => {}
                None => problems.push(Problem::new(
                    &hash.span,
                    "expected a SHA-256 hash: 64 hexadecimal digits",
                )),
            },
            (None, Some(name))
                if !["dns:", "uri:", "email:"]
                    .iter()
                    .any(|start| name.starts_with(start)) =>
            {
                problems.push(
                    Problem::new(
                        &name.span,
                        format!("`{}` is not a subject alternative name", name.value),
                    )
                    .help("write `dns:host`, `uri:spiffe://…` or `email:…`"),
                )
            }
            (None, Some(name)) => {
                if self
                    .names
                    .insert(name.value.clone(), application.clone())
                    .is_some()
                {
                    problems.push(taken(name, "certificate name"));
                }
            }
            _ => problems.push(Problem::new(
                span,
                "a certificate needs exactly one of `sha256` and `san`",
            )),
        }
    }

    /// Looks up an API key by its SHA-256. The time it takes does not depend on how much of a key is right: the hash of a
    /// wrong key shares nothing with that of a right one.
    pub fn key(&self, key: &[u8], now: Timestamp) -> KeyLookup {
        let hash: [u8; 32] = Sha256::digest(key).into();
        match self.keys.get(&hash) {
            None => KeyLookup::Unknown,
            Some(credential) if credential.application.suspended => KeyLookup::Suspended,
            Some(credential) if credential.expires.is_some_and(|end| now >= end) => {
                KeyLookup::Expired
            }
            Some(credential) => match self.blocked_until(&hash, now) {
                Some(end) => KeyLookup::Blocked(end),
                None => KeyLookup::Live(credential.application.clone()),
            },
        }
    }

    /// The user of a name.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.get(name)
    }

    /// One of the hashes, always the same, to learn what a check usually costs.
    pub fn typical_password(&self) -> Option<&str> {
        let first = self.users.iter().min_by_key(|(name, _)| *name)?;
        Some(&first.1.hash)
    }

    /// The same directory for a replay: API keys and user names are also known by the marks that stand for them in a recording.
    /// `mark` makes the mark of a credential from its SHA-256.
    #[must_use]
    pub fn with_marks(mut self, mark: impl Fn(&[u8; 32]) -> String) -> Self {
        let of_mark = |hash| Sha256::digest(mark(hash)).into();
        let keys: Vec<_> = self
            .keys
            .iter()
            .map(|(hash, key)| (of_mark(hash), key.clone()))
            .collect();
        self.keys.extend(keys);
        let users: Vec<_> = self
            .users
            .iter()
            .map(|(name, user)| (mark(&Sha256::digest(name).into()), user.clone()))
            .collect();
        self.users.extend(users);
        self
    }

    /// The application of a client certificate, by fingerprint first, then by name.
    pub fn certificate(
        &self,
        certificate: &crate::request::ClientCertificate,
    ) -> Option<&Arc<Application>> {
        if self.revoked_certificates.contains(&certificate.sha256) {
            return None;
        }
        self.certificates.get(&certificate.sha256).or_else(|| {
            certificate
                .names
                .iter()
                .find_map(|name| self.names.get(name))
        })
    }

    /// The application that a token issuer knows as `client`, by its listed client ids, else by its own id.
    pub fn client(&self, client: &str) -> Option<&Arc<Application>> {
        self.clients
            .get(client)
            .or_else(|| self.applications.get(client))
    }

    /// An application by id.
    pub fn application(&self, id: &str) -> Option<&Arc<Application>> {
        self.applications.get(id)
    }

    /// Whether an application has an API key, or a certificate, with this SHA-256.
    pub fn has_hash(&self, hash: &[u8; 32]) -> bool {
        self.keys.contains_key(hash) || self.certificates.contains_key(hash)
    }

    /// The ids of all applications, in their order.
    pub fn ids(&self) -> Vec<&str> {
        let mut ids: Vec<&str> = self.applications.keys().map(AsRef::as_ref).collect();
        ids.sort_unstable();
        ids
    }

    /// How many applications there are.
    pub fn len(&self) -> usize {
        self.applications.len()
    }

    /// Whether there is no application.
    pub fn is_empty(&self) -> bool {
        self.applications.is_empty()
    }
}

/// Most applications have no scopes and no roles; those share one empty list.
fn shared(names: &[String]) -> Arc<[String]> {
    if names.is_empty() {
        Arc::default()
    } else {
        names.into()
    }
}

/// What stands before the hash in a mark.
pub const MARK: &str = "hmac-sha256:";
const MARK_DIGITS: usize = 16;

/// Whether a recorded text has a mark in it and is not one: a part of it is not known.
pub fn holds_mark_among_others(text: &[u8]) -> bool {
    let is_mark = |text: &[u8]| text.starts_with(MARK.as_bytes());
    text.windows(MARK.len()).any(is_mark)
        && !(is_mark(text) && text.len() == MARK.len() + MARK_DIGITS)
}

fn taken(value: &Spanned<String>, what: &str) -> Problem {
    Problem::new(
        &value.span,
        format!("this {what} belongs to two applications"),
    )
    .help("keep it in one of them")
}

/// A date (its first moment in UTC) or an RFC 3339 time.
pub fn read_time(text: &str) -> Option<Timestamp> {
    let instant = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let date = text.parse::<jiff::civil::Date>().ok()?;
        Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    })?;
    u64::try_from(instant.as_microsecond()).ok().map(Timestamp)
}

#[cfg(test)]
#[path = "directory_fuzz.rs"]
mod fuzz;
