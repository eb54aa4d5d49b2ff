//! What a GraphQL request may ask for, and why one was refused.

use thiserror::Error;

use crate::json::JsonViolation;

/// Bounds on a GraphQL request. Each bound is inclusive; all but `depth` count the operations of a batch together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphqlLimits {
    /// Nested fields: `{ a { b } }` is 2. Fragments are counted where they are used.
    pub depth: u64,
    /// Aliased fields, fragments expanded.
    pub aliases: u64,
    /// Directives, fragments expanded.
    pub directives: u64,
    /// Lexical tokens (GraphQL §2.1.6) without white space, comments and commas.
    pub tokens: u64,
    /// Cost of the operations, see [`Measure::cost`].
    pub cost: u64,
    /// Operations of one document. All are measured, as upstreams differ in which one they run.
    pub operations: u64,
    /// Requests of an array batch.
    pub batch: usize,
    /// Bytes of all documents.
    pub document_bytes: usize,
}

impl Default for GraphqlLimits {
    fn default() -> Self {
        Self {
            depth: 6,
            aliases: 15,
            directives: 50,
            tokens: 1_000,
            cost: 5_000,
            operations: 10,
            batch: 10,
            document_bytes: 65_536,
        }
    }
}

/// What a request asks for. Sums saturate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measure {
    /// Deepest nesting of fields.
    pub depth: u64,
    /// Aliased fields.
    pub aliases: u64,
    /// Directives.
    pub directives: u64,
    /// Lexical tokens.
    pub tokens: u64,
    /// A field costs `n × (1 + the cost of its selections)`, where `n` is the largest of its list sizes (`first`,
    /// `last`, `limit`, `take`, `pageSize`, `page_size`, also inside input objects and variables) and at least 1.
    /// A fragment costs what its selections cost, each time it is used. A document costs the sum of its operations.
    pub cost: u64,
}

/// Why a GraphQL request was refused. `seen` is the value that crossed the limit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GraphqlViolation {
    /// One of the bounds was crossed.
    #[error("{bound} is {seen} or more, {limit} are allowed")]
    Limit {
        /// Which bound.
        bound: GraphqlBound,
        /// The value allowed.
        limit: u64,
        /// The value seen.
        seen: u64,
    },
    /// Brackets nested deeper than the parser follows.
    #[error("brackets are nested more than {limit} deep")]
    Nesting {
        /// Levels followed.
        limit: usize,
    },
    /// The document breaks the grammar.
    #[error("not a valid GraphQL document at byte {offset}")]
    Syntax {
        /// Offset in the document, in bytes.
        offset: usize,
    },
    /// The document defines types; a request may hold operations and fragments only.
    #[error("a request may not define types or directives")]
    TypeSystem,
    /// The document holds no operation.
    #[error("the document holds no operation")]
    NoOperation,
    /// `operationName` names no operation of the document.
    #[error("operation `{name}` is not in the document")]
    UnknownOperation {
        /// The name, cut to 64 characters.
        name: String,
    },
    /// A fragment that spreads itself, directly or through others (GraphQL §5.5.2.2).
    #[error("fragment `{name}` spreads itself")]
    FragmentCycle {
        /// The name, cut to 64 characters.
        name: String,
    },
    /// A spread of a fragment that the document does not define.
    #[error("fragment `{name}` is not defined")]
    UnknownFragment {
        /// The name, cut to 64 characters.
        name: String,
    },
    /// Two fragments of one name.
    #[error("fragment `{name}` is defined twice")]
    DuplicateFragment {
        /// The name, cut to 64 characters.
        name: String,
    },
    /// The body is not the JSON that GraphQL over HTTP defines.
    #[error("`{field}` must be {expected}")]
    Shape {
        /// The member.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A request without a document, as sent for persisted queries; the caller may allow it.
    #[error("the request holds no `query`")]
    NoDocument,
    /// The body is not acceptable JSON.
    #[error(transparent)]
    Json(#[from] JsonViolation),
    /// The document is not UTF-8.
    #[error("the document is not UTF-8")]
    InvalidUtf8,
}

/// A bound of [`GraphqlLimits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum GraphqlBound {
    /// Nested fields.
    #[error("query depth")]
    Depth,
    /// Aliases.
    #[error("number of aliases")]
    Aliases,
    /// Directives.
    #[error("number of directives")]
    Directives,
    /// Tokens.
    #[error("number of tokens")]
    Tokens,
    /// Cost.
    #[error("query cost")]
    Cost,
    /// Operations of a document.
    #[error("number of operations")]
    Operations,
    /// Requests of a batch.
    #[error("number of requests in the batch")]
    Batch,
    /// Length of the documents.
    #[error("length of the documents in bytes")]
    DocumentBytes,
}
