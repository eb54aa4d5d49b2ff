use lockgate_config::Problem;

/// Why a node does not serve a revision. What it served before serves on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Nack {
    /// More bytes than any node reads.
    #[error("the bundle has {bytes} bytes; at most {most} are read")]
    TooLarge {
        /// How many it has.
        bytes: usize,
        /// How many are read.
        most: usize,
    },
    /// No bundle at all.
    #[error("this is not a bundle: {0}")]
    Malformed(String),
    /// Published by a newer or older Lockgate.
    #[error("the bundle has version {found}; this build reads version {reads}")]
    Version {
        /// What it says.
        found: String,
        /// What is read.
        reads: u64,
    },
    /// A field too many, too few, or of another shape.
    #[error("the bundle has other fields than this build reads: {0}")]
    Fields(String),
    /// The content is not what its id says.
    #[error("the content was changed: its id would be {is}, and the bundle says {said}")]
    Content {
        /// The id that is written.
        said: String,
        /// The id of what is there.
        is: String,
    },
    /// A signature is asked for and there is none.
    #[error("the bundle is not signed, and this node trusts signed ones only")]
    Unsigned,
    /// Signed by nobody that the node trusts.
    #[error("the bundle is signed with the key {key}, and this node trusts {trusted}")]
    UnknownKey {
        /// The key that signed.
        key: String,
        /// The key that is trusted.
        trusted: String,
    },
    /// The signature does not fit.
    #[error("the signature does not fit: the bundle was changed after it was signed")]
    Signature,
    /// Overtaken by a newer one (F15).
    #[error("generation {generation} comes late: generation {newest} was seen already")]
    Older {
        /// Its number.
        generation: u64,
        /// The newest that the node has seen.
        newest: u64,
    },
    /// Two publishers took the same number.
    #[error("generation {0} is another revision already; two publishers took the same number")]
    Taken(u64),
    /// The node went back while this one was being tried.
    #[error("the node went back to an older generation while this one was being tried")]
    Overtaken,
    /// It was served and taken back.
    #[error("revision {id} was taken back: {why}")]
    TakenBack {
        /// The first digits of its id.
        id: String,
        /// Why.
        why: String,
    },
    /// A rollout is in the way.
    #[error("{0}")]
    Rollout(Problem),
    /// The document does not compile.
    #[error("the document has errors")]
    Document(Vec<Problem>),
    /// The child that tried it did not survive.
    #[error("the taster did not survive it: {0}")]
    Taster(String),
    /// The disk does not take it.
    #[error("it cannot be kept: {0}")]
    Disk(String),
}

impl Nack {
    /// A stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "bundle.too_large",
            Self::Malformed(_) => "bundle.malformed",
            Self::Version { .. } => "bundle.version",
            Self::Fields(_) => "bundle.fields",
            Self::Content { .. } => "bundle.content",
            Self::Unsigned => "bundle.unsigned",
            Self::UnknownKey { .. } => "bundle.unknown_key",
            Self::Signature => "bundle.signature",
            Self::Older { .. } => "generation.older",
            Self::Taken(_) => "generation.taken",
            Self::Overtaken => "generation.overtaken",
            Self::TakenBack { .. } => "generation.taken_back",
            Self::Rollout(_) => "rollout.runs",
            Self::Document(_) => "document.errors",
            Self::Taster(_) => "taster.died",
            Self::Disk(_) => "generation.disk",
        }
    }

    /// What a person can do.
    pub const fn help(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "take files out of the document, or split the gateway",
            Self::Malformed(_) => "make one with `lockgate revision build`",
            Self::Version { .. } | Self::Fields(_) => {
                "build it with the version of Lockgate that the node runs, or update the node"
            }
            Self::Content { .. } | Self::Signature => {
                "build and sign it again from its document; nobody may edit a bundle"
            }
            Self::Unsigned => "build it with `lockgate revision build --key KEY`",
            Self::UnknownKey { .. } => {
                "sign it with the key whose public half the node was given with `--trust`"
            }
            Self::Older { .. } | Self::Taken(_) => {
                "build it again with a higher `--generation`; to go back, use `lockgate rollback`"
            }
            Self::Overtaken => "reload again, when it shall be served all the same",
            Self::TakenBack { .. } => {
                "change the document, or ask for the same one with `lockgate reload --again`"
            }
            Self::Rollout(_) | Self::Document(_) => "mend what the lines above name",
            Self::Taster(_) => {
                "the node lives on; report it with the document, which is a fault of Lockgate unless the document is huge"
            }
            Self::Disk(_) => "make room in the state folder, and let this user write there",
        }
    }

    /// As problems of the document `name`.
    pub fn problems(&self, name: &str) -> Vec<Problem> {
        match self {
            Self::Document(problems) => problems.clone(),
            Self::Rollout(problem) => vec![problem.clone()],
            other => vec![Problem::in_file(name, other.to_string()).help(other.help())],
        }
    }
}
