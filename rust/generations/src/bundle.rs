//! One revision as one file.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lockgate_config::{
    Carried, Files, Loaded, MAX_DOCUMENT_BYTES, MAX_FILES_BYTES, Problem, RevisionId, Source,
    canonical_json, load_document,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::nack::Nack;
use crate::signing::{PublicKey, SigningKey};

/// The version of bundles that this build writes and reads.
pub const BUNDLE_VERSION: u64 = 1;
/// The largest bundle, for those who build and those who read: a document, and its files in base64, with what JSON adds.
pub const MAX_BUNDLE_BYTES: usize = 2 * (MAX_DOCUMENT_BYTES + MAX_FILES_BYTES);

/// One revision, whole: what a node needs but its secrets, which stay references.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    lockgate_bundle: u64,
    /// The id of the revision: of the document, and of the files that its policies are made from.
    id: String,
    /// Its place among all revisions of this gateway; a node takes no older one than it has seen.
    generation: u64,
    /// The id of the revision that it was made from.
    base: Option<String>,
    /// When it was built.
    created: jiff::Timestamp,
    /// The canonical document, with its includes.
    document: String,
    /// What policies are made from, in base64.
    files: BTreeMap<String, String>,
    /// Certificates, in base64.
    certificates: BTreeMap<String, String>,
    signature: Option<Signature>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    key: String,
    ed25519: String,
}

impl Bundle {
    /// A bundle of a canonical document and its files, not signed.
    pub fn new(
        canonical: String,
        carried: &Carried,
        generation: u64,
        base: Option<String>,
        created: jiff::Timestamp,
    ) -> Self {
        let encoded = |files: &Files| -> BTreeMap<String, String> {
            let files = files.iter();
            files
                .map(|(name, bytes)| (name.clone(), STANDARD.encode(bytes)))
                .collect()
        };
        Self {
            lockgate_bundle: BUNDLE_VERSION,
            id: content_id(&canonical, carried),
            generation,
            base,
            created: created
                .round(jiff::Unit::Second)
                .unwrap_or(jiff::Timestamp::UNIX_EPOCH),
            document: canonical,
            files: encoded(&carried.files),
            certificates: encoded(&carried.certificates),
            signature: None,
        }
    }

    /// Signs it.
    #[must_use]
    pub fn sign(mut self, key: &SigningKey) -> Self {
        self.signature = None;
        let ed25519 = STANDARD.encode(key.sign(self.text().as_bytes()));
        self.signature = Some(Signature {
            key: key.public().id(),
            ed25519,
        });
        self
    }

    /// Reads a bundle. It must be written exactly as this build writes it: two readers can then never differ in what it says.
    ///
    /// # Errors
    /// Why it is none, or not one of this version, or not what its id says.
    pub fn read(bytes: &[u8]) -> Result<Self, Nack> {
        if bytes.len() > MAX_BUNDLE_BYTES {
            return Err(Nack::TooLarge {
                bytes: bytes.len(),
                most: MAX_BUNDLE_BYTES,
            });
        }
        let malformed = |why: String| Nack::Malformed(why);
        let text =
            str::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8 text".to_owned()))?;
        let value: Value =
            serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
        let Some(version) = value.get("lockgate_bundle") else {
            return Err(malformed("the field `lockgate_bundle` is missing".into()));
        };
        // Before anything else: what a newer version added must not be told as a misspelt field (F4).
        if version.as_u64() != Some(BUNDLE_VERSION) {
            return Err(Nack::Version {
                found: version.to_string(),
                reads: BUNDLE_VERSION,
            });
        }
        let bundle: Self =
            serde_json::from_value(value).map_err(|error| Nack::Fields(error.to_string()))?;
        let is = content_id(&bundle.document, &bundle.decoded()?);
        if is != bundle.id {
            return Err(Nack::Content {
                said: bundle.id,
                is,
            });
        }
        if bundle.text() != text.trim_end() {
            return Err(malformed(
                "it is not in canonical form: names sorted, none twice, nothing between them"
                    .into(),
            ));
        }
        Ok(bundle)
    }

    /// Whether this bundle is from the publisher whose key is trusted.
    ///
    /// # Errors
    /// It is unsigned, signed by another, or was changed.
    pub fn verify(&self, trusted: &PublicKey) -> Result<(), Nack> {
        let signature = self.signature.as_ref().ok_or(Nack::Unsigned)?;
        if signature.key != trusted.id() {
            return Err(Nack::UnknownKey {
                key: signature.key.clone(),
                trusted: trusted.id(),
            });
        }
        let unsigned = Self {
            signature: None,
            ..self.clone()
        };
        let bytes = STANDARD
            .decode(&signature.ed25519)
            .map_err(|_| Nack::Signature)?;
        if trusted.verifies(unsigned.text().as_bytes(), &bytes) {
            Ok(())
        } else {
            Err(Nack::Signature)
        }
    }

    /// The canonical form.
    pub fn text(&self) -> String {
        canonical_json(&serde_json::to_value(self).unwrap_or_default())
    }

    /// The document with its files, ready to compile. `folder` is where secrets are read and what the node writes goes.
    ///
    /// # Errors
    /// The problems of the document, as those of `name`.
    pub fn load(&self, name: &str, folder: &Path) -> Result<Loaded, Vec<Problem>> {
        let carried = self.decoded().map_err(|nack| nack.problems(name))?;
        let source = Source::Text {
            name: name.to_owned(),
            text: self.document.clone(),
            base: folder.to_owned(),
        };
        let loaded = load_document(&source)?;
        if loaded.canonical != self.document {
            let problem =
                Problem::in_file(name, "the document of the bundle is not in canonical form");
            return Err(vec![problem.help(Nack::Signature.help())]);
        }
        Ok(Loaded {
            base: loaded.base.with_bundle(carried),
            ..loaded
        })
    }

    fn decoded(&self) -> Result<Carried, Nack> {
        let one = |(name, text): (&String, &String)| {
            let bytes = STANDARD
                .decode(text)
                .map_err(|_| Nack::Fields(format!("the file `{name}` is not base64")))?;
            Ok((name.clone(), bytes))
        };
        Ok(Carried {
            files: self.files.iter().map(one).collect::<Result<_, _>>()?,
            certificates: self
                .certificates
                .iter()
                .map(one)
                .collect::<Result<_, _>>()?,
        })
    }

    /// The id of the revision, as `lockgate check` prints it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its generation number.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The id of the revision that it was made from.
    pub fn base(&self) -> Option<&str> {
        self.base.as_deref()
    }

    /// When it was built.
    pub const fn created(&self) -> jiff::Timestamp {
        self.created
    }

    /// The id of the key that signed it.
    pub fn signed_with(&self) -> Option<&str> {
        self.signature.as_ref().map(|signature| &*signature.key)
    }

    /// The names of the files that it holds.
    pub fn file_names(&self) -> impl Iterator<Item = &str> {
        (self.files.keys().chain(self.certificates.keys())).map(String::as_str)
    }
}

/// Whether a text wants to be a bundle, and not a document.
pub fn is_bundle(text: &[u8]) -> bool {
    const NAME: &[u8] = b"\"lockgate_bundle\"";
    let text = text.trim_ascii_start();
    // No document has a field `base`: with it, half a bundle is still known for one.
    text.starts_with(b"{\"base\":")
        || text.starts_with(b"{") && text.windows(NAME.len()).any(|window| window == NAME)
}

fn content_id(document: &str, carried: &Carried) -> String {
    let document = RevisionId::of(document);
    document.with_files(&carried.digests()).to_string()
}
