//! What a document says of the tokens of an issuer, and the keys and algorithms read from it.

use std::sync::Arc;

use lockgate_config::{Duration, Each, Problem, Spanned};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::bearer::OneOrMany;
use crate::endpoint::{Endpoint, read_url};
use crate::keys::{Algorithm, KeySet};
use crate::place::Place;
use crate::policy::Compiling;

/// How long fetched keys may be used.
const KEEP_KEYS: std::time::Duration = std::time::Duration::from_secs(600);
/// How long a failure to fetch them is remembered.
const KEEP_FAILURE: std::time::Duration = std::time::Duration::from_secs(5);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Who makes the tokens: the exact value of `iss`.
    pub issuer: Spanned<String>,
    /// For whom the tokens are: one of these values must be in `aud`.
    pub audience: Spanned<OneOrMany>,
    /// The issuer's public keys (RFC 7517): a file, an `https://` URL, or the set itself.
    pub jwks: Spanned<Jwks>,
    /// The signature algorithms that the issuer uses.
    #[schemars(with = "Each<Algorithm>")]
    pub algorithms: Each<Spanned<String>>,
    /// How far the issuer's clock may differ, at most `5m`; not at all by default.
    pub leeway: Option<Spanned<Duration>>,
    /// Where the token is sent; `Authorization: Bearer` by default.
    #[serde(default, rename = "in")]
    pub place: Option<Spanned<Place>>,
    /// The claim with the scopes, a list or a text with spaces; `scope`, else `scp`, by default.
    pub scopes_claim: Option<Spanned<String>>,
    /// The claim that names the application, by its id or one of its `client_ids`; `azp`, else `client_id`, by default.
    pub application_claim: Option<Spanned<String>>,
    /// Further claims that must be there.
    #[serde(default)]
    pub required_claims: Each<Spanned<String>>,
    /// The greatest age of a token by its `iat`, which must then be there.
    pub max_age: Option<Duration>,
    /// The media type that the token's header must name, such as `at+jwt` (RFC 9068).
    #[serde(rename = "type")]
    pub media_type: Option<Spanned<String>>,
    /// Whether the URL of the keys may lead to a private address.
    #[serde(default)]
    pub allow_private: bool,
    /// Whether the token is forwarded to the service.
    #[serde(default = "yes")]
    pub forward: bool,
}

const fn yes() -> bool {
    true
}

/// The issuer's public keys, as a document gives them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a file, a URL or a JSON Web Key Set")]
pub enum Jwks {
    /// A file relative to the document, or a URL.
    Elsewhere(String),
    /// The set itself.
    Inline(Map<String, Value>),
}

/// The issuer's public keys.
#[derive(Debug)]
pub enum Keys {
    /// They stand in the document.
    Known(KeySet),
    /// They are fetched from where the issuer publishes them.
    Fetched([Arc<Endpoint>; 1]),
}

/// The algorithms of those names; all others are problems.
pub fn algorithms(names: &[Spanned<String>], problems: &mut Vec<Problem>) -> Vec<Algorithm> {
    let mut known = Vec::new();
    for name in names {
        match Algorithm::named(name) {
            Some(algorithm) => known.push(algorithm),
            None if name.starts_with("HS") || name.eq_ignore_ascii_case("none") => problems.push(
                Problem::new(
                    &name.span,
                    format!("`{}` is not a signature with a public key", name.value),
                )
                .help("write an algorithm such as `ES256`, `RS256` or `EdDSA`"),
            ),
            None => problems.push(Problem::unknown(
                &name.span,
                "algorithm",
                name,
                Algorithm::NAMES,
            )),
        }
    }
    known
}

/// The keys that the settings name: each algorithm has at least one.
pub fn keys(
    settings: &Settings,
    algorithms: &[Algorithm],
    compiling: &Compiling<'_>,
) -> Result<Keys, Problem> {
    let span = &settings.jwks.span;
    let text = match &settings.jwks.value {
        Jwks::Elsewhere(url) if url.contains("://") => {
            let url = Spanned {
                span: span.clone(),
                value: url.clone(),
            };
            return Ok(Keys::Fetched([Arc::new(Endpoint {
                url: read_url(&url, settings.allow_private)?,
                allow_private: settings.allow_private,
                client: None,
                keep: KEEP_KEYS,
                keep_negative: KEEP_FAILURE,
            })]));
        }
        Jwks::Elsewhere(file) => compiling.read_file(&Spanned {
            span: span.clone(),
            value: file.clone(),
        })?,
        Jwks::Inline(set) => Value::Object(set.clone()).to_string().into_bytes(),
    };
    let set = KeySet::read(&text).map_err(|message| {
        Problem::new(span, message).help("write the set that the issuer publishes (RFC 7517)")
    })?;
    let serves = |algorithm: &&Algorithm| set.candidates(None, **algorithm).next().is_some();
    match algorithms.iter().find(|algorithm| !serves(algorithm)) {
        None => Ok(Keys::Known(set)),
        Some(without) => Err(Problem::new(
            span,
            format!("the key set has no key for `{without:?}`"),
        )
        .help("list only algorithms of the set's keys; an RSA key says its own in `alg`")),
    }
}
