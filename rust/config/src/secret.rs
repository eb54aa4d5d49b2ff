//! Secrets are referred to, never written: `${env:NAME}` or `${file:PATH}`.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The largest file with a secret.
const MAX_SECRET_BYTES: u64 = 1024 * 1024;

/// A reference to a secret. It is serialised, hashed and printed as the reference; the value exists only after [`Secret::read`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Secret {
    /// `${env:NAME}`: the environment of the node.
    Env(String),
    /// `${file:PATH}`: a file, relative to the document that names it.
    File(String),
}

/// Why the value behind a reference could not be read. Never carries the value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is not set, or not text.
    #[error("the environment variable `{0}` is not set")]
    Env(String),
    /// The file could not be read.
    #[error("the file `{0}` cannot be read: {1}")]
    File(String, std::io::Error),
    /// The value is empty.
    #[error("{0} is empty")]
    Empty(String),
}

impl Secret {
    /// Reads `${env:NAME}` or `${file:PATH}`.
    ///
    /// # Errors
    /// What was wrong with the text, without repeating it: it may be a secret.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let inner = text
            .strip_prefix("${")
            .and_then(|rest| rest.strip_suffix('}'));
        match inner.and_then(|inner| inner.split_once(':')) {
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.to_owned())),
            _ => Err(
                "a secret is never written in a document; write `${env:NAME}` or `${file:PATH}`",
            ),
        }
    }

    /// The file that it names, relative to the document.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::Env(_) => None,
            Self::File(path) => Some(path),
        }
    }

    /// The value, without surrounding line breaks. `base` is the folder of the document.
    ///
    /// # Errors
    /// The variable is not set, the file cannot be read, or the value is empty.
    pub fn read(&self, base: &Path) -> Result<Vec<u8>, SecretError> {
        let value = match self {
            Self::Env(name) => std::env::var(name)
                .map_err(|_| SecretError::Env(name.clone()))?
                .into_bytes(),
            Self::File(path) => crate::read_file(&base.join(path), MAX_SECRET_BYTES)
                .map_err(|error| SecretError::File(path.clone(), error))?,
        };
        let trimmed = value.trim_ascii();
        if trimmed.is_empty() {
            Err(SecretError::Empty(self.to_string()))
        } else {
            Ok(trimmed.to_vec())
        }
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "${{env:{name}}}"),
            Self::File(path) => write!(f, "${{file:{path}}}"),
        }
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^\$\{(env|file):.+\}$",
            "description": "A reference to a secret: `${env:NAME}` or `${file:PATH}`"
        })
    }
}

#[cfg(test)]
#[path = "secret_fuzz.rs"]
mod fuzz;
