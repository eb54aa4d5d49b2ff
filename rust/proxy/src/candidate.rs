//! What a node is asked to serve: a document with the files beside it, or a bundle that carries them.

use std::path::{Path, PathBuf};

use lockgate_config::{Carried, Loaded, Problem, Source, load_document, read_file};
use lockgate_generations::{Bundle, MAX_BUNDLE_BYTES, Nack, PublicKey, is_bundle};

/// What shall be served.
#[derive(Debug)]
pub enum Candidate {
    /// A document.
    Document(Source),
    /// A bundle that was read, and verified when a key is trusted.
    Bundle {
        /// What people call it.
        name: String,
        /// The bundle.
        bundle: Box<Bundle>,
        /// Where its secrets are read.
        folder: PathBuf,
    },
}

impl Candidate {
    /// Looks at what the source is. With a key to trust, only bundles that it signed pass.
    ///
    /// # Errors
    /// A bundle that is damaged, of another version, or not from the publisher.
    pub fn read(source: &Source, trust: Option<&PublicKey>) -> Result<Self, Nack> {
        if let Source::File(path) = source
            && let Ok(bytes) = read_file(path, MAX_BUNDLE_BYTES as u64)
            && is_bundle(&bytes)
        {
            let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
            return Self::of(Bundle::read(&bytes)?, source.name(), folder, trust);
        }
        match trust {
            Some(_) => Err(Nack::Unsigned),
            None => Ok(Self::Document(source.clone())),
        }
    }

    /// A bundle that was read.
    ///
    /// # Errors
    /// It is not from the publisher whose key is trusted.
    pub fn of(
        bundle: Bundle,
        name: String,
        folder: PathBuf,
        trust: Option<&PublicKey>,
    ) -> Result<Self, Nack> {
        trust.map_or(Ok(()), |key| bundle.verify(key))?;
        Ok(Self::Bundle {
            name,
            bundle: Box::new(bundle),
            folder,
        })
    }

    /// The document, ready to compile.
    ///
    /// # Errors
    /// The problems of the document.
    pub fn load(&self) -> Result<Loaded, Vec<Problem>> {
        match self {
            Self::Document(source) => load_document(source),
            Self::Bundle {
                name,
                bundle,
                folder,
            } => bundle.load(name, folder),
        }
    }

    /// It as a bundle: as it came, or made of what its compilation has read.
    pub fn bundle(
        &self,
        canonical: String,
        carried: &Carried,
        generation: u64,
        base: Option<String>,
        now: jiff::Timestamp,
    ) -> Bundle {
        match self {
            Self::Document(_) => Bundle::new(canonical, carried, generation, base, now),
            Self::Bundle { bundle, .. } => Bundle::clone(bundle),
        }
    }

    /// What people call it.
    pub fn name(&self) -> String {
        match self {
            Self::Document(source) => source.name(),
            Self::Bundle { name, .. } => name.clone(),
        }
    }
}
